//! The map, replayed from the links.

use std::collections::BTreeMap;

use merkle::Hash;
use merkle::entry::LogEntry;
use merkle::map::{MapBatch, PageId};

use super::{AuditFault, Finding, fault};

/// Links held back at most before they are put into the map.
const PENDING_MAX: usize = 4096;

/// The map so far, and the links since its last root.
#[derive(Default)]
pub(super) struct MapReplay {
    pages: BTreeMap<PageId, Box<[u8]>>,
    root: Hash,
    pending: Vec<(u64, LogEntry)>,
    links: u64,
    labels: u64,
    head_time_ms: u64,
    after_head: bool,
}

impl MapReplay {
    /// Takes a link; a fault may be found later.
    pub(super) fn link(&mut self, index: u64, entry: LogEntry) -> Result<(), AuditFault> {
        self.after_head = false;
        self.pending.push((index, entry));
        if self.pending.len() >= PENDING_MAX {
            self.settle()?;
        }
        Ok(())
    }

    /// Checks a map head against the links before it.
    pub(super) fn head(&mut self, index: u64, entry: &LogEntry) -> Result<(), AuditFault> {
        self.settle()?;
        if entry.commitment != self.root {
            return Err(fault(index, Finding::MapRoot));
        }
        if entry.time_ms < self.head_time_ms {
            return Err(fault(index, Finding::Time));
        }
        self.head_time_ms = entry.time_ms;
        self.after_head = true;
        Ok(())
    }

    /// Puts the links that wait into the map.
    pub(super) fn settle(&mut self) -> Result<(), AuditFault> {
        let pending = std::mem::take(&mut self.pending);
        let labels = pending.iter().map(|(_, entry)| entry.label).collect();
        let mut batch = self.load(labels);
        let mut newest: BTreeMap<Hash, (u32, Hash)> = BTreeMap::new();
        for (index, entry) in pending {
            let before = newest.get(&entry.label).map(|(seqno, _)| *seqno);
            let before = before.or_else(|| batch.current(&entry.label).map(|leaf| leaf.seqno));
            let expected = before.map_or(1, |seqno| u64::from(seqno) + 1);
            let found = entry.seqno;
            if u64::from(found) != expected {
                return Err(fault(index, Finding::Sequence { expected, found }));
            }
            self.links += 1;
            self.labels += u64::from(found == 1);
            newest.insert(entry.label, (found, entry.commitment));
        }
        for (label, (seqno, commitment)) in newest {
            batch
                .set(&label, seqno, commitment)
                .expect("the label was loaded above");
        }
        let change = batch.finish().expect("every page was supplied");
        self.root = change.root;
        let pages = change.pages.into_iter();
        self.pages
            .extend(pages.map(|(id, page)| (id, page.into_boxed_slice())));
        Ok(())
    }

    /// The root after the links that were settled.
    pub(super) const fn root(&self) -> Hash {
        self.root
    }

    /// How many links were settled.
    pub(super) const fn links(&self) -> u64 {
        self.links
    }

    /// How many chains they belong to.
    pub(super) const fn labels(&self) -> u64 {
        self.labels
    }

    /// Whether no link came after the last map head.
    pub(super) const fn ends_with_head(&self) -> bool {
        self.after_head
    }

    /// A batch over these labels, all pages loaded. The pages are of our own making, so that none is
    /// missing or malformed.
    fn load(&self, labels: Vec<Hash>) -> MapBatch {
        let mut batch = MapBatch::load(labels);
        loop {
            let wanted = batch.wanted();
            if wanted.is_empty() {
                return batch;
            }
            for id in wanted {
                let page = self.pages.get(&id).map(AsRef::as_ref);
                batch
                    .supply(id, page)
                    .expect("the replayed map holds the pages it names");
            }
        }
    }
}
