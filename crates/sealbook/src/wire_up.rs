//! Configuration to ports to engine to router: the only place where adapters meet ports.

mod archive;
mod checkers;
mod outgoing;
mod router;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use crypto::secret::Secret;
use engine::ports::Ports;
use engine::ports::store::{Direction, Freshness, Key, KeyRange, Store};
use engine::{Engine, Settings};
use outbound::remembered::Remembered;
use outbound::signer_file::{self, KeyError, ServerKeys};
use outbound::system::{OsRng, SystemTimer};
use store::OpenError;

use crate::config::{Config, StoreUrl};
use crate::failure::{Exit, Failure, chain};
use crate::health;
use crate::metrics::{self, Metrics};
use router::{doors, nothing_here, wrapped};

pub(crate) use checkers::configured;
pub(crate) use outgoing::outgoing;

/// File of the highest checkpoint, in the data directory.
pub(crate) const REMEMBERED: &str = "checkpoint.latest";
/// Directory of the embedded store, in the data directory.
pub(crate) const STORE: &str = "store";

/// A server put together, not yet listening.
pub(crate) struct Wired {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    /// `None` when there is nothing to remember beyond the process.
    pub(crate) remembered: Option<Remembered>,
    pub(crate) names_loaded: Arc<AtomicBool>,
    /// Key that clients seal requests to.
    pub(crate) toxme_key: [u8; 32],
    pub(crate) router: Router,
    /// What `/metrics` answers on a listener of its own, if it has one.
    pub(crate) metrics_router: Option<Router>,
    pub(crate) metrics: Metrics,
    pub(crate) timer: SystemTimer,
}

/// Opens the store and the keys, starts the engine over them and merges the doors.
///
/// # Errors
/// A sentence for the operator: what is wrong, where, and what to do.
pub(crate) async fn wire_up(config: &Config, timer: SystemTimer) -> Result<Wired, Failure> {
    wire_up_with(config, timer, None).await
}

/// The same with the key of an original toxme server, if one is given: a new directory adopts it, any
/// other must have it.
///
/// # Errors
/// As [`wire_up`].
pub(crate) async fn wire_up_with(
    config: &Config,
    timer: SystemTimer,
    original: Option<&Secret<[u8; 32]>>,
) -> Result<Wired, Failure> {
    let metrics = Metrics::new().map_err(|error| Failure::failed(chain(&error)))?;
    let options = store::Options {
        on_sync: Some(metrics.on_sync()),
        ..config.store_options()
    };
    let store = open_store(&config.store_url(), options).await?;
    let wired = match make_data_dir(config) {
        Ok(()) => over(config, timer, store.clone(), metrics, original).await,
        Err(failure) => Err(failure),
    };
    if wired.is_err() {
        store.close().await;
    }
    wired
}

/// The same over a store that is open and not empty. Makes nothing beside it.
///
/// # Errors
/// As [`wire_up`]; then the store is closed.
pub(crate) async fn wire_up_over(
    config: &Config,
    timer: SystemTimer,
    store: Arc<dyn Store>,
    original: Option<&Secret<[u8; 32]>>,
) -> Result<Wired, Failure> {
    let wired = match Metrics::new() {
        Ok(metrics) => over(config, timer, store.clone(), metrics, original).await,
        Err(error) => Err(Failure::failed(chain(&error))),
    };
    if wired.is_err() {
        store.close().await;
    }
    wired
}

async fn over(
    config: &Config,
    timer: SystemTimer,
    store: Arc<dyn Store>,
    metrics: Metrics,
    original: Option<&Secret<[u8; 32]>>,
) -> Result<Wired, Failure> {
    let remembered = remembered(config);
    let note = remembered.as_ref().map(load).transpose()?.flatten();
    let is_empty = is_empty(store.as_ref()).await?;
    let known = remembered.as_ref().zip(note);
    if let (true, Some((remembered, _))) = (is_empty, &known) {
        return Err(lost_store(remembered));
    }
    let keys = open_keys(config, is_empty, original)?;
    let toxme_key = keys.toxme.public_key();
    let outgoing = outgoing(config)?;
    let ports = Ports {
        remote_names: outgoing.remote_names(config),
        checkers: checkers::checkers(config)?,
        archive: archive::archive(config, &outgoing.web)?,
        web: Some(outgoing.web),
        dns: Some(outgoing.dns),
        ..ports(store.clone(), timer, keys)
    };
    let engine = Engine::open(ports, settings(config))
        .await
        .map_err(|error| Failure::failed(chain(&error)))?;
    if let Some((remembered, note)) = known {
        check_remembered(&engine, remembered, &note).await?;
    }
    let names_loaded = Arc::new(AtomicBool::new(false));
    let state = health::State {
        engine: engine.clone(),
        names_loaded: names_loaded.clone(),
    };
    let mut router = doors(config, &engine, health::router(state));
    let own_listener = config.metrics.listen.is_some();
    let scraped = metrics::router(metrics::State {
        engine: engine.clone(),
        metrics: metrics.clone(),
        store_dir: config.store_url().dir().map(Path::to_owned),
        only_here: !own_listener,
    });
    let mut metrics_router = None;
    if own_listener {
        metrics_router = Some(scraped.fallback(nothing_here));
    } else {
        router = router.merge(scraped);
    }
    let router = wrapped(config, timer, router, &metrics)?;
    Ok(Wired {
        engine,
        store,
        remembered,
        names_loaded,
        toxme_key,
        router,
        metrics_router,
        metrics,
        timer,
    })
}

