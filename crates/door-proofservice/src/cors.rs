//! What pages and browser extensions of other origins may do: everything, as nothing here knows a
//! caller (ProofService specification, section 1).

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ORIGIN,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const ANYBODY: HeaderValue = HeaderValue::from_static("*");
const METHODS: &str = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";
const HEADERS: &str = "Origin,Content-Length,Content-Type";
/// 12 h, in seconds.
const MAX_AGE_S: &str = "43200";

/// Answers preflights, and lets a page read every other answer.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    if let Some(answer) = preflight(request.method(), request.headers()) {
        return answer;
    }
    let has_origin = request.headers().contains_key(ORIGIN);
    let mut response = next.run(request).await;
    if has_origin {
        response
            .headers_mut()
            .insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY);
    }
    response
}

/// The answer to a browser that asks what it may do; `None` for any other request.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let asks = method == Method::OPTIONS && headers.contains_key(ORIGIN);
    asks.then(|| {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY),
            (
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(METHODS),
            ),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(HEADERS),
            ),
            (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_S)),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    })
}
