//! Opening a directory: the log's identity, its keys, its newest head.

use crypto::secret::Secret;
use crypto::token::hmac_sha256;
use merkle::note::{Checkpoint, KeyName, Note, VerifierKey};

use crate::engine::{Engine, Settings};
use crate::error::Internal;
use crate::log::head::Head;
use crate::log::sequencer;
use crate::ports::Ports;
use crate::ports::store::{Batch, Direction, Expect, Freshness, Key, KeyRange, StoreError};
use crate::table::Row;
use crate::tables::{LOG_HEAD, META, MetaRow};

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
/// empty store.
pub(crate) async fn meta(ports: &Ports, settings: &Settings) -> Result<MetaRow, OpenError> {
    let rows = ports
        .store
        .get_many(&[META.key(&())], Freshness::Now)
        .await?;
    let Some((_, row)) = rows.into_iter().next().flatten() else {
        return create(ports, settings).await;
    };
    let meta = META.read(&row)?;
    let ours = new_meta(ports, meta.origin.clone());
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

async fn create(ports: &Ports, settings: &Settings) -> Result<MetaRow, OpenError> {
    let whole = KeyRange {
        start: Key::from(vec![META.tag()]),
        end: None,
    };
    if !ports
        .store
        .scan(whole, Direction::Forward, 1, Freshness::Now)
        .await?
        .is_empty()
    {
        return Err(OpenError::NotADirectory);
    }
    let meta = new_meta(ports, new_origin(ports, settings));
    let key = log_key(ports, &meta.origin)?;
    let batch = Batch {
        checks: vec![(META.key(&()), Expect::Absent)],
        puts: vec![(META.key(&()), meta.write())],
        deletes: Vec::new(),
    };
    sequencer::found(ports, &key, batch).await?;
    Ok(meta)
}

fn new_meta(ports: &Ports, origin: String) -> MetaRow {
    let check = |key: &Secret<[u8; 32]>| hmac_sha256(key, &[b"sealbook/key-check/v1"]).to_vec();
    MetaRow {
        origin,
        log_key: ports.log_signer.public_key().to_vec(),
        record_key: ports.record_signer.public_key().to_vec(),
        box_key: ports.box_key.public_key().to_vec(),
        label_key_check: check(&ports.label_key),
        pepper_check: check(&ports.pepper),
        created_at_ms: ports.timer.now().0,
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

/// Compares a checkpoint seen by an earlier run with the log in the store.
pub(crate) async fn check_remembered(engine: &Engine, note: &[u8]) -> Result<(), Internal> {
    let malformed = || Internal::new("reading the remembered checkpoint", "it is no checkpoint");
    let parsed = Note::parse(note).map_err(|_| malformed())?;
    let seen = Checkpoint::parse(&parsed.text).map_err(|_| malformed())?;
    if seen.origin != engine.origin() {
        let cause = format!("it is of the log {}", seen.origin);
        return Err(Internal::new("reading the remembered checkpoint", cause));
    }
    let head = engine.log().head();
    let ours = engine.log().checkpoint(seen.size).await;
    let agrees = ours.is_ok_and(|ours| {
        Note::parse(&ours)
            .ok()
            .and_then(|ours| Checkpoint::parse(&ours.text).ok())
            .is_some_and(|ours| ours.root == seen.root)
    });
    if head.size < seen.size || !agrees {
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
