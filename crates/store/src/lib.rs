//! Adapters of the storage port `engine::ports::store`.
//!
//! [`open`] picks a backend by the scheme of a URL:
//!
//! | URL | backend | survives |
//! |---|---|---|
//! | `memory:` | [`memory::MemoryStore`] | nothing: tests and trials |
//! | `file:PATH` | embedded, one process per directory | crash and power cut |
//! | `postgres://…` | [`postgres::PostgresStore`], any number of processes | what the database survives |
//!
//! [`conformance`] is the suite every backend runs.

pub mod cache;
mod clock;
pub mod conformance;
pub mod embedded;
mod files;
mod limits;
pub mod memory;
pub mod parsers;
pub mod postgres;
mod untouched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::Store;

pub use clock::{Clock, SteadyClock, steady_clock, system_clock};
pub use untouched::Untouched;

use embedded::EmbeddedStore;
use memory::MemoryStore;
use postgres::PostgresStore;
pub use postgres::redacted;

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
    /// Connections to a database: four for commits, the others, at least one, for reads.
    /// Default 16.
    pub connections: u32,
    /// Authorities in PEM that may vouch for a database, instead of the system's. Goes before the
    /// URL's `sslrootcert`.
    pub ca_file: Option<PathBuf>,
    /// File with the password for a database; read again for each connection. Goes before the
    /// URL's password.
    pub password_file: Option<PathBuf>,
    /// Told how long each group of batches took to become durable: an embedded store's sync, the
    /// call to a database with its sync. Called by whoever commits, so it must not block.
    pub on_sync: Option<OnSync>,
}

/// Takes the time of one sync.
pub type OnSync = Arc<dyn Fn(Duration) + Send + Sync>;

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
            on_sync: None,
        }
    }
}

/// Why a store was not opened. Nothing was changed, except that a missing directory was made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no backend. Holds it without its password.
    #[error("unknown store url {0:?}; known are memory:, file:PATH and postgres://HOST/DATABASE")]
    UnknownScheme(String),
    /// The URL of a database cannot be used.
    #[error("the store url {url:?} cannot be used: {said}")]
    BadUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        said: String,
    },
    /// No server of the database answers, or none that takes writes.
    #[error("cannot connect to the database: {said}")]
    Unreachable {
        /// What each of them answered.
        said: String,
    },
    /// The database offers no encryption, or a certificate that nobody vouches for.
    #[error(
        "no trusted TLS with the database: {said}; name its authority by store.ca_file, or \
         sslrootcert in the URL, or say sslmode=disable on a network of your own"
    )]
    NotTrusted {
        /// What was wrong.
        said: String,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the authorities to trust: {0}")]
    Authorities(String),
    /// User or password are wrong.
    #[error("cannot log in to the database: {said}")]
    LoginRefused {
        /// What it answered.
        said: String,
    },
    /// The server is there, the database is not.
    #[error("create the database first on {servers}: {said}")]
    NoDatabase {
        /// The servers' names.
        servers: String,
        /// What it answered.
        said: String,
    },
    /// The database refused to make the tables, or to say whether they are there.
    #[error("the database cannot be made ready: {0}")]
    Refused(String),
    /// A later release made the tables.
    #[error(
        "the database has schema {found}, this release reads up to {known}: run the release that \
         made it, or a later one"
    )]
    NewerSchema {
        /// The schema found.
        found: i32,
        /// The newest schema this release knows.
        known: i32,
    },
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

/// Opens the store a URL names; makes an embedded one if its directory is absent or empty, and the
/// tables of one in a database if they are not there.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(url: &str, options: Options) -> Result<Arc<dyn Store>, OpenError> {
    if url == "memory:" {
        let clock = options.clock.unwrap_or_else(system_clock);
        return Ok(Arc::new(MemoryStore::with_clock(clock)));
    }
    if postgres::is_postgres(url) {
        return Ok(Arc::new(PostgresStore::open(url, options).await?));
    }
    let Some(path) = url.strip_prefix("file:").filter(|path| !path.is_empty()) else {
        return Err(OpenError::UnknownScheme(redacted(url)));
    };
    let path = Path::new(path).to_owned();
    let opening = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path, options));
    match opening.await {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(_) => Err(OpenError::Interrupted),
    }
}

/// Opens the store a URL names if there is one, and makes nothing: no directory, no file and no table.
/// `None` where no store was made yet; a store in memory is never there.
///
/// # Errors
/// See [`OpenError`].
pub async fn open_existing(
    url: &str,
    options: Options,
) -> Result<Option<Arc<dyn Store>>, OpenError> {
    if postgres::is_postgres(url) {
        let found = PostgresStore::open_existing(url, options).await?;
        return Ok(found.map(|store| Arc::new(store) as Arc<dyn Store>));
    }
    let is_absent = |path: &str| !embedded::exists(Path::new(path));
    if url == "memory:" || url.strip_prefix("file:").is_some_and(is_absent) {
        return Ok(None);
    }
    open(url, options).await.map(Some)
}

fn name(holder: Option<u32>) -> String {
    holder.map_or_else(|| "(unknown)".to_owned(), |holder| holder.to_string())
}

fn place(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}
