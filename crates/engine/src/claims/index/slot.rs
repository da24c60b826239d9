//! One claim in the roll.

use crate::tables::ClaimEntry;

/// A claim.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) member: u32,
    pub(super) service: u16,
    pub(super) identity_bytes: u16,
    pub(super) alt_bytes: u16,
    pub(super) is_live: bool,
    /// Of the bound before its identity.
    pub(super) start: usize,
    pub(super) times: Times,
}

/// What claims are sorted by, besides their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) created_at_ms: u64,
    pub(super) first_seqno: u32,
    pub(super) linked_at_ms: u64,
    pub(super) seqno: u32,
    pub(super) checked_at_ms: u64,
    /// Of the avatar.
    pub(super) activated_at: i64,
}

impl Slot {
    pub(super) fn identity<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let start = self.start.saturating_add(1);
        let end = start.saturating_add(usize::from(self.identity_bytes));
        text.get(start..end).unwrap_or_default()
    }

    pub(super) fn alt_id<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let end = self.end().saturating_sub(1);
        let start = end.saturating_sub(usize::from(self.alt_bytes));
        text.get(start..end).unwrap_or_default()
    }

    /// Behind the bound after its other name.
    pub(super) fn end(&self) -> usize {
        let names = usize::from(self.identity_bytes).saturating_add(usize::from(self.alt_bytes));
        self.start.saturating_add(names).saturating_add(3)
    }
}

impl Times {
    pub(super) fn of(claim: &ClaimEntry, activated_at: i64) -> Self {
        Self {
            created_at_ms: claim.created_at_ms,
            first_seqno: claim.first_seqno,
            linked_at_ms: claim.linked_at_ms,
            seqno: claim.seqno,
            checked_at_ms: claim.checked_at_ms,
            activated_at,
        }
    }
}
