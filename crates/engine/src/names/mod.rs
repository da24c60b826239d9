//! Names: register, update, release, look up, search; and what web forms ask for.

pub(crate) mod doubt;
pub(crate) mod follow;
mod forms;
mod import;
pub(crate) mod index;
mod password;
mod profile;
mod push;
mod read;
mod release;
pub(crate) mod remote;
mod reserved;
mod reset;
mod row;
mod set;

use bytes::Bytes;
use crypto::secret::Secret;

use crate::chain::append::{ChainError, ChainHead};
use crate::dialects::toxme::Fault;
use crate::engine::Engine;
use crate::error::{Internal, Limited};
use crate::ports::keys::SignError;
use crate::ports::store::StoreError;
use crate::rate::GuardError;
use crate::types::{Bio, Domain, Name, ToxId, ToxRecord};

pub use crate::types::Caller;
pub use forms::{AddForm, Edit};
pub use import::{Fate, Imported, LegacyPassword};
pub use profile::{People, Profile};
pub use read::Status;

/// The names service.
pub struct Names<'e>(pub(crate) &'e Engine);

/// A request sealed by a key to the server's.
#[derive(Clone)]
pub struct Sealed {
    /// The X25519 key that sealed it.
    pub sender: [u8; 32],
    /// The box's nonce.
    pub nonce: [u8; 24],
    /// Tag and ciphertext.
    pub ciphertext: Bytes,
}

/// An accepted push, or a name that a form added.
#[derive(Debug)]
pub struct Pushed {
    /// The link that records it.
    pub head: ChainHead,
    /// The edit password of a new record, or of one that was unproven; `None` for any other update,
    /// which keeps the one it has.
    pub password: Option<Secret<String>>,
}

/// One match of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: Name,
    /// Its bio.
    pub bio: Bio,
    /// Whether the key of the Tox ID has sealed or confirmed the record; if not, somebody else gave
    /// it.
    pub is_proven: bool,
}

/// What an address, `name` or `name@domain`, stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A name of the home domain.
    Home(ToxRecord),
    /// A name at another domain.
    Remote(RemoteRecord),
}

/// What the server of another domain says of one of its names. Well formed; nothing proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRecord {
    /// The name.
    pub name: Name,
    /// The domain it is at.
    pub domain: Domain,
    /// Where it points.
    pub tox_id: ToxId,
}

/// Why a name at another domain was not found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Elsewhere {
    /// This server does not ask others.
    #[error("names at other domains are not looked up")]
    Off,
    /// What stands behind the `@` is no domain: an address, a port, a single word.
    #[error("not a domain that can be asked")]
    NotADomain,
    /// The domain is of a network that strangers may not have us ask.
    #[error("the domain is not on the public network")]
    NotPublic,
    /// No connection, no trusted certificate, or no answer in time.
    #[error("the domain's server cannot be reached")]
    Unreachable,
    /// The answer is none to this question.
    #[error("the domain's server talks nonsense")]
    Nonsense,
}

/// Memorabilia with the server's signature in front: 64 + 64 bytes.
pub type Countersigned = [u8; 128];

/// Why a request about a name was refused. A variant for each thing a door answers differently.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The request cannot be read, or was sealed by the wrong key, too old, or seen before.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The address has no attempt left.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// Somebody else holds the name, or released it lately.
    #[error("the name is taken")]
    Taken,
    /// The Tox key is bound to another name.
    #[error("the key is bound to another name")]
    KeyBoundElsewhere,
    /// The name has a character no name may have.
    #[error("the name has a character that is not allowed")]
    Character,
    /// A search page that is no number from 0 on.
    #[error("not a page")]
    Page,
    /// Empty, too long or reserved.
    #[error("not a name anybody may have")]
    Invalid,
    /// What should be a Tox key is none.
    #[error("not a public key")]
    InvalidId,
    /// Not the name's edit password, or no such name.
    #[error("wrong password")]
    WrongPassword,
    /// No such name.
    #[error("unknown name")]
    Unknown,
    /// No name is bound to the key, or none that may be told.
    #[error("no name for this key")]
    UnknownKey,
    /// The name is at another domain, whose server did not tell.
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    /// Too many look-ups at other domains are under way.
    #[error("too many look-ups at other domains are under way")]
    Busy,
    /// The name index is still loading.
    #[error("search is not ready yet")]
    Loading,
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl crate::tx::Refusal for NameError {
    fn internal(&self) -> Option<&Internal> {
        match self {
            Self::Internal(internal) => Some(internal),
            Self::Malformed(_)
            | Self::Limited(_)
            | Self::Taken
            | Self::KeyBoundElsewhere
            | Self::Character
            | Self::Page
            | Self::Invalid
            | Self::InvalidId
            | Self::WrongPassword
            | Self::Unknown
            | Self::UnknownKey
            | Self::Elsewhere(_)
            | Self::Busy
            | Self::Loading => None,
        }
    }
}

impl From<StoreError> for NameError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<GuardError> for NameError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Limited(limited) => Self::Limited(limited),
            GuardError::Internal(internal) => Self::Internal(internal),
        }
    }
}

impl From<SignError> for NameError {
    fn from(error: SignError) -> Self {
        Self::Internal(Internal::new("signing memorabilia", error))
    }
}

impl From<ChainError> for NameError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Internal(internal) => Self::Internal(internal),
            ChainError::OutOfSequence { .. } | ChainError::Full => {
                Self::Internal(Internal::new("appending a link to a name's chain", error))
            }
        }
    }
}

impl From<Fault> for NameError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(what) => Self::Malformed(what),
            Fault::Character => Self::Character,
            Fault::Name => Self::Invalid,
        }
    }
}

impl Names<'_> {
    /// Opens a sealed request.
    fn open(&self, sealed: &Sealed) -> Result<Vec<u8>, NameError> {
        self.0
            .ports()
            .box_key
            .open(&sealed.sender, &sealed.nonce, &sealed.ciphertext)
            .map_err(|_| {
                NameError::Malformed(
                    "the box does not open: it was sealed by another key, or to another server's",
                )
            })
    }
}
