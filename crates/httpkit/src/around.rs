//! Layers around routes.
//!
//! A router boxes each of its routes and clones it for a request. `axum::middleware::from_fn` clones what it
//! is put around once more, and with it everything further inside: five of them clone the route fifteen
//! times. These call what they are put around where it is, at one allocation a request each.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower::{Layer, Service};

/// What is done before and after a request is answered.
pub trait Around: Clone + Send + Sync + 'static {
    /// Answers a request, by `inner` if it pleases: what the layer is put around. Called for each
    /// request when it begins; what takes time belongs into the future.
    fn answer<F>(
        &self,
        request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send + 'static
    where
        F: Future<Output = Response> + Send + 'static;
}

/// An answer that a layer has at once, or that what it is put around will make.
pub enum Answer<F> {
    /// The layer's own.
    Made(Response),
    /// The other.
    Coming(F),
}

impl<F: Future<Output = Response>> Answer<F> {
    /// The layer's own answer, if there is one; else what `inner` makes.
    pub fn or(made: Option<Response>, inner: impl FnOnce() -> F) -> Self {
        made.map_or_else(|| Self::Coming(inner()), Self::Made)
    }

    /// Waits for it.
    pub async fn wait(self) -> Response {
        match self {
            Self::Made(response) => response,
            Self::Coming(answer) => answer.await,
        }
    }
}

/// Puts a layer around every route of `router`, and its fallbacks.
pub fn put<S>(router: Router<S>, around: impl Around) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(AroundLayer(around))
}

#[derive(Clone)]
struct AroundLayer<A>(A);

impl<A: Clone, I> Layer<I> for AroundLayer<A> {
    type Service = AroundService<A, I>;

    fn layer(&self, inner: I) -> Self::Service {
        AroundService {
            around: self.0.clone(),
            inner,
        }
    }
}

#[derive(Clone)]
struct AroundService<A, I> {
    around: A,
    inner: I,
}

impl<A, I> Service<Request> for AroundService<A, I>
where
    A: Around,
    I: Service<Request, Response = Response, Error = Infallible>,
    I::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inner = &mut self.inner;
        let answer = self.around.answer(request, |request| {
            let answer = inner.call(request);
            async { answer.await.unwrap_or_else(|never| match never {}) }
        });
        Box::pin(async { Ok(answer.await) })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    /// Keeps some out, and marks all answers.
    #[derive(Clone)]
    struct Guard;

    impl Around for Guard {
        fn answer<F>(
            &self,
            request: Request,
            inner: impl FnOnce(Request) -> F,
        ) -> impl Future<Output = Response> + Send + 'static
        where
            F: Future<Output = Response> + Send + 'static,
        {
            let may_pass = request.headers().contains_key("key");
            let refused = (!may_pass).then(|| StatusCode::FORBIDDEN.into_response());
            let answer = Answer::or(refused, || inner(request));
            async {
                let mut response = answer.wait().await;
                response.headers_mut().insert("seen", 1.into());
                response
            }
        }
    }

    #[tokio::test]
    async fn it_sees_the_request_and_the_answer_or_answers_itself() {
        let router = Router::new().route("/", get(|| async { "in" }));
        let router = put(router.fallback(|| async { StatusCode::NOT_FOUND }), Guard);
        for (path, key, status) in [
            ("/", true, 200),
            ("/", false, 403),
            ("/else", true, 404),
            ("/else", false, 403),
        ] {
            let mut request = Request::builder().uri(path);
            if key {
                request = request.header("key", "");
            }
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status);
            assert!(answer.headers().contains_key("seen"), "{path} {key}");
        }
    }
}
