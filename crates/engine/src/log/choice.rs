//! What to put into a batch: intents found in the store, and which of them can be sequenced now.

use std::collections::BTreeMap;

use merkle::Hash;
use merkle::entry::EntryKind;
use merkle::map::MapBatch;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::INTENTS_PER_LOOK;
use crate::ports::store::{Key, KeyRange};
use crate::table::behind;
use crate::tables::INTENTS;
use crate::tx::{Queued, scan_table};

/// Adds the intents of the store to the queue: at start-up, after a failure, and for what other
/// processes accept. One scan, or two: a look that does not see all is followed by one that begins
/// where it ended, and goes round, so that no intent has to wait for those before it in key order.
///
/// # Errors
/// Our own failures only.
pub(super) async fn rescan(engine: &Engine) -> Result<(), Internal> {
    let (whole, from) = (INTENTS.range(&[]), engine.sequencer().look_from());
    let first = KeyRange {
        start: from.clone().unwrap_or_else(|| whole.start.clone()),
        end: whole.end.clone(),
    };
    let mut last = read(engine, first, INTENTS_PER_LOOK).await?;
    let left = INTENTS_PER_LOOK.saturating_sub(last.count);
    if let (Some(from), true) = (from, left > 0) {
        let second = KeyRange {
            end: Some(from),
            ..whole
        };
        let wrapped = read(engine, second, left).await?;
        last.count = last.count.saturating_add(wrapped.count);
        last.next = wrapped.next.or(last.next);
    }
    let is_all = last.count < INTENTS_PER_LOOK;
    if is_all {
        engine.pending().caught_up();
    }
    engine.sequencer().looked(last.next.filter(|_| !is_all));
    Ok(())
}

/// What one scan has read.
struct Read {
    count: u32,
    /// Behind its last row.
    next: Option<Key>,
}

async fn read(engine: &Engine, range: KeyRange, limit: u32) -> Result<Read, Internal> {
    let rows = scan_table(&engine.ports().store, &INTENTS, range, limit).await?;
    let next = rows.last().map(|(key, ..)| behind(&INTENTS.key(key)));
    let mut found = Vec::with_capacity(rows.len());
    for (_, _, row) in rows {
        found.push(Queued::read(&row)?);
    }
    let count = u32::try_from(found.len()).unwrap_or(limit);
    engine.pending().add(found);
    Ok(Read { count, next })
}

/// What of the taken entries this batch can do something about.
#[derive(Default)]
pub(super) struct Chosen {
    /// To be sequenced, each label's links in order without a gap.
    pub(super) links: Vec<Queued>,
    /// In the log already.
    pub(super) done: Vec<Queued>,
    /// Their predecessors have not been seen.
    pub(super) early: Vec<Queued>,
}

/// Sorts the taken entries by what the map holds of their labels.
pub(super) fn choose(map: &MapBatch, taken: &[Queued]) -> Chosen {
    let mut waiting: BTreeMap<(Hash, u32), &Queued> = BTreeMap::new();
    for queued in taken {
        waiting.insert((queued.entry.label, queued.entry.seqno), queued);
    }
    let mut chosen = Chosen::default();
    let (mut label, mut last) = (None, 0);
    for ((of, seqno), queued) in waiting {
        if label != Some(of) {
            label = Some(of);
            last = map.current(&of).map_or(0, |leaf| leaf.seqno);
        }
        if seqno <= last {
            chosen.done.push(*queued);
        } else if seqno == last.saturating_add(1) && queued.entry.kind == EntryKind::Link {
            last = seqno;
            chosen.links.push(*queued);
        } else {
            chosen.early.push(*queued);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use merkle::entry::LogEntry;

    use super::*;

    fn entry(label: u8, seqno: u32) -> Queued {
        let entry = LogEntry {
            kind: EntryKind::Link,
            label: Hash([label; 32]),
            seqno,
            commitment: Hash([0xcc; 32]),
            time_ms: 7,
        };
        let is_change = label == 1;
        Queued { entry, is_change }
    }

    /// The map after `leaves`, loaded for `labels`.
    fn map(leaves: &[Queued], labels: &[u8]) -> MapBatch {
        let mut batch = MapBatch::load(leaves.iter().map(|leaf| leaf.entry.label).collect());
        for id in batch.wanted() {
            batch.supply(id, None).unwrap();
        }
        for Queued { entry: leaf, .. } in leaves {
            batch.set(&leaf.label, leaf.seqno, leaf.commitment).unwrap();
        }
        let pages: BTreeMap<_, _> = batch.finish().unwrap().pages.into_iter().collect();
        let mut batch = MapBatch::load(labels.iter().map(|label| Hash([*label; 32])).collect());
        while let Some(id) = batch.wanted().first().copied() {
            batch.supply(id, pages.get(&id).map(Vec::as_slice)).unwrap();
        }
        batch
    }

    #[test]
    fn each_labels_links_are_taken_in_order_from_what_the_map_holds_on() {
        let map = map(&[entry(1, 2), entry(3, u32::MAX)], &[1, 2, 3, 4]);
        let taken = [
            entry(1, 4),
            entry(2, 2),
            entry(1, 3),
            entry(1, 2),
            entry(1, 6),
            entry(1, 3),
            entry(3, u32::MAX),
            entry(4, 1),
        ];
        let chosen = choose(&map, &taken);
        assert_eq!(chosen.links, [entry(1, 3), entry(1, 4), entry(4, 1)]);
        assert_eq!(chosen.done, [entry(1, 2), entry(3, u32::MAX)]);
        assert_eq!(chosen.early, [entry(1, 6), entry(2, 2)]);
    }
}
