//! The data directory: its lock, its format file, and how a new one is made.
//!
//! | file | holds |
//! |---|---|
//! | `format` | `sealbook store 1`: written last when a store is made, so what has it is whole |
//! | `format.new` | the same, while a store is being made: what is beside it may be thrown away |
//! | `lock` | the process id of the holder; the lock itself is `flock`, so it dies with the process |
//! | `commits` | see the module `marks` |
//! | `fjall/` | the engine's own files |
//! | `tail-*` | the end of a journal that was cut although acknowledged commits are missing |

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::marks;
use crate::OpenError;

pub(crate) const ENGINE_DIR: &str = "fjall";
const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_NEW_FILE: &str = "format.new";
const FORMAT_WORDS: &str = "sealbook store ";
const FORMAT: u32 = 1;
const OWNER_ONLY: u32 = 0o700;

/// Whether a directory holds a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Nothing, or a store whose making was interrupted before anybody used it.
    Nothing,
    /// A store of our format.
    Store,
}

/// A data directory that this process holds the lock of.
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Takes the lock; makes the directory itself if it is absent, for its owner only: hidden
    /// names and hashed passwords are in it.
    pub(crate) fn take(path: &Path) -> Result<(Self, Holds), OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(OWNER_ONLY)
            .create(path)
            .map_err(failed("make the directory", path))?;
        inspect(path)?;
        let lock = lock(path)?;
        // Again, because another process may have made a store until the lock was ours.
        let holds = inspect(path)?;
        Ok((
            Self {
                path: path.to_owned(),
                _lock: lock,
            },
            holds,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn engine(&self) -> PathBuf {
        self.path.join(ENGINE_DIR)
    }

    /// Announces that a store is being made, and removes what an interrupted making left.
    pub(crate) fn begin(&self) -> io::Result<()> {
        let mut file = File::create(self.path.join(FORMAT_NEW_FILE))?;
        writeln!(file, "{FORMAT_WORDS}{FORMAT}")?;
        file.sync_all()?;
        sync_dir(&self.path)?;
        ignore_absent(fs::remove_dir_all(self.engine()))?;
        ignore_absent(fs::remove_file(self.path.join(marks::FILE)))
    }

    /// Declares the store made.
    pub(crate) fn finish(&self) -> io::Result<()> {
        fs::rename(self.path.join(FORMAT_NEW_FILE), self.path.join(FORMAT_FILE))?;
        sync_dir(&self.path)?;
        self.path.canonicalize()?.parent().map_or(Ok(()), sync_dir)
    }
}

/// Whether a store was made in `path`.
pub(crate) fn exists(path: &Path) -> bool {
    path.join(FORMAT_FILE).exists()
}

/// Says what a directory holds, without changing it.
///
/// # Errors
/// `NotAStore`, `NewerFormat`, or `Io`.
pub(crate) fn inspect(path: &Path) -> Result<Holds, OpenError> {
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => return known_format(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return not_a_store(path),
        Err(error) => return Err(failed("read the format of", path)(error)),
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        names.push(entry.map_err(failed("list", path))?.file_name());
    }
    let interrupted = names.iter().any(|name| name == FORMAT_NEW_FILE);
    if interrupted || names.iter().all(|name| name == LOCK_FILE) {
        return Ok(Holds::Nothing);
    }
    not_a_store(path)
}

fn known_format(path: &Path, text: &str) -> Result<Holds, OpenError> {
    let number = text
        .strip_prefix(FORMAT_WORDS)
        .and_then(|rest| rest.trim_end().parse().ok());
    match number {
        Some(FORMAT) => Ok(Holds::Store),
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        _ => not_a_store(path),
    }
}

fn not_a_store(path: &Path) -> Result<Holds, OpenError> {
    Err(OpenError::NotAStore {
        path: path.to_owned(),
    })
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let name = path.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(failed("open", &name))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&name).unwrap_or_default();
            let holder = holder.trim().parse().ok();
            return Err(OpenError::Held {
                path: path.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &name)(error)),
    }
    file.set_len(0).map_err(failed("write", &name))?;
    writeln!(file, "{}", std::process::id()).map_err(failed("write", &name))?;
    Ok(file)
}

/// Makes entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Turns an input or output error into an [`OpenError`] that says what was attempted.
pub(crate) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { what, path, source }
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
