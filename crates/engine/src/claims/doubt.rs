//! Avatars whose change got no answer from the store (`tx::Doubts`), for the index of claims.

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::READ_KEYS_MAX;

use super::follow::load;

/// Looks all of them up once, and drops those of which nothing more can come. One round trip for each
/// 1,024 of them, none without any.
///
/// # Errors
/// Our own failures only; then all of them stay.
pub(crate) async fn look(engine: &Engine) -> Result<(), Internal> {
    let (doubts, now) = (engine.claim_doubts(), engine.ports().timer.monotonic());
    if doubts.is_load_due(now) {
        load(engine).await?;
        doubts.loaded(now);
    }
    for part in doubts.keys().chunks(READ_KEYS_MAX) {
        let rows = engine.claims().avatar_rows(part).await?;
        for (label, row) in part.iter().zip(rows) {
            if let Some(row) = row {
                engine.claim_index().apply(*label, &row);
            }
        }
    }
    doubts.settle(now);
    Ok(())
}
