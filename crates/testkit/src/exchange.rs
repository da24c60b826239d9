//! One request and its response as text, for snapshots.

use std::fmt::Write as _;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

/// What came back.
pub struct Exchange {
    /// Request line, chosen headers and body; blank line; status, chosen headers and body.
    pub text: String,
    /// The status.
    pub status: u16,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The response's headers.
    pub headers: http::HeaderMap,
}

/// Response headers that are part of the contract with clients.
const SHOWN: [&str; 8] = [
    "content-type",
    "cache-control",
    "allow",
    "location",
    "set-cookie",
    "retry-after",
    "etag",
    "content-disposition",
];

/// Sends a request through a router.
///
/// # Panics
/// When the router fails, which is a test's failure.
pub async fn exchange(router: &Router, request: Request<Vec<u8>>) -> Exchange {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        let _ = writeln!(text, "{name}: {}", value.to_str().unwrap_or("(binary)"));
    }
    if !request.body().is_empty() {
        let _ = writeln!(text, "\n{}", String::from_utf8_lossy(request.body()));
    }
    let request = request.map(Body::from);
    let response = router
        .clone()
        .oneshot(request)
        .await
        .expect("a router cannot fail");
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .expect("a body in memory")
        .to_bytes()
        .to_vec();
    let response = Response::from_parts(parts, ());
    let _ = writeln!(text, "\n{}", response.status().as_u16());
    for name in SHOWN {
        if let Some(value) = response.headers().get(name) {
            let _ = writeln!(text, "{name}: {}", value.to_str().unwrap_or("(binary)"));
        }
    }
    let _ = write!(text, "\n{}", String::from_utf8_lossy(&body));
    Exchange {
        text,
        status: response.status().as_u16(),
        body,
        headers: response.headers().clone(),
    }
}
