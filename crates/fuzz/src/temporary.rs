//! Files of the process.

use std::path::PathBuf;
use std::sync::OnceLock;

use tempfile::TempDir;

static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// A file of the process; the next input takes its place.
pub(crate) fn written(name: &str, bytes: &[u8]) -> PathBuf {
    // In memory where that is to be had: there are thousands of files a second.
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        folder.expect("a folder for temporary files")
    });
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    path
}
