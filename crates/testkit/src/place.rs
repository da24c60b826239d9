//! Where a world's store is: in memory, or where `STORE_URL` says.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use engine::ports::store::Store;
use engine::ports::timer::Timer;
use store::Options;
use tempfile::TempDir;

use crate::hooked::{Hooked, Step};
use crate::{FixedClock, shared_memory};

/// The environment variable that names the kind of store.
const STORE_URL: &str = "STORE_URL";
const IN_MEMORY: &str = "memory:";

/// An empty store of the kind that the environment variable `STORE_URL` names, with the test's
/// clock. What it keeps outside of memory goes with it.
///
/// | `STORE_URL` | store |
/// |---|---|
/// | unset, `memory:` | in memory |
/// | `file:` | embedded, in a temporary directory |
/// | `postgres://…` | a schema of its own in that database |
///
/// # Panics
/// When `STORE_URL` is none of these, or the store is not made.
pub async fn empty_store(clock: &Arc<FixedClock>) -> Arc<dyn Store> {
    let (url, place) = Place::of(kind());
    let clock = clock.clone();
    let options = Options {
        clock: Some(Arc::new(move || clock.now())),
        ..Options::default()
    };
    let store = store::open(&url, options).await;
    let store = store.unwrap_or_else(|error| unreachable!("a test's store opens: {error}"));
    // Goes after the store.
    let held = Hooked::over(store).after(move |_| {
        let _held = &place;
        Step::Go
    });
    Arc::new(held)
}

/// An empty store that several processes may have open: an [`empty_store`] where that is one, else in
/// memory.
pub async fn empty_shared_store(clock: &Arc<FixedClock>) -> Arc<dyn Store> {
    let store = empty_store(clock).await;
    if store.is_shared() {
        store
    } else {
        Arc::new(shared_memory(clock))
    }
}

/// Whether an [`empty_store`] is in memory, where a test can afford many worlds.
#[must_use]
pub fn is_in_memory() -> bool {
    kind() == IN_MEMORY
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration but their environment"
)]
fn kind() -> String {
    std::env::var(STORE_URL).unwrap_or_else(|_| IN_MEMORY.to_owned())
}

/// What a store needs outside of memory, and is removed with this value.
enum Place {
    Nothing,
    Dir { _dir: TempDir },
    Schema { database: String, name: String },
}

impl Place {
    /// A place of the kind that a URL names, and the URL of a store there.
    fn of(kind: String) -> (String, Self) {
        if kind == IN_MEMORY {
            return (kind, Self::Nothing);
        }
        if kind == "file:" {
            let dir = tempfile::tempdir().expect("a temporary directory is made");
            let url = format!("file:{}", dir.path().join("store").display());
            return (url, Self::Dir { _dir: dir });
        }
        if !kind.starts_with("postgres") {
            unreachable!("{STORE_URL} is none of memory:, file: and postgres://…");
        }
        let name = format!("suite_{:016x}", RandomState::new().build_hasher().finish());
        pgrig::psql(&kind, &format!("CREATE SCHEMA {name}")).expect("a schema is made");
        let joint = if kind.contains('?') { '&' } else { '?' };
        let url = format!("{kind}{joint}options=-csearch_path%3D{name}");
        let place = Self::Schema {
            database: kind,
            name,
        };
        (url, place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Schema { database, name } = self {
            let drop = format!("SET lock_timeout = '5s'; DROP SCHEMA {name} CASCADE");
            // A database that a test has stopped takes its schemas along.
            let _may_be_away = pgrig::psql(database, &drop);
        }
    }
}
