//! What every page is sent with: the headers that confine it, and the files it is made of.

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};

/// Nothing but our own style sheet and pictures, forms that go nowhere else, no frame around it. No
/// script at all. Stricter than a page without scripts needs is not possible.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A page is whatever the newest state makes of it.
pub const FRESH: HeaderValue = HeaderValue::from_static("no-cache");
/// Nothing of this stays anywhere: it has a token or a password in it.
pub const NEVER_STORED: HeaderValue = HeaderValue::from_static("no-store");

/// Adds to every answer of `router` what confines a page: a content security policy without any
/// script, no guessing of types, no opener, and no address for other sites (`same-origin`: with
/// `no-referrer` browsers would not say from where a form comes).
pub fn with_page_headers<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(map_response(confined))
}

/// What [`with_page_headers`] does to one answer.
pub async fn confined(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page of HTML in UTF-8, [`FRESH`].
#[must_use]
pub fn html(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, FRESH)], text).into_response()
}

/// A file that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticFile {
    /// Its content type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// 16 hex digits that change with the bytes.
    pub version: u64,
}

impl StaticFile {
    /// For a file taken in with `include_bytes!`.
    #[must_use]
    pub const fn new(kind: &'static str, bytes: &'static [u8]) -> Self {
        let version = fnv(bytes);
        Self {
            kind,
            bytes,
            version,
        }
    }

    /// Kept by browsers for a day; pages ask for it with its version in the query, so that they never
    /// meet an old one.
    #[must_use]
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = format!("\"{:016x}\"", self.version);
        let is_known = asked
            .get(IF_NONE_MATCH)
            .is_some_and(|value| value == tag.as_str());
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(self.bytes))
        };
        let kind = HeaderValue::from_static(self.kind);
        let kept = HeaderValue::from_static("public, max-age=86400");
        let mut response =
            (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// FNV-1a, 64 bits: tells versions of our own files apart, and nothing else.
const fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        rest = behind;
    }
    hash
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn every_answer_is_confined() {
        let router = Router::new().route("/", get(|| async { html(StatusCode::OK, "x".into()) }));
        for (method, uri) in [("GET", "/"), ("POST", "/")] {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .body(Body::empty());
            let router = with_page_headers(router.clone());
            let response = router.oneshot(request.unwrap()).await.unwrap();
            let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
            assert!(header("content-security-policy").starts_with("default-src 'none';"));
            assert!(!header("content-security-policy").contains("unsafe"));
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("referrer-policy"), "same-origin");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_once() {
        const FILE: StaticFile = StaticFile::new("text/css; charset=utf-8", b"a {}");
        let mut asked = HeaderMap::new();
        let first = FILE.answer(&asked);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers().get(ETAG).unwrap().clone();
        assert_eq!(
            first.into_body().collect().await.unwrap().to_bytes(),
            "a {}"
        );
        asked.insert(IF_NONE_MATCH, tag);
        assert_eq!(FILE.answer(&asked).status(), StatusCode::NOT_MODIFIED);
        asked.insert(IF_NONE_MATCH, HeaderValue::from_static("\"0\""));
        assert_eq!(FILE.answer(&asked).status(), StatusCode::OK);
    }

    #[test]
    fn versions_differ() {
        // The published test vectors of FNV-1a.
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
