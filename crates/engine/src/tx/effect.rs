//! What a commit means to the process that made it.

use merkle::entry::LogEntry;

use crate::tables::AvatarRow;
use crate::types::{Label, Name, Seqno, UnixMillis, Visibility};

/// What follows from a commit inside this process. Applied once, after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// An entry waits to be sequenced.
    EntryQueued(Queued),
    /// A job waits in the outbox.
    JobQueued,
    /// A name came, changed or went.
    NameChanged(NameChange),
    /// An avatar's claims came, changed or went; this is its row now.
    ClaimsChanged(Label, Box<AvatarRow>),
}

/// An entry that waits to be sequenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) entry: LogEntry,
    /// Whether it gets a number in the feed of changes with its index.
    pub(crate) is_change: bool,
}

/// What became of a name. Its seqno says which of two changes is the newer one, as effects of
/// different units, and what was read from the log, come in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameChange {
    pub(crate) name: Name,
    /// Of the link that records the change.
    pub(crate) seqno: Seqno,
    pub(crate) state: NameState,
}

/// Whether a name is in the directory, and whether search may find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameState {
    Searchable,
    /// Searchable, and on the public list by the time of its last change.
    Listed(UnixMillis),
    Private,
    Gone,
}

impl NameState {
    /// What a name of this visibility is to the index.
    pub(crate) fn of(visibility: Visibility, changed_at: UnixMillis) -> Self {
        match visibility {
            Visibility::Private => Self::Private,
            Visibility::Searchable => Self::Searchable,
            Visibility::Listed => Self::Listed(changed_at),
        }
    }
}

/// Takes the effects of commits.
pub(crate) trait EffectSink: Send + Sync {
    /// Called after the batch is durable, in no particular order between units.
    fn apply(&self, effects: Vec<Effect>);

    /// Called when a batch failed and it is not known whether it will be, or was, applied: these
    /// effects may be due all the same, and whoever keeps them looks in the store until it is sure.
    fn doubt(&self, effects: Vec<Effect>);

    /// Why this process takes no writes, if it takes none.
    fn halted(&self) -> Option<&str>;
}
