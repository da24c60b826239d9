//! Adapters of the storage port `engine::ports::store`.
//!
//! [`open`] picks a backend by the scheme of a URL:
//!
//! | URL | backend | survives |
//! |---|---|---|
//! | `memory:` | [`memory::MemoryStore`] | nothing: tests and trials |
//! | `file:PATH` | embedded, one process per directory | crash and power cut |
//!
//! [`conformance`] is the suite every backend runs; [`faulty`] wraps a backend so that tests can
//! make it fail at a chosen commit.

pub mod cache;
mod clock;
pub mod conformance;
pub mod embedded;
pub mod faulty;
mod limits;
pub mod memory;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::Store;

pub use clock::{Clock, SteadyClock, steady_clock, system_clock};

use embedded::EmbeddedStore;
use memory::MemoryStore;

/// Settings of [`open`]. The default suits a small server.
#[derive(Clone)]
pub struct Options {
    /// Bytes of records kept in memory for reads that may be slightly stale; 0 keeps none.
    /// Default 64 MiB.
    pub cache_bytes: u64,
    /// Bytes of blocks that the embedded engine keeps in memory. Default 32 MiB.
    pub engine_cache_bytes: u64,
    /// Free bytes on the disk below which the embedded store refuses writes. Default: 64 MiB, or
    /// a sixteenth of a disk smaller than 1 GiB.
    pub reserve_bytes: Option<u64>,
    /// Longest wait for a place in the commit queue. Default 2 s.
    pub queue_wait: Duration,
    /// Longest wait for a batch in the queue to be durable. Default 10 s.
    pub commit_wait: Duration,
    /// What `now` answers. Default: the clock of whatever holds the rows.
    pub clock: Option<Clock>,
    /// Most connections to a database. Default 16.
    pub connections: u32,
    /// PEM file of a certificate authority to check a database's certificate with.
    pub ca_file: Option<PathBuf>,
    /// File whose first line is the password for a database.
    pub password_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            engine_cache_bytes: 32 << 20,
            reserve_bytes: None,
            queue_wait: Duration::from_secs(2),
            commit_wait: Duration::from_secs(10),
            clock: None,
            connections: 16,
            ca_file: None,
            password_file: None,
        }
    }
}

/// Why a store was not opened. Nothing was changed, except that a missing directory was made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no backend.
    #[error("unknown store url {0:?}; known are memory: and file:PATH")]
    UnknownScheme(String),
    /// Another process has the store open.
    #[error("the store in {} is in use by process {}", path.display(), name(*holder))]
    Held {
        /// The store's directory.
        path: PathBuf,
        /// Its process id, as that process wrote it; `None` if it could not be read.
        holder: Option<u32>,
    },
    /// A later release wrote the store.
    #[error(
        "the store in {} has format {found}, this release reads up to {known}: run the release \
         that wrote it, or a later one", path.display()
    )]
    NewerFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this release knows.
        known: u32,
    },
    /// The directory holds something else.
    #[error("{} is not empty and not a store: name an empty or absent directory", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the store cannot be read as what it should be.
    #[error(
        "{} is damaged{}: {said}; restore a backup", path.display(), place(*offset)
    )]
    Damaged {
        /// The damaged file, or the engine's directory if it does not say which.
        path: PathBuf,
        /// First unreadable byte, if known.
        offset: Option<u64>,
        /// What was wrong.
        said: String,
    },
    /// The operating system refused something.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Opening was cut short because the server is stopping.
    #[error("opening the store was cut short")]
    Interrupted,
}

/// Opens the store a URL names; makes an embedded one if its directory is absent or empty.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(url: &str, options: Options) -> Result<Arc<dyn Store>, OpenError> {
    if url == "memory:" {
        let clock = options.clock.unwrap_or_else(system_clock);
        return Ok(Arc::new(MemoryStore::with_clock(clock)));
    }
    let Some(path) = url.strip_prefix("file:").filter(|path| !path.is_empty()) else {
        return Err(OpenError::UnknownScheme(url.to_owned()));
    };
    let path = Path::new(path).to_owned();
    let opening = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path, options));
    match opening.await {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(_) => Err(OpenError::Interrupted),
    }
}

fn name(holder: Option<u32>) -> String {
    holder.map_or_else(|| "(unknown)".to_owned(), |holder| holder.to_string())
}

fn place(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}
