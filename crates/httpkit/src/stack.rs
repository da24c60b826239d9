//! The layers every request passes, in the order that makes them see each other.

use std::sync::Arc;

use axum::Router;

use crate::client_ip::{ClientPolicy, with_client_context};
use crate::limits::with_uri_limit;
use crate::log::{RequestLog, with_request_log};
use crate::panic::with_panics_caught;

/// Wraps the server's whole router, once, after all routes and fallbacks are in it. From outside
/// to inside: who is asking, the request's id and log line, the net under panics, and the longest
/// address.
pub fn wrap(router: Router, clients: Arc<ClientPolicy>, log: Arc<RequestLog>) -> Router {
    with_client_context(
        with_request_log(with_panics_caught(with_uri_limit(router)), log),
        clients,
    )
}
