//! A log that is not to be trusted further than it was seen.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::remembered::{Accepted, Memory, MemoryError};
use client::tlog::LogClient;
use merkle::note::VerifierKey;

use super::remote::Remote;
use super::{known, places};
use crate::failure::{Exit, Failure, chain};

/// Looks at the log before answer and proof must agree: a change is proven a merge delay after it
/// is answered.
pub(super) const LOOKS: u32 = 24;
/// Pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// How an answer is checked against a log.
#[derive(Args, Clone, Debug)]
pub(super) struct Watch {
    /// Key of the log, as `serve` prints it; default: the one first seen at this address
    #[arg(long, value_name = "KEY", requires = "verify")]
    log_key: Option<String>,
    /// Directory of what is remembered of logs; default: sealbook in the state directory
    #[arg(long, value_name = "DIR", requires = "verify")]
    state: Option<PathBuf>,
}

impl Watch {
    /// The log of a server. Without a key the one first seen at this address is taken; without a
    /// directory, the one of the user's state.
    ///
    /// # Errors
    /// `Unverified` when the server shows another key than the first time.
    pub(super) async fn of(&self, remote: &Remote) -> Result<Watched, Failure> {
        let state = self.state.clone().map_or_else(places::state, Ok)?;
        let log = remote.log()?;
        let key = match &self.log_key {
            Some(text) => known::parse(text)?,
            None => {
                let offered = log.key().await;
                let offered = offered.map_err(|error| remote.http(&error))?;
                known::key(&state, log.address(), offered)?
            }
        };
        let memory = Memory::new(&state);
        Ok(Watched { log, key, memory })
    }
}

/// A log, its key, and what is remembered of it.
pub(super) struct Watched {
    pub(super) log: LogClient,
    pub(super) key: VerifierKey,
    pub(super) memory: Memory,
}

impl Watched {
    /// Remembers a checkpoint that contains the one seen before.
    ///
    /// # Errors
    /// As [`unaccepted`] says.
    pub(super) async fn accept(&self, note: &[u8]) -> Result<Accepted, Failure> {
        let accepted = self.memory.accept(&self.key, note, &self.log);
        accepted.await.map_err(|error| unaccepted(&error))
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

/// What the memory says of the log, in words.
pub(super) fn remembered(accepted: Accepted) -> String {
    match accepted {
        Accepted::First => "first contact: the log is remembered from now on".to_owned(),
        Accepted::Same => "the log is the one seen before".to_owned(),
        Accepted::Grown { from } => format!("the log contains the one seen before, of size {from}"),
    }
}
