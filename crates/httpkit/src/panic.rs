//! The last line of defence: a handler that panics answers 500 and takes nothing else with it.

use std::any::Any;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::fault::Fault;

/// A handler panicked: a bug. The message is the panic's own.
#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {message}")]
struct Panicked {
    message: String,
}

/// Turns a panic in any handler, extractor or inner layer of `router` into a generic 500 that
/// carries a [`Fault`], so that the request log reports it with the request's id.
pub fn with_panics_caught(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(answer))
}

fn answer(payload: Box<dyn Any + Send>) -> Response {
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload
            .downcast_ref::<&'static str>()
            .map_or_else(|| "no message".to_owned(), ToString::to_string),
    };
    let response = (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response();
    Fault::new(Panicked { message }).attach(response)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str) -> Response {
        let router = Router::new()
            .route("/owned", get(|| async { panic_with(7) }))
            .route("/fixed", get(|| async { panic_with(0) }))
            .route("/fine", get(|| async { "fine" }));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        with_panics_caught(router).oneshot(request).await.unwrap()
    }

    fn panic_with(number: u32) -> &'static str {
        assert!(number != 0, "fixed");
        panic!("number {number}");
    }

    #[tokio::test]
    async fn a_panic_is_a_generic_500_with_a_fault() {
        for (path, expected) in [("/owned", "number 7"), ("/fixed", "fixed")] {
            let response = ask(path).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let fault = response.extensions().get::<Fault>().unwrap().to_string();
            assert_eq!(fault, format!("a handler panicked: {expected}"));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "internal error\n");
        }
    }

    #[tokio::test]
    async fn everything_else_passes() {
        let response = ask("/fine").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.extensions().get::<Fault>().is_none());
    }
}
