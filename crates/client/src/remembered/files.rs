//! The files of a memory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use merkle::note::{NOTE_LEN_MAX, VerifierKey};
use serde::{Deserialize, Serialize};

use super::{MemoryError, Remembered};

/// Longest file that is read, in bytes: a note's quotes and newlines are escaped.
const FILE_BYTES_MAX: u64 = 4 * NOTE_LEN_MAX as u64;

/// Held by whoever replaces a file.
const LOCK: &str = "lock";

/// A directory with one file per log.
#[derive(Clone, Debug)]
pub(super) struct Files(PathBuf);

#[derive(Deserialize, Serialize)]
struct Content {
    vkey: String,
    note: String,
}

impl Files {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.into())
    }

    /// What is kept of a log.
    pub(super) fn read(&self, origin: &str) -> Result<Option<Remembered>, MemoryError> {
        let path = self.path(origin);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MemoryError::File { path, source }),
        };
        let mut bytes = Vec::new();
        if let Err(source) = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes) {
            return Err(MemoryError::File { path, source });
        }
        match parse(&bytes).filter(|kept| kept.key.name().as_str() == origin) {
            Some(kept) => Ok(Some(kept)),
            None => Err(MemoryError::Damaged { path }),
        }
    }

    /// Replaces what is kept of a log, unless it is no longer `known`: then answers false.
    pub(super) fn replace(
        &self,
        origin: &str,
        known: Option<&Remembered>,
        new: &Remembered,
    ) -> Result<bool, MemoryError> {
        let _lock = self.lock().map_err(|source| MemoryError::File {
            path: self.0.join(LOCK),
            source,
        })?;
        if self.read(origin)?.as_ref() != known {
            return Ok(false);
        }
        let path = self.path(origin);
        match self.write(&path, new) {
            Ok(()) => Ok(true),
            Err(source) => Err(MemoryError::File { path, source }),
        }
    }

    /// Waits for its turn; the turn ends when the file is closed.
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.0)?;
        let lock = File::create(self.0.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    fn write(&self, path: &Path, new: &Remembered) -> io::Result<()> {
        let content = Content {
            vkey: new.key.to_string(),
            note: new.note.clone(),
        };
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(&content)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(&self.0)?.sync_all()
    }

    fn path(&self, origin: &str) -> PathBuf {
        let name = HEXLOWER.encode(&crypto::token::sha256(origin.as_bytes()));
        self.0.join(format!("{name}.json"))
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Option<Remembered> {
    let content: Content = serde_json::from_slice(bytes).ok()?;
    let key = VerifierKey::parse(&content.vkey).ok()?;
    // The note has to be one: a damaged file must not look like a changed log.
    crate::checkpoint::verify(content.note.as_bytes(), &key).ok()?;
    Some(Remembered {
        key,
        note: content.note,
    })
}
