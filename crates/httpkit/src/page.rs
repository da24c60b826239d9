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
/// The address names these very bytes: others would have another.
const LASTING: HeaderValue = HeaderValue::from_static("public, max-age=86400");
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

    /// The query that names this version, `v=` and 16 hex digits.
    #[must_use]
    pub fn query(&self) -> String {
        format!("v={:016x}", self.version)
    }

    /// Kept by browsers for a day when it was asked for by [`StaticFile::query`], as pages do, so that
    /// they never meet an old one; else as [`kept`] says.
    #[must_use]
    pub fn answer(&self, asked: &HeaderMap, query: Option<&str>) -> Response {
        let is_named = query == Some(self.query().as_str());
        let tag = format!("{:016x}", self.version);
        kept(asked, (self.kind, &tag), is_named, Body::from(self.bytes))
    }
}

/// An answer that browsers keep, with its content type and tag: for a day when its address names what
/// it holds, as then nothing else can ever be there; else they ask each time whether it is still the
/// same, and are told so by 304. `tag` has neither quotes nor anything but ASCII.
#[must_use]
pub fn kept(
    asked: &HeaderMap,
    (kind, tag): (&'static str, &str),
    is_named: bool,
    body: Body,
) -> Response {
    let tag = format!("\"{tag}\"");
    let (status, body) = if has_tag(asked, &tag) {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, body)
    };
    let kind = HeaderValue::from_static(kind);
    let life = if is_named { LASTING } else { FRESH };
    let mut response =
        (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, life)], body).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Whether the client has what this tag is of. Proxies that compress make tags weak.
fn has_tag(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
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
        let first = FILE.answer(&asked, None);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers().get(ETAG).unwrap().clone();
        assert_eq!(
            first.into_body().collect().await.unwrap().to_bytes(),
            "a {}"
        );
        let text = tag.to_str().unwrap();
        for (known, expected) in [
            (text.to_owned(), 304),
            (format!("W/{text}"), 304),
            (format!("\"0\", {text}"), 304),
            ("*".to_owned(), 304),
            ("\"0\"".to_owned(), 200),
            (text.trim_matches('"').to_owned(), 200),
        ] {
            asked.insert(IF_NONE_MATCH, known.parse().unwrap());
            let again = FILE.answer(&asked, None);
            assert_eq!(again.status(), expected, "{known}");
            assert_eq!(again.headers().get(ETAG), Some(&tag));
        }
    }

    #[test]
    fn only_an_address_that_names_the_bytes_is_kept() {
        const FILE: StaticFile = StaticFile::new("text/css; charset=utf-8", b"a {}");
        let own = FILE.query();
        let with_more = format!("{own}&x=1");
        for (query, expected) in [
            (Some(own.as_str()), "public, max-age=86400"),
            (Some("v=0000000000000000"), "no-cache"),
            (Some(with_more.as_str()), "no-cache"),
            (Some(""), "no-cache"),
            (None, "no-cache"),
        ] {
            let answer = FILE.answer(&HeaderMap::new(), query);
            assert_eq!(answer.headers()[CACHE_CONTROL], expected, "{query:?}");
        }
    }

    #[test]
    fn versions_differ() {
        // The published test vectors of FNV-1a.
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
