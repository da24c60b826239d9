//! Opening a directory: the log's identity, its keys, its newest head.

use crypto::ed25519::VerifyingKey;
use crypto::secret::Secret;
use crypto::token::hmac_sha256;
use merkle::note::{Checkpoint, KeyName, Note, VerifierKey};

use crate::engine::{Engine, Settings};
use crate::error::Internal;
use crate::log::ground::{self, root_of};
use crate::log::head::Head;
use crate::log::{LogError, sequencer};
use crate::marks::{Mark, Marks};
use crate::ports::Ports;
use crate::ports::store::{Batch, Direction, Expect, Freshness, Key, KeyRange, StoreError};
use crate::processes;
use crate::table::Row;
use crate::tables::{ARRIVING, LOG_HEAD, META, MetaRow};
use crate::types::UnixMillis;

/// Why a directory was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A key on disk is not the one the log was created with.
    #[error(
        "the {0} is not the one this log was created with: put the right key file back, or use \
         another data directory"
    )]
    WrongKey(&'static str),
    /// The configured origin is not the log's.
    #[error(
        "log.origin is \"{configured}\", but this log was created as \"{created}\": an origin \
         cannot be changed by configuration"
    )]
    WrongOrigin {
        /// What the configuration says.
        configured: String,
        /// What the store says.
        created: String,
    },
    /// The origin cannot stand in a signed note.
    #[error("log.origin \"{0}\" must not be empty or hold white space or a plus sign")]
    BadOrigin(String),
    /// The store holds something else.
    #[error("the store is not empty and holds no sealbook directory")]
    NotADirectory,
    /// The directory is being moved to another store or was moved there, or has not arrived here.
    #[error(transparent)]
    Marked(#[from] Mark),
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

/// Reads what the directory was created with and checks keys and origin against it; creates it in an
/// empty store, at `now`.
pub(crate) async fn meta(
    ports: &Ports,
    settings: &Settings,
    now: UnixMillis,
) -> Result<MetaRow, OpenError> {
    let meta = match stored_meta(ports).await? {
        Some(meta) => meta,
        None => match create(ports, settings, now).await? {
            Some(created) => return Ok(created),
            // Another process was first, so now there is one.
            None => stored_meta(ports).await?.ok_or(OpenError::NotADirectory)?,
        },
    };
    let ours = new_meta(ports, meta.origin.clone(), now);
    for (right, what) in [
        (meta.log_key == ours.log_key, "log key"),
        (meta.record_key == ours.record_key, "record key"),
        (meta.box_key == ours.box_key, "toxme key"),
        (
            meta.label_key_check == ours.label_key_check,
            "commitment key",
        ),
        (meta.pepper_check == ours.pepper_check, "pepper key"),
    ] {
        if !right {
            return Err(OpenError::WrongKey(what));
        }
    }
    match &settings.origin {
        Some(configured) if *configured != meta.origin => Err(OpenError::WrongOrigin {
            configured: configured.clone(),
            created: meta.origin,
        }),
        Some(_) | None => Ok(meta),
    }
}

/// Makes the process known to the others of a shared store, then looks whether the store is still one
/// to serve: whoever marks it looks for processes after that, so that one sees the other.
///
/// # Errors
/// When the store has been marked, and our own failures.
pub(crate) async fn join(engine: &Engine) -> Result<(), OpenError> {
    processes::beat(engine).await?;
    let refused = stored_meta(engine.ports()).await.err();
    match refused {
        None => Ok(()),
        Some(refused) => {
            processes::leave(engine).await?;
            Err(refused)
        }
    }
}

async fn stored_meta(ports: &Ports) -> Result<Option<MetaRow>, OpenError> {
    let [moved, arriving] = Marks::keys();
    let keys = [moved, arriving, META.key(&())];
    let rows = ports.store.get_many(&keys, Freshness::Now).await?;
    let mut rows = rows.into_iter();
    if let Some(mark) = Marks::take(&mut rows)?.mark() {
        return Err(mark.into());
    }
    let row = rows.next().flatten();
    Ok(row.map(|(_, row)| META.read(&row)).transpose()?)
}

/// Creates a directory in an empty store; `None` when another process did so meanwhile.
async fn create(
    ports: &Ports,
    settings: &Settings,
    now: UnixMillis,
) -> Result<Option<MetaRow>, OpenError> {
    let whole = KeyRange {
        start: Key::new(),
        end: None,
    };
    let rows = ports
        .store
        .scan(whole, Direction::Forward, 1, Freshness::Now)
        .await?;
    if !rows.is_empty() {
        // Something else, or a directory that another process has just made.
        let made = stored_meta(ports).await?.is_some();
        return if made {
            Ok(None)
        } else {
            Err(OpenError::NotADirectory)
        };
    }
    let meta = new_meta(ports, new_origin(ports, settings), now);
    let key = log_key(ports, &meta.origin)?;
    let batch = Batch {
        checks: vec![
            (META.key(&()), Expect::Absent),
            // A conversion may have begun to fill the store.
            (ARRIVING.key(&()), Expect::Absent),
        ],
        puts: vec![(META.key(&()), meta.write())],
        deletes: Vec::new(),
    };
    let is_ours = sequencer::found(ports, &key, now, batch).await?;
    Ok(is_ours.then_some(meta))
}

fn new_meta(ports: &Ports, origin: String, now: UnixMillis) -> MetaRow {
    let check = |key: &Secret<[u8; 32]>| hmac_sha256(key, &[b"sealbook/key-check/v1"]).to_vec();
    MetaRow {
        origin,
        log_key: ports.log_signer.public_key().to_vec(),
        record_key: ports.record_signer.public_key().to_vec(),
        box_key: ports.box_key.public_key().to_vec(),
        label_key_check: check(&ports.label_key),
        pepper_check: check(&ports.pepper),
        created_at_ms: now.0,
    }
}

/// The configured origin, else the public host's, else one that no other log has.
fn new_origin(ports: &Ports, settings: &Settings) -> String {
    if let Some(origin) = &settings.origin {
        return origin.clone();
    }
    if let Some(host) = &settings.public_host {
        return format!("{host}/log");
    }
    let key = ports.log_signer.public_key();
    let digits: String = key
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sealbook.local/{digits}")
}

/// The key checkpoints verify with.
pub(crate) fn log_key(ports: &Ports, origin: &str) -> Result<VerifierKey, OpenError> {
    let name = KeyName::parse(origin).map_err(|_| OpenError::BadOrigin(origin.into()))?;
    Ok(VerifierKey::ed25519(name, &ports.log_signer.public_key()))
}

/// The newest head in the store.
pub(crate) async fn head(ports: &Ports) -> Result<Head, OpenError> {
    let rows = ports
        .store
        .get_many(&[LOG_HEAD.key(&())], Freshness::Now)
        .await?;
    let row = rows.into_iter().next().flatten();
    let (_, row) = row.ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
    Ok(Head::read(&LOG_HEAD.read(&row)?)?)
}

/// Whether an Ed25519 signature over a note's text is good.
fn is_good(key: &VerifierKey, text: &[u8], signature: &[u8]) -> bool {
    let (Ok(public), Ok(signature)) = (key.public().try_into(), signature.try_into()) else {
        return false;
    };
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(text, signature).is_ok())
}

