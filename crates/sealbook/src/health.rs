//! Whether the process lives, and whether it can do its work: for whoever restarts and balances it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::Engine;
use engine::ports::store::Health;
use serde_json::{Value, json};

/// What the checks look at.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Whether the name index is loaded.
    pub(crate) names_loaded: Arc<AtomicBool>,
}

httpkit::routes! { State;
    get ["/livez"]  => livez;
    get ["/readyz"] => readyz;
}

/// GET /livez
async fn livez() -> &'static str {
    "ok\n"
}

/// GET /readyz
async fn readyz(axum::extract::State(state): axum::extract::State<State>) -> Response {
    let failing = failing(&state);
    let ready = failing.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": ready, "failing": failing });
    (status, Json(body)).into_response()
}

/// The checks that fail, each with its reason.
fn failing(state: &State) -> Vec<Value> {
    let mut failing = Vec::new();
    match state.engine.health() {
        Health::Ready => {}
        Health::WritesPaused(reason) => {
            failing.push(json!({ "check": "writes", "reason": reason }));
        }
        Health::ReadOnly(reason) => {
            failing.push(json!({ "check": "read-only", "reason": reason }));
        }
    }
    if !state.names_loaded.load(Ordering::Acquire) {
        failing.push(json!({ "check": "names", "reason": "the name index is loading" }));
    }
    failing
}
