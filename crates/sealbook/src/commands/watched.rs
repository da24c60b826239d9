//! A log that is not to be trusted further than it was seen.

use std::path::Path;

use client::remembered::{Memory, MemoryError};
use client::tlog::LogClient;
use merkle::note::VerifierKey;

use super::remote::Remote;
use super::{known, places};
use crate::failure::{Exit, Failure, chain};

/// A log, its key, and what is remembered of it.
pub(super) struct Watched {
    pub(super) log: LogClient,
    pub(super) key: VerifierKey,
    pub(super) memory: Memory,
}

impl Watched {
    /// The log of a server. Without a key the one first seen at this address is taken; without a
    /// directory, the one of the user's state.
    ///
    /// # Errors
    /// `Unverified` when the server shows another key than the first time.
    pub(super) async fn of(
        remote: &Remote,
        key: Option<&str>,
        state: Option<&Path>,
    ) -> Result<Self, Failure> {
        let state = match state {
            Some(state) => state.to_owned(),
            None => places::state()?,
        };
        let log = remote.log()?;
        let key = match key {
            Some(text) => known::parse(text)?,
            None => {
                let offered = log.key().await;
                let offered = offered.map_err(|error| remote.http(&error))?;
                known::key(&state, log.address(), offered)?
            }
        };
        let memory = Memory::new(&state);
        Ok(Self { log, key, memory })
    }
}

/// What a refused checkpoint means for the process. Both notes are shown: together they prove what
/// the log did.
pub(super) fn unaccepted(error: &MemoryError) -> Failure {
    let said = chain(error);
    match error {
        MemoryError::Checkpoint(_) | MemoryError::KeyChanged { .. } => {
            Failure::new(Exit::Unverified, said)
        }
        MemoryError::Rollback(conflict) | MemoryError::Fork { conflict, .. } => {
            let (known, offered) = (&conflict.known, &conflict.offered);
            let said = format!(
                "{said}. Do not trust its answers; keep these two, and ask its operator\n\
                 seen before:\n{known}\nseen now:\n{offered}"
            );
            Failure::new(Exit::Unverified, said.trim_end())
        }
        MemoryError::NoProof(_) => Failure::new(Exit::Unverified, said),
        MemoryError::File { .. } | MemoryError::Damaged { .. } => Failure::failed(said),
    }
}
