//! Checkpoints: the text of the note a log signs.

use alloc::string::String;
use core::fmt;

use super::NoteError;
use crate::{Hash, SIZE_MAX};

/// A log's size and root: three lines, no extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, as its checkpoints say. One line, not empty.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root of that many entries.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note: origin, decimal size, base64 root, each line ended by a newline.
    ///
    /// Check the note's signatures first. What it accepts displays as the same text again.
    ///
    /// # Errors
    /// [`NoteError::MalformedCheckpoint`] for anything else: a fourth line, leading zeros, a size
    /// above [`SIZE_MAX`], an empty origin, a control character.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::read(text).ok_or(NoteError::MalformedCheckpoint)
    }

    fn read(text: &str) -> Option<Self> {
        let (origin, rest) = text.split_once('\n')?;
        let (size, rest) = rest.split_once('\n')?;
        let root = Hash::from_base64(rest.strip_suffix('\n')?)?;
        if origin.is_empty() || origin.contains(char::is_control) {
            return None;
        }
        let size = decimal(size).filter(|size| *size <= SIZE_MAX)?;
        Some(Self {
            origin: origin.into(),
            size,
            root,
        })
    }
}

/// The text that is signed: three lines, the last newline included.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}\n{}\n{}",
            self.origin,
            self.size,
            self.root.to_base64()
        )
    }
}

/// ASCII digits without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}