/// Compares a checkpoint seen by an earlier run with the log in the store.
pub(crate) async fn check_remembered(engine: &Engine, note: &[u8]) -> Result<(), Internal> {
    let malformed = || Internal::new("reading the remembered checkpoint", "it is no checkpoint");
    let parsed = Note::parse(note).map_err(|_| malformed())?;
    let seen = Checkpoint::parse(&parsed.text).map_err(|_| malformed())?;
    if seen.origin != engine.origin() {
        let cause = format!("it is of the log {}", seen.origin);
        return Err(Internal::new("reading the remembered checkpoint", cause));
    }
    let keys = [engine.log_key().clone()];
    if parsed.verify_with(&keys, is_good).is_err() {
        let cause = "its signature does not verify";
        return Err(Internal::new("reading the remembered checkpoint", cause));
    }
    if seen.size > engine.log().head().size {
        // Seen by another process, or before this one opened, and not yet published here.
        ground::publish(engine).await?;
    }
    let head = engine.log().head();
    let ours = match engine.log().checkpoint(seen.size).await {
        Ok(note) => root_of(&note),
        Err(LogError::Absent | LogError::NoProof(_)) => None,
        Err(LogError::Internal(internal)) => return Err(internal),
    };
    if ours != Some(seen.root) {
        engine.published().halt(format!(
            "the store's log ends at size {}, but a checkpoint of size {} and root {} was published \
             before and is not in it: the store is an old backup or has lost writes. Restore the \
             newest copy; publishing from this one would fork the log",
            head.size,
            seen.size,
            seen.root.to_hex(),
        ));
    }
    Ok(())
}
