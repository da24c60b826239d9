//! What pages and browser extensions of other origins may do: everything, as nothing here knows a
//! caller (ProofService specification, section 1).

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ORIGIN,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use httpkit::around::{Answer, Around};

const ANYBODY: HeaderValue = HeaderValue::from_static("*");
const METHODS: &str = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";
const HEADERS: &str = "Origin,Content-Length,Content-Type";
/// 12 h, in seconds.
const MAX_AGE_S: &str = "43200";

/// Answers preflights, and lets a page read every other answer.
#[derive(Clone)]
pub(crate) struct Cors;

impl Around for Cors {
    fn answer<F>(
        &self,
        request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send + 'static
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let has_origin = request.headers().contains_key(ORIGIN);
        let preflight = preflight(request.method(), request.headers());
        let answer = Answer::or(preflight, || inner(request));
        async move {
            let mut response = answer.wait().await;
            if has_origin {
                let headers = response.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY);
            }
            response
        }
    }
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
