//! The newest signed checkpoint.

use axum::extract::State;
use axum::response::Response;

use crate::answer;

/// `GET /log/checkpoint`
///
/// C2SP tlog-tiles, "Checkpoints". No read: the newest published head is in memory.
pub(crate) async fn handle(State(state): State<crate::State>) -> Response {
    answer::text(answer::NEWEST, state.engine.log().head().note.clone())
}
