//! Every checkpoint the log has signed, for auditors.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::error::Refusal;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    from: u64,
}

#[derive(Serialize)]
struct Page {
    notes: Vec<String>,
    next: Option<u64>,
}

/// `GET /log/checkpoints?from=N`
///
/// Ours: C2SP serves the newest one only. One scan of at most 256 rows.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(parameters) = query?;
    let page = state.engine.log().checkpoints(parameters.from).await?;
    // A page that another follows is settled; the last one still grows.
    let cache = page.next.map_or(answer::REVALIDATE, |_| answer::IMMUTABLE);
    let notes = page.notes.iter().map(note_text).collect();
    let next = page.next;
    Ok(answer::json(cache, Page { notes, next }))
}

/// Notes are signed as UTF-8 text, so nothing is ever replaced here.
fn note_text(note: &Bytes) -> String {
    String::from_utf8_lossy(note).into_owned()
}