/// Opens a store by its URL.
///
/// # Errors
/// `Conflict` when another process has it, `Unreachable` when no server of a database answers.
pub(crate) async fn open_store(
    url: &StoreUrl,
    options: store::Options,
) -> Result<Arc<dyn Store>, Failure> {
    store::open(url.expose(), options).await.map_err(unopened)
}

/// Why a store is not opened, and what to do about it.
pub(crate) fn unopened(error: OpenError) -> Failure {
    match error {
        OpenError::Held { .. } => {
            let hint = "stop that server, or talk to it by its URL";
            Failure::new(Exit::Conflict, format!("{error}; {hint}"))
        }
        OpenError::Damaged { .. } => Failure::new(Exit::Unverified, chain(&error)),
        OpenError::Io { ref source, .. } => {
            Failure::failed(format!("{}{}", chain(&error), remedy(source.kind())))
        }
        OpenError::Unreachable { .. } => Failure::new(Exit::Unreachable, chain(&error)),
        OpenError::BadUrl { .. } => Failure::new(Exit::Usage, chain(&error)),
        OpenError::UnknownScheme(_)
        | OpenError::NotTrusted { .. }
        | OpenError::Authorities(_)
        | OpenError::LoginRefused { .. }
        | OpenError::NoDatabase { .. }
        | OpenError::Refused(_)
        | OpenError::NewerSchema { .. }
        | OpenError::NewerFormat { .. }
        | OpenError::NotAStore { .. }
        | OpenError::Interrupted => Failure::failed(chain(&error)),
    }
}

/// What an operator can do about a directory that cannot be used.
fn remedy(kind: ErrorKind) -> &'static str {
    if matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    ) {
        "; run as the user who owns it, or name a directory of your own in server.data_dir"
    } else if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        "; free some space, nothing is lost"
    } else {
        ""
    }
}

/// Makes the directory for what is kept beside the store, if anything is.
fn make_data_dir(config: &Config) -> Result<(), Failure> {
    if config.is_in_memory() {
        return Ok(());
    }
    let dir = &config.server.data_dir;
    std::fs::create_dir_all(dir)
        .map_err(|error| Failure::failed(format!("cannot make {}: {error}", dir.display())))
}

/// Where the highest checkpoint is kept; nowhere for a store that keeps nothing either.
fn remembered(config: &Config) -> Option<Remembered> {
    let place = config.server.data_dir.join(REMEMBERED);
    (!config.is_in_memory()).then(|| Remembered::at(place))
}

fn load(remembered: &Remembered) -> Result<Option<Vec<u8>>, Failure> {
    remembered
        .load()
        .map_err(|error| Failure::failed(chain(&error)))
}

/// A new log under the keys of one that was published would contradict it.
fn lost_store(remembered: &Remembered) -> Failure {
    Failure::failed(format!(
        "the store is empty, but {} shows that a log was published from here: restore the store. \
         To start a new log instead, move that file and the keys away",
        remembered.path().display()
    ))
}

fn open_keys(
    config: &Config,
    store_is_empty: bool,
    original: Option<&Secret<[u8; 32]>>,
) -> Result<ServerKeys, Failure> {
    let dir = config.keys_dir();
    let keys = match original {
        _ if config.is_in_memory() => signer_file::ephemeral(&OsRng),
        None => signer_file::open(&dir, store_is_empty, &OsRng),
        Some(key) => signer_file::adopt(&dir, store_is_empty, key, &OsRng),
    };
    keys.map_err(|error| {
        let exit = match &error {
            KeyError::OtherToxmeKey { .. } => Exit::Conflict,
            KeyError::Missing { .. }
            | KeyError::Partial { .. }
            | KeyError::Unfinished { .. }
            | KeyError::Malformed { .. }
            | KeyError::Io { .. } => Exit::Failed,
        };
        Failure::new(exit, chain(&error))
    })
}

/// Whether a store has no row.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn is_empty(store: &dyn Store) -> Result<bool, Failure> {
    let whole = KeyRange {
        start: Key::new(),
        end: None,
    };
    store
        .scan(whole, Direction::Forward, 1, Freshness::Now)
        .await
        .map(|rows| rows.is_empty())
        .map_err(|error| Failure::failed(chain(&error)))
}

fn ports(store: Arc<dyn Store>, timer: SystemTimer, keys: ServerKeys) -> Ports {
    Ports {
        store,
        timer: Arc::new(timer),
        rng: Arc::new(OsRng),
        log_signer: keys.log,
        record_signer: keys.record,
        box_key: keys.toxme,
        remote_names: None,
        web: None,
        dns: None,
        checkers: Vec::new(),
        archive: None,
        label_key: keys.commitment,
        pepper: keys.pepper,
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        domain: config.domain(),
        origin: config
            .log
            .origin
            .as_ref()
            .map(|origin| origin.as_str().to_owned()),
        public_host: config.public_host(),
        merge_delay: config.log.merge_delay.0,
        release_after: config.names.release_after.0,
        strict_possession: config.toxme.strict_possession,
        recheck_after: config.proofs.recheck_after.0.unwrap_or(Duration::MAX),
        limits_enabled: config.limits.enabled,
    }
}

/// Compares the log with what an earlier run has published; the engine goes read-only when the
/// store is behind it.
async fn check_remembered(
    engine: &Engine,
    remembered: &Remembered,
    note: &[u8],
) -> Result<(), Failure> {
    engine.check_remembered(note).await.map_err(|error| {
        Failure::failed(format!(
            "{}: {}; put the file that belongs to this store back. Without the file the server \
             starts, but cannot tell whether the store is an old copy",
            remembered.path().display(),
            chain(&error)
        ))
    })
}

/// A path for people: relative ones from where the process runs.
pub(crate) fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    absolute.as_deref().unwrap_or(path).display().to_string()
}
