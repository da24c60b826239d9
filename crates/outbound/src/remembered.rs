//! The highest checkpoint this machine has seen, kept outside the store: what tells an old backup
//! from the log that was published.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// Bytes a remembered checkpoint may have: far more than any signed note of ours.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// The file that remembers. Saving replaces its content at once, so a crash leaves the old
/// checkpoint or the new one, never a part of it.
#[derive(Clone, Debug)]
pub struct Remembered {
    path: PathBuf,
}

/// The file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct RememberedError {
    /// What was attempted.
    pub what: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the system answered.
    pub source: io::Error,
}

impl Remembered {
    /// Remembers in this file. Nothing is read or written yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The signed note saved last; `None` when nothing was saved yet. Waits for the disk.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or is far too long to be a checkpoint.
    pub fn load(&self) -> Result<Option<Vec<u8>>, RememberedError> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(data) if data.len() > NOTE_BYTES_MAX => {
                let source = io::Error::other(format!("it has {} bytes", data.len()));
                return Err(self.failed("read")(source));
            }
            Ok(_) | Err(_) => {}
        }
        fs::read(&self.path).map(Some).map_err(self.failed("read"))
    }

    /// Saves a signed note in the place of the last one, durably. Waits for the disk, off the
    /// runtime's threads.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn save(&self, note: Vec<u8>) -> Result<(), RememberedError> {
        let path = self.path.clone();
        let saving = tokio::task::spawn_blocking(move || files::replace(&path, &note));
        saving
            .await
            .unwrap_or_else(|cut_short| Err(io::Error::other(cut_short)))
            .map_err(self.failed("write"))
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(io::Error) -> RememberedError {
        let path = self.path.clone();
        move |source| RememberedError { what, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loads_what_was_saved_last() {
        let dir = tempfile::tempdir().unwrap();
        let remembered = Remembered::at(dir.path().join("checkpoint.latest"));
        assert_eq!(remembered.load().unwrap(), None);
        for note in [b"first".to_vec(), b"second, longer".to_vec(), b"3".to_vec()] {
            remembered.save(note.clone()).await.unwrap();
            assert_eq!(remembered.load().unwrap(), Some(note));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn an_interrupted_save_is_no_hindrance() {
        let dir = tempfile::tempdir().unwrap();
        let remembered = Remembered::at(dir.path().join("checkpoint.latest"));
        fs::write(dir.path().join("checkpoint.latest.new"), "half").unwrap();
        assert_eq!(remembered.load().unwrap(), None);
        remembered.save(b"whole".to_vec()).await.unwrap();
        assert_eq!(remembered.load().unwrap(), Some(b"whole".to_vec()));
    }

    #[tokio::test]
    async fn failures_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let remembered = Remembered::at(dir.path().join("absent/checkpoint.latest"));
        let error = remembered.save(b"note".to_vec()).await.unwrap_err();
        assert!(error.to_string().contains("absent/checkpoint.latest"));

        let long = Remembered::at(dir.path().join("long"));
        fs::write(long.path(), vec![b'a'; 70_000]).unwrap();
        assert!(long.load().unwrap_err().to_string().contains("70000"));
    }
}
