//! Names at other domains.

use std::time::Duration;

use async_trait::async_trait;

use crate::types::{Domain, Name, ToxId};

/// Asks the server of another domain for one of its names.
#[async_trait]
pub trait RemoteNames: Send + Sync {
    /// The Tox ID of a name; `None` when that server says that there is no such name. At most one
    /// request leaves; it names no domain, so that the other server has nobody to ask in turn. It ends
    /// `within` that time, waiting for a turn of our own included. What it answers is well formed, and
    /// believed: nothing proves it.
    ///
    /// # Errors
    /// See [`RemoteFault`].
    async fn lookup(
        &self,
        domain: &Domain,
        name: &Name,
        within: Duration,
    ) -> Result<Option<ToxId>, RemoteFault>;
}

/// Why a name at another domain is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteFault {
    /// The domain is of a network that strangers may not have us ask.
    #[error("the domain is not on the public network")]
    Forbidden,
    /// No connection, no trusted certificate, or no answer in time.
    #[error("the domain's server cannot be reached")]
    Unreachable,
    /// The answer is none to this question.
    #[error("the domain's server talks nonsense")]
    Nonsense,
    /// Too much is being asked already: the time went by while we waited for a turn of our own. It
    /// says nothing of the domain.
    #[error("too many look-ups are under way")]
    Busy,
    /// Our own failure.
    #[error("the look-up failed on our side: {0}")]
    Ours(&'static str),
}
