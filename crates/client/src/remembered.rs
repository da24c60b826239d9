//! The newest checkpoint seen of each log, kept in a directory of files.
//!
//! A signature says that a log once was so. Only memory shows that it went back, or that it tells
//! others another story: each new checkpoint must contain the one before. The first key seen of an
//! origin is trusted from then on.
//!
//! A file holds `{"vkey", "note"}` and is named after the SHA-256 of the origin, in hex. It is
//! replaced as a whole: written beside, synced, renamed, and the directory synced.

pub(crate) mod files;

use std::error::Error;
use std::future::Future;
use std::path::{Path, PathBuf};

use merkle::Hash;
use merkle::note::{Checkpoint, VerifierKey};
use merkle::proof::{ProofError, verify_consistency};

use crate::checkpoint::{self, CheckpointError};

use files::Files;

/// Who can prove that one log contains another.
pub trait ConsistencySource: Sync {
    /// Why a proof could not be had.
    type Error: Error + Send + Sync + 'static;

    /// The proof that the log of `first` entries is a prefix of that of `second`.
    fn consistency(
        &self,
        first: u64,
        second: u64,
    ) -> impl Future<Output = Result<Vec<Hash>, Self::Error>> + Send;
}

/// A directory of remembered checkpoints. Several processes may share it.
#[derive(Clone, Debug)]
pub struct Memory(Files);

/// What is remembered of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The key its checkpoints verify with.
    pub key: VerifierKey,
    /// The newest one accepted.
    pub note: String,
}

/// How a checkpoint was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Nothing was known of the log: its key and its word were taken on trust.
    First,
    /// It is the one that was known.
    Same,
    /// It contains the one that was known.
    Grown {
        /// Entries of the one that was known.
        from: u64,
    },
}

/// Two notes that cannot both be true, each signed by the log's key. To be kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What was remembered.
    pub known: String,
    /// What was offered.
    pub offered: String,
}

/// Why a checkpoint was not accepted. What was remembered stays.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The note is not a checkpoint of the log whose key was offered.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log was known by another key.
    #[error("the log's key has changed from {known} to {offered}")]
    KeyChanged {
        /// The key it was known by.
        known: String,
        /// The key that was offered.
        offered: String,
    },
    /// The log is smaller than it was: an old backup, or somebody shows an old state.
    #[error("the log went back: it is smaller than the one seen before")]
    Rollback(Box<Conflict>),
    /// The log is not the one it was: same size and another root, or no proof that it contains it.
    #[error("the log was rewritten: it does not contain the one seen before")]
    Fork {
        /// Both notes.
        conflict: Box<Conflict>,
        /// Why the proof does not hold; `None` when the sizes are equal, where none is needed.
        #[source]
        proof: Option<ProofError>,
    },
    /// No proof could be had: nothing is said about the log.
    #[error("no proof that the log contains the one seen before")]
    NoProof(#[source] Box<dyn Error + Send + Sync>),
    /// A file cannot be read or written.
    #[error("cannot keep {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what was written: somebody changed it.
    #[error("{path} is damaged; what it remembered of the log is lost")]
    Damaged {
        /// Which one.
        path: PathBuf,
    },
}

impl Memory {
    /// A memory in this directory, which is created when first needed.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self(Files::new(directory))
    }

    /// What is remembered of the log with this origin.
    ///
    /// # Errors
    /// `File` or `Damaged`.
    pub fn known(&self, origin: &str) -> Result<Option<Remembered>, MemoryError> {
        self.0.read(origin)
    }

    /// Accepts a checkpoint, or says why not. `source` is asked for a proof only when the log has
    /// grown. File operations block; they are few and small.
    ///
    /// # Errors
    /// See [`MemoryError`].
    pub async fn accept(
        &self,
        key: &VerifierKey,
        note: &[u8],
        source: &impl ConsistencySource,
    ) -> Result<Accepted, MemoryError> {
        let origin = key.name().as_str();
        loop {
            let known = self.0.read(origin)?;
            if let Some(known) = known.as_ref().filter(|known| known.key != *key) {
                return Err(MemoryError::KeyChanged {
                    known: known.key.to_string(),
                    offered: key.to_string(),
                });
            }
            let new = Seen::read(key, note)?;
            let accepted = match &known {
                Some(known) => {
                    new.follows(&Seen::read(key, known.note.as_bytes())?, source)
                        .await?
                }
                None => Accepted::First,
            };
            let remembered = Remembered {
                key: key.clone(),
                note: new.note,
            };
            // Another process may have accepted one meanwhile: then it is to be compared with that.
            if accepted == Accepted::Same || self.0.replace(origin, known.as_ref(), &remembered)? {
                return Ok(accepted);
            }
        }
    }
}

/// A checkpoint and the note it stands in.
struct Seen {
    checkpoint: Checkpoint,
    note: String,
}

impl Seen {
    fn read(key: &VerifierKey, note: &[u8]) -> Result<Self, MemoryError> {
        Ok(Self {
            checkpoint: checkpoint::verify(note, key)?,
            // What was verified is UTF-8.
            note: String::from_utf8_lossy(note).into_owned(),
        })
    }

    async fn follows(
        &self,
        known: &Self,
        source: &impl ConsistencySource,
    ) -> Result<Accepted, MemoryError> {
        let (old, new) = (&known.checkpoint, &self.checkpoint);
        if new.size < old.size {
            return Err(MemoryError::Rollback(self.conflict(known)));
        }
        if new.size == old.size {
            return match new.root == old.root {
                true => Ok(Accepted::Same),
                false => Err(self.fork(known, None)),
            };
        }
        let proof = source.consistency(old.size, new.size).await;
        let proof = proof.map_err(|error| MemoryError::NoProof(Box::new(error)))?;
        verify_consistency(old.size, new.size, &old.root, &new.root, &proof)
            .map_err(|error| self.fork(known, Some(error)))?;
        Ok(Accepted::Grown { from: old.size })
    }

    fn fork(&self, known: &Self, proof: Option<ProofError>) -> MemoryError {
        let conflict = self.conflict(known);
        MemoryError::Fork { conflict, proof }
    }

    fn conflict(&self, known: &Self) -> Box<Conflict> {
        Box::new(Conflict {
            known: known.note.clone(),
            offered: self.note.clone(),
        })
    }
}
