//! Which processes run over a store.

use std::sync::Arc;

use crate::error::Internal;
use crate::limits::PROCESS_LIFE;
use crate::ports::store::Store;
use crate::processes;

/// The processes that run over a store now, as an operator can tell them apart; none for a store
/// that one process has to itself.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn processes(store: &Arc<dyn Store>) -> Result<Vec<String>, Internal> {
    if !store.is_shared() {
        return Ok(Vec::new());
    }
    let live = processes::list(store).await?;
    Ok(live
        .iter()
        .filter(|process| process.seen_ago < PROCESS_LIFE)
        .map(|process| format!("process {}", process.id))
        .collect())
}
