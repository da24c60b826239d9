//! Which processes run over a store.

use crate::ports::store::{Direction, Freshness, Store, StoreError};
use crate::tables::LEASES;

/// The processes that run over a store now, as an operator can tell them apart; none for a store
/// that one process has to itself. One scan and a look at the store's clock.
///
/// # Errors
/// As [`Store::scan`].
pub(crate) async fn processes(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    if !store.is_shared() {
        return Ok(Vec::new());
    }
    let rows = store
        .scan(LEASES.range(&[]), Direction::Forward, 1000, Freshness::Now)
        .await?;
    let now = store.now().await?;
    let mut live = Vec::new();
    for (_, _, row) in rows {
        let row = LEASES.read(&row)?;
        if row.until_ms > now.0 {
            let id: String = row
                .holder
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            live.push(format!("process {id}"));
        }
    }
    live.dedup();
    Ok(live)
}
