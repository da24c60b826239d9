//! `.tlog-proof` files: an offline proof that one entry stands in a log.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>            (only if there is extra data)
//! index <n>
//! <base64 hash>             (the inclusion path, from the leaf's sibling up)
//!
//! <checkpoint note>
//! ```

use alloc::vec::Vec;
use core::fmt;

use data_encoding::BASE64;

use crate::note::{Checkpoint, NOTE_LEN_MAX, Note, NoteError, decimal};
use crate::proof::{ProofError, verify_inclusion};
use crate::{Hash, SIZE_MAX, from_base64};

/// The largest file that is read, in bytes.
pub const PROOF_FILE_LEN_MAX: usize = 2 * NOTE_LEN_MAX;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const PATH_LEN_MAX: usize = 63;

/// The parts of a `.tlog-proof` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Bytes of the application's own, not authenticated by anything in the file.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry in the log, from 0.
    pub index: u64,
    /// The inclusion path for the tree of the checkpoint.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

/// Why bytes are not a proof file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFileError {
    /// Longer than [`PROOF_FILE_LEN_MAX`].
    TooLong,
    /// The lines before the checkpoint are not of the form.
    Malformed,
    /// The checkpoint is not a signed note.
    Note(NoteError),
}

impl fmt::Display for ProofFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the proof file is too long",
            Self::Malformed => "malformed proof file",
            Self::Note(_) => "malformed checkpoint in proof file",
        })
    }
}

impl core::error::Error for ProofFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Note(error) => Some(error),
            Self::TooLong | Self::Malformed => None,
        }
    }
}

impl ProofFile {
    /// Reads a file. What it accepts displays as the same bytes again; nothing is verified.
    ///
    /// # Errors
    /// [`ProofFileError`] for anything but the form above with canonical numbers and base64.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        if bytes.len() > PROOF_FILE_LEN_MAX {
            return Err(ProofFileError::TooLong);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| ProofFileError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofFileError::Malformed)?;
        let (extra, index, path) = parse_head(head).ok_or(ProofFileError::Malformed)?;
        let checkpoint = Note::parse(note.as_bytes()).map_err(ProofFileError::Note)?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint,
        })
    }

    /// Checks the path from a leaf hash to the root in the checkpoint's text, and answers it.
    ///
    /// The checkpoint's signatures are the caller's to check first: [`Note::verify_with`].
    ///
    /// # Errors
    /// [`ProofError::Malformed`] when the note is no checkpoint, else as [`verify_inclusion`].
    pub fn verify(&self, leaf: &Hash) -> Result<Checkpoint, ProofError> {
        let tree = Checkpoint::parse(&self.checkpoint.text).map_err(|_| ProofError::Malformed)?;
        verify_inclusion(self.index, tree.size, leaf, &self.path, &tree.root)?;
        Ok(tree)
    }
}

/// The file's text.
impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint.format())
    }
}

type Head = (Option<Vec<u8>>, u64, Vec<Hash>);

fn parse_head(head: &str) -> Option<Head> {
    let mut lines = head.split('\n').peekable();
    if lines.next()? != HEADER {
        return None;
    }
    let extra = match lines.next_if(|line| line.starts_with("extra ")) {
        Some(line) => Some(from_base64(line.strip_prefix("extra ")?)?),
        None => None,
    };
    let index = decimal(lines.next()?.strip_prefix("index ")?).filter(|n| *n < SIZE_MAX)?;
    let path: Vec<Hash> = lines
        .take(PATH_LEN_MAX + 1)
        .map(Hash::from_base64)
        .collect::<Option<_>>()?;
    (path.len() <= PATH_LEN_MAX).then_some((extra, index, path))
}
