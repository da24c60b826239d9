//! Bounds on what a request may bring: bytes, nesting and time. The number and size of headers are
//! bounded by the server, which parses them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::around::{self, Around};

/// Bytes of a body a door takes unless it says otherwise.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Time a body may take to arrive. Below the time of a whole request, so that who sends too slowly
/// is told so by the door.
pub const BODY_TIME: Duration = Duration::from_secs(20);

/// Bytes of a request's address, path and query together.
pub const URI_BYTES_MAX: usize = 8 * 1024;

/// Levels of nesting JSON may have: `[]` is one level.
pub const JSON_DEPTH_MAX: usize = 64;

/// Fields of a form: several times as many as any of ours has.
pub const FORM_FIELDS_MAX: usize = 32;

/// What kept a body from being read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyProblem {
    /// Announced or found to be longer than the door takes.
    #[error("the body is longer than {bytes_max} bytes")]
    TooLarge {
        /// The door's limit.
        bytes_max: usize,
    },
    /// The connection broke, or the framing is wrong.
    #[error("the body ended early")]
    Broken,
    /// Not all of it came within [`BODY_TIME`].
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    TooSlow,
}

/// What a door's state says about bodies: how long they may be, and what the answer looks like
/// when one cannot be read.
pub trait BodyPolicy: Send + Sync {
    /// Bytes a body may have.
    fn body_bytes_max(&self) -> usize {
        BODY_BYTES_MAX
    }

    /// The door's own answer. It is the client's fault, so never a 5xx.
    fn refuse_body(&self, problem: BodyProblem) -> Response;
}

impl<T: BodyPolicy + ?Sized> BodyPolicy for Arc<T> {
    fn body_bytes_max(&self) -> usize {
        T::body_bytes_max(self)
    }

    fn refuse_body(&self, problem: BodyProblem) -> Response {
        T::refuse_body(self, problem)
    }
}

/// A whole request body as it came, whatever its content type. No more than the door's limit is
/// ever held; a body announced as longer is refused unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBody(pub Bytes);

impl<S: BodyPolicy> FromRequest<S> for RawBody {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes_max = state.body_bytes_max();
        read(request, bytes_max)
            .await
            .map(Self)
            .map_err(|problem| state.refuse_body(problem))
    }
}

/// Gives every request of `router` this long, reading its body included, and answers with `late`
/// when the time is over. The handler is dropped at its next await: what it has committed stays.
///
/// Time is the runtime's. Streaming an answer's body is not included.
pub fn with_timeout<S>(router: Router<S>, limit: Duration, late: fn() -> Response) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    around::put(router, Timed { limit, late })
}

#[derive(Clone)]
struct Timed {
    limit: Duration,
    late: fn() -> Response,
}

impl Around for Timed {
    fn answer<F>(
        &self,
        request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send + 'static
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let in_time = tokio::time::timeout(self.limit, inner(request));
        let late = self.late;
        async move { in_time.await.unwrap_or_else(|_| late()) }
    }
}

/// The answer 414 to an address beyond [`URI_BYTES_MAX`].
#[must_use]
pub fn refuse_uri(uri: &Uri) -> Option<Response> {
    let query_bytes = uri.query().map_or(0, str::len);
    let is_long = uri.path().len().saturating_add(query_bytes) > URI_BYTES_MAX;
    is_long.then(|| (StatusCode::URI_TOO_LONG, "the address is too long\n").into_response())
}

/// Whether no value in this JSON lies deeper than `depth_max` levels of `[` and `{`. One pass, no
/// allocation, and to be asked before parsing: a parser that recurses could run out of stack, and
/// one that does not would build the whole tree.
///
/// Bytes that are not JSON may get either answer; the parser refuses them.
#[must_use]
pub fn json_depth_ok(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        if escaped {
            escaped = false;
            continue;
        }
        match (byte, in_string) {
            (b'\\', true) => escaped = true,
            (b'"', _) => in_string = !in_string,
            (b'[' | b'{', false) => depth += 1,
            (b']' | b'}', false) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return false;
        }
    }
    true
}

