//! What every request passes, in the order that makes one part see the other.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use crate::around::{self, Answer, Around};
use crate::client_ip::ClientPolicy;
use crate::limits::refuse_uri;
use crate::log::RequestLog;
use crate::panic::with_panics_caught;

/// Wraps the server's whole router, once, after all routes and fallbacks are in it. From outside
/// to inside: who is asking, the request's id and log line, the longest address, and the net under
/// panics.
pub fn wrap(router: Router, clients: Arc<ClientPolicy>, log: Arc<RequestLog>) -> Router {
    around::put(with_panics_caught(router), Stack { clients, log })
}

#[derive(Clone)]
struct Stack {
    clients: Arc<ClientPolicy>,
    log: Arc<RequestLog>,
}

impl Around for Stack {
    fn answer<F>(
        &self,
        mut request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send + 'static
    where
        F: Future<Output = Response> + Send + 'static,
    {
        self.clients.add_context(&mut request);
        let begun = self.log.begin(&mut request);
        let log = Arc::clone(&self.log);
        let answer = Answer::or(refuse_uri(request.uri()), || inner(request));
        async move { log.end(&begun, answer.wait().await) }
    }
}
