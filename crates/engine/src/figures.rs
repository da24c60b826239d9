//! What a process knows of its work by counting, at no cost and without a look into the store: for
//! metrics.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::Engine;

/// The numbers of one moment. Counts are since this process opened the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Names that anybody may search, on all processes; those loaded so far at the start.
    pub names_searchable: u64,
    /// Names that are not found by searching.
    pub names_private: u64,
    /// Links that this process knows to wait for their place in the log. One that does not lead
    /// knows of none.
    pub log_pending: u64,
    /// Size of the newest published head.
    pub log_size: u64,
    /// Age of the newest published head. A log without changes gets no new heads.
    pub checkpoint_age: Duration,
    /// Look-ups answered.
    pub lookups: u64,
    /// Claims, on all processes; those that came since the start while the index is loading.
    pub claims: u64,
    /// Posts and drafts of claims refused by a limit on their address.
    pub claims_limited: u64,
    /// Pushes and form posts refused by a limit on their address.
    pub pushes_limited: u64,
    /// Guesses of an edit password refused by the limit on their name.
    pub edit_passwords_limited: u64,
    /// Look-ups at other domains this process refused, by the address's allowance.
    pub remote_lookups_limited: u64,
}

impl Engine {
    /// The numbers of this moment. Two short locks, no read of the store.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (names_searchable, names_private) = self.name_index().by_visibility();
        let head = self.log().head();
        let refused = self.flood().refused();
        Figures {
            names_searchable,
            names_private,
            log_pending: self.pending().len() as u64,
            log_size: head.size,
            checkpoint_age: self.now().since(head.time),
            lookups: self.lookups(),
            claims: self.claim_index().total(),
            claims_limited: refused.claims.load(Ordering::Relaxed),
            pushes_limited: refused.pushes.load(Ordering::Relaxed),
            remote_lookups_limited: refused.remote_lookups.load(Ordering::Relaxed),
            edit_passwords_limited: refused.edit_passwords.load(Ordering::Relaxed),
        }
    }
}
