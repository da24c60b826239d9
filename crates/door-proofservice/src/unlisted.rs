//! Requests below our paths that no row of the table answers (ProofService specification,
//! section 1).

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::ROUTES;
use crate::cors::preflight;

/// What all paths of this API but `/healthz` begin with.
const OURS: [&str; 2] = ["/v1/proof", "/v1/subkey"];

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers a method that a listed path does not have: 404, never 405.
pub(crate) async fn wrong_method() -> Response {
    nothing()
}

/// Answers a request that reached no route of the server, if its path looks like one of this API:
/// a preflight, a path with a slash too many, or nothing that is here.
#[must_use]
pub fn unlisted(request: &Request) -> Option<Response> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    if !OURS.iter().any(|ours| uri.path().starts_with(ours)) && uri.path() != "/healthz/" {
        return None;
    }
    let answer = preflight(method, headers)
        .or_else(|| without_slash(method, uri))
        .unwrap_or_else(nothing);
    Some(readable(headers, answer))
}

fn nothing() -> Response {
    let kind = [(CONTENT_TYPE, TEXT)];
    (StatusCode::NOT_FOUND, kind, "404 page not found").into_response()
}

/// Any page may read it.
fn readable(headers: &HeaderMap, mut answer: Response) -> Response {
    use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN as ALLOW, HeaderValue, ORIGIN};
    if headers.contains_key(ORIGIN) {
        let anybody = HeaderValue::from_static("*");
        answer.headers_mut().insert(ALLOW, anybody);
    }
    answer
}

/// Leads to the listed path, query and all. A body is sent again only after 307.
fn without_slash(method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path().strip_suffix('/')?;
    let asked = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let mut routes = ROUTES.iter();
    routes.find(|route| route.method == asked && route.paths.contains(&path))?;
    let to = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let status = if asked == "GET" {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::TEMPORARY_REDIRECT
    };
    Some((status, [(LOCATION, to)]).into_response())
}
