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

mod clock;
mod limits;
pub mod memory;

use std::sync::Arc;

use engine::ports::store::Store;

pub use clock::{Clock, system_clock};

use memory::MemoryStore;

/// Settings of [`open`]. The default suits a small server.
#[derive(Clone)]
pub struct Options {
    /// Bytes of records kept in memory for reads that may be slightly stale; 0 keeps none.
    /// Default 64 MiB.
    pub cache_bytes: u64,
    /// What `now` answers. Default: the machine's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            clock: system_clock(),
        }
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no backend.
    #[error("unknown store url {0:?}; known are memory: and file:PATH")]
    UnknownScheme(String),
}

/// Opens the store a URL names.
///
/// # Errors
/// See [`OpenError`].
#[expect(clippy::unused_async, reason = "backends on a disk or a network wait")]
pub async fn open(url: &str, options: Options) -> Result<Arc<dyn Store>, OpenError> {
    if url == "memory:" {
        return Ok(Arc::new(MemoryStore::with_clock(options.clock)));
    }
    Err(OpenError::UnknownScheme(url.to_owned()))
}
