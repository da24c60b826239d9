//! What was drafted here lately, to tell a client that mixed two drafts up which of them it has signed.
//! In memory: it only makes a refusal clearer.

use quick_cache::sync::Cache;

use crate::limits::{DRAFTS_OF_AVATAR_MAX, DRAFTS_REMEMBERED_MAX};
use crate::types::{Label, Uuid};

/// Number and time of a draft.
pub(super) type Drafted = (Uuid, i64);

/// The newest drafts of avatars.
pub(crate) struct Drafts(Cache<Label, Vec<Drafted>>);

impl Default for Drafts {
    fn default() -> Self {
        Self(Cache::new(DRAFTS_REMEMBERED_MAX))
    }
}

impl Drafts {
    /// Remembers a draft in place of the avatar's oldest.
    pub(super) fn push(&self, label: Label, draft: Drafted) {
        let mut drafts = self.of(label);
        drafts.insert(0, draft);
        drafts.truncate(DRAFTS_OF_AVATAR_MAX);
        self.0.insert(label, drafts);
    }

    /// The avatar's drafts, newest first.
    pub(super) fn of(&self, label: Label) -> Vec<Drafted> {
        self.0.get(&label).unwrap_or_default()
    }
}
