//! The log's key.

use axum::extract::State;
use axum::response::Response;

use crate::answer;

/// `GET /log/key`
///
/// C2SP signed-note, "Verifier keys": one line. A first contact only; who has a key from elsewhere
/// compares.
pub(crate) async fn handle(State(state): State<crate::State>) -> Response {
    let line = format!("{}\n", state.engine.log().verifier_key());
    answer::text(answer::FIXED, line)
}
