//! Tracks: a protocol's own numbering over a subject's chain, checked and moved with the link.

use merkle::Hash;

use crate::ports::store::StoreError;
use crate::tables::{TRACKS, TrackRow};
use crate::tx::Tx;
use crate::types::link::TrackStep;
use crate::types::{Label, Seqno};

use super::append::ChainError;

/// Checks that a step continues its track, and moves the track. One read, one write.
///
/// # Errors
/// `OutOfSequence` with the number expected when seqno or prev differ.
pub(crate) async fn advance_in(
    tx: &mut Tx<'_>,
    label: Label,
    step: &TrackStep,
) -> Result<(), ChainError> {
    let key = (label, step.dialect as u8);
    let (expected, prev) = match tx.get(&TRACKS, &key).await? {
        None => (Seqno::FIRST, None),
        Some(row) => {
            let malformed = || StoreError::Corrupt("a track is malformed".into());
            let next = Seqno::new(row.next).ok_or_else(malformed)?;
            (
                next,
                Some(Hash::from_slice(&row.prev).ok_or_else(malformed)?),
            )
        }
    };
    if step.seqno != expected || step.prev != prev {
        return Err(ChainError::OutOfSequence { expected });
    }
    let next = expected.next().ok_or(ChainError::Full)?;
    tx.put(
        &TRACKS,
        &key,
        &TrackRow {
            next: next.get(),
            prev: step.hash.0.to_vec(),
        },
    );
    Ok(())
}