async fn read(request: Request, bytes_max: usize) -> Result<Bytes, BodyProblem> {
    let body = request.into_body();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyProblem::TooLarge { bytes_max });
    }
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(BodyProblem::TooLarge { bytes_max })
        }
        Ok(Err(_)) => Err(BodyProblem::Broken),
        Err(_) => Err(BodyProblem::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use proptest::prelude::*;
    use std::convert::Infallible;
    use tower::ServiceExt;

    use super::*;

    struct Small;

    impl BodyPolicy for Small {
        fn body_bytes_max(&self) -> usize {
            8
        }

        fn refuse_body(&self, problem: BodyProblem) -> Response {
            (StatusCode::BAD_REQUEST, format!("{problem:?}")).into_response()
        }
    }

    struct Usual;

    impl BodyPolicy for Usual {
        fn refuse_body(&self, _: BodyProblem) -> Response {
            StatusCode::BAD_REQUEST.into_response()
        }
    }

    async fn text(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn send(body: Body) -> (u16, String) {
        let router = Router::new()
            .route("/", post(|RawBody(body): RawBody| async move { body }))
            .with_state(Arc::new(Small));
        let request = Request::builder()
            .method("POST")
            .uri("/")
            .body(body)
            .unwrap();
        text(router.oneshot(request).await.unwrap()).await
    }

    /// A body in pieces, whose length is not announced.
    fn in_pieces(pieces: Vec<Result<&'static str, std::io::Error>>) -> Body {
        let frames = pieces.into_iter().map(|piece| {
            piece.map(|text| http_body_util::Full::new(Bytes::from_static(text.as_bytes())))
        });
        Body::new(Pieces(frames.collect()))
    }

    /// A body of which nothing ever comes.
    struct Stalled;

    impl HttpBody for Stalled {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    struct Pieces(std::collections::VecDeque<Result<http_body_util::Full<Bytes>, std::io::Error>>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
            match self.0.pop_front() {
                None => std::task::Poll::Ready(None),
                Some(Err(error)) => std::task::Poll::Ready(Some(Err(error))),
                Some(Ok(mut piece)) => std::pin::Pin::new(&mut piece)
                    .poll_frame(context)
                    .map_err(|never| match never {}),
            }
        }
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_whole() {
        assert_eq!(send(Body::empty()).await, (200, String::new()));
        assert_eq!(
            send(Body::from("12345678")).await,
            (200, "12345678".to_owned())
        );
        let pieces = in_pieces(vec![Ok("1234"), Ok("5678")]);
        assert_eq!(send(pieces).await, (200, "12345678".to_owned()));
    }

    #[tokio::test]
    async fn a_longer_one_gets_the_door_s_answer() {
        let refused = (400, "TooLarge { bytes_max: 8 }".to_owned());
        assert_eq!(send(Body::from("123456789")).await, refused);
        assert_eq!(
            send(in_pieces(vec![Ok("12345678"), Ok("9")])).await,
            refused
        );
    }

    #[tokio::test]
    async fn a_broken_one_gets_the_door_s_answer() {
        let broken = in_pieces(vec![Ok("1"), Err(std::io::Error::other("reset"))]);
        assert_eq!(send(broken).await, (400, "Broken".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_arriving_gets_the_door_s_answer() {
        let begun = tokio::time::Instant::now();
        assert_eq!(send(Body::new(Stalled)).await, (400, "TooSlow".to_owned()));
        assert_eq!(begun.elapsed(), BODY_TIME);
    }

    #[test]
    fn an_address_up_to_the_limit_is_answered() {
        let path = format!("/{}", "a".repeat(URI_BYTES_MAX - 1));
        for (uri, status) in [
            (path.clone(), None),
            (format!("{path}a"), Some(StatusCode::URI_TOO_LONG)),
            (format!("{path}?a"), Some(StatusCode::URI_TOO_LONG)),
        ] {
            let answer = refuse_uri(&uri.parse().unwrap());
            assert_eq!(answer.map(|answer| answer.status()), status);
        }
    }

    #[test]
    fn the_usual_limit_is_64_kib() {
        assert_eq!(Arc::new(Usual).body_bytes_max(), 65_536);
        let refused = Usual.refuse_body(BodyProblem::Broken);
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_gets_the_door_s_answer() {
        let router: Router = Router::new()
            .route("/slow", get(std::future::pending::<&'static str>))
            .route("/fast", get(|| async { "fast" }));
        let late = || (StatusCode::SERVICE_UNAVAILABLE, "late").into_response();
        let router = with_timeout(router, Duration::from_secs(10), late);
        for (path, expected) in [("/slow", (503, "late")), ("/fast", (200, "fast"))] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let (status, body) = text(router.clone().oneshot(request).await.unwrap()).await;
            assert_eq!((status, body.as_str()), expected);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, depth) in [
            ("", 0),
            ("1", 0),
            ("[]", 1),
            ("{}", 1),
            ("[[], [], []]", 2),
            (r#"{"a": {"b": [1]}}"#, 3),
            (r#""[[[[""#, 0),
            (r#"["\"[[", "]"]"#, 1),
            (r#"["\\", [1]]"#, 2),
            (r#"["\\\"[[["]"#, 1),
            ("]]]][", 1),
        ] {
            let json = json.as_bytes();
            assert!(json_depth_ok(json, depth), "{json:?}");
            assert!(depth == 0 || !json_depth_ok(json, depth - 1), "{json:?}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(!json_depth_ok(deep.as_bytes(), JSON_DEPTH_MAX));
    }

    fn depth_of(value: &serde_json::Value) -> usize {
        let deepest = match value {
            serde_json::Value::Array(items) => items.iter().map(depth_of).max(),
            serde_json::Value::Object(fields) => fields.values().map(depth_of).max(),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => return 0,
        };
        1 + deepest.unwrap_or(0)
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            r#"[\[\]{}"\\a]*"#.prop_map(Into::into)
        ];
        leaf.prop_recursive(6, 64, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::vec((r#"[\[\]{}"\\a]*"#, inner), 0..4)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn depth_is_that_of_the_parsed_value(value in any_json()) {
            let (json, depth) = (serde_json::to_vec(&value).unwrap(), depth_of(&value));
            prop_assert!(json_depth_ok(&json, depth));
            prop_assert!(depth == 0 || !json_depth_ok(&json, depth - 1));
        }
    }
}
