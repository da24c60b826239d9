//! The key directory: five files, made together on the first run and never written again.
//!
//! | file | 64 hexadecimal digits of | used for |
//! |---|---|---|
//! | `log.key` | an Ed25519 seed | checkpoints of the log |
//! | `record.key` | an Ed25519 seed | memorabilia of Tox records |
//! | `toxme.key` | an X25519 secret | opening sealed requests; made from `record.key`, or adopted |
//! | `commitment.key` | a MAC key | labels of private handles |
//! | `pepper.key` | a MAC key | hashes of passwords and of released names |
//!
//! A directory that adopts the key of an original toxme server has its 32 bytes both in `toxme.key`
//! and in `record.key`: that server used them as X25519 secret and as Ed25519 seed alike.

mod adapters;
mod making;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::boxed::BoxSecretKey;
use crypto::ed25519::{SigningKey, x25519_secret};
use crypto::secret::Secret;
use data_encoding::HEXLOWER_PERMISSIVE;
use engine::ports::keys::{BoxKey, Signer};
use engine::ports::rng::Rng;
use zeroize::{Zeroize, Zeroizing};

use adapters::{FileBoxKey, FileSigner};

/// File of the log's signing key.
pub const LOG_KEY: &str = "log.key";
/// File of the X25519 secret that clients seal to, in the form the original toxme server has it.
pub const TOXME_KEY: &str = "toxme.key";
/// File of the key that signs memorabilia.
pub const RECORD_KEY: &str = "record.key";
/// File of the key of private labels.
pub const COMMITMENT_KEY: &str = "commitment.key";
/// File of the key of password hashes.
pub const PEPPER_KEY: &str = "pepper.key";

/// Every file of a key directory.
pub const FILES: [&str; 5] = [LOG_KEY, TOXME_KEY, RECORD_KEY, COMMITMENT_KEY, PEPPER_KEY];

/// Bytes a key file may have.
const FILE_BYTES_MAX: u64 = 4096;

/// The server's keys, ready for the engine's ports.
pub struct ServerKeys {
    /// Signs checkpoints.
    pub log: Arc<dyn Signer>,
    /// Signs memorabilia.
    pub record: Arc<dyn Signer>,
    /// Opens sealed requests.
    pub toxme: Arc<dyn BoxKey>,
    /// Keys labels of private handles.
    pub commitment: Secret<[u8; 32]>,
    /// Keys hashes of passwords and of released names.
    pub pepper: Secret<[u8; 32]>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Keys are gone that the store was made with.
    #[error(
        "{} is missing, but the store is not empty: put the key files the store was made with \
         back, or name their directory in keys.dir; keys are only made for an empty store",
        path.display()
    )]
    Missing {
        /// The first missing file.
        path: PathBuf,
    },
    /// Some files are there, some are not.
    #[error(
        "{} is missing, but {present} is there: put the missing key file back; to start a new \
         directory with new keys, move {present} away too", path.display()
    )]
    Partial {
        /// The first missing file.
        path: PathBuf,
        /// Name of the first file that is there.
        present: &'static str,
    },
    /// A file holds something else.
    #[error("{} is no key: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without its content.
        reason: String,
    },
    /// Keys of a first start that did not end wait to be put beside files that are there already.
    #[error(
        "{} has keys of a first start that was cut short, but {present} is there too: move one of \
         the two away", path.display()
    )]
    Unfinished {
        /// The folder with the keys that wait.
        path: PathBuf,
        /// Name of the file that is there already.
        present: &'static str,
    },
    /// The directory has a toxme key of its own.
    #[error(
        "{} holds another key than the one to adopt: clients that pinned one of the two could not \
         reach this server; adopt a key in a new data directory, before its first start",
        path.display()
    )]
    OtherToxmeKey {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Reads the keys of a directory; makes them if it has none and the store is empty: all of them, or
/// none, wherever the process is cut short. Waits for the disk. No file that exists is ever written
/// to.
///
/// The caller holds the store's lock, so that no two processes make keys for one store.
///
/// # Errors
/// See [`KeyError`].
pub fn open(dir: &Path, store_is_empty: bool, rng: &dyn Rng) -> Result<ServerKeys, KeyError> {
    read_or_make(dir, store_is_empty, || Seeds::draw(rng))?.keys(dir)
}

/// As [`open`], for a directory that has the key of an original toxme server, or is to have it: made
/// with it, or else found with it.
///
/// # Errors
/// See [`KeyError`].
pub fn adopt(
    dir: &Path,
    store_is_empty: bool,
    key: &Secret<[u8; 32]>,
    rng: &dyn Rng,
) -> Result<ServerKeys, KeyError> {
    let seeds = read_or_make(dir, store_is_empty, || Seeds {
        toxme: BoxSecretKey::from_bytes(*key.expose()),
        record: Secret::new(*key.expose()),
        ..Seeds::draw(rng)
    })?;
    if !crypto::token::equal(seeds.toxme.expose(), key.expose()) {
        let path = dir.join(TOXME_KEY);
        return Err(KeyError::OtherToxmeKey { path });
    }
    seeds.keys(dir)
}

/// Reads the `key` file of an original toxme server: 64 hexadecimal digits.
///
/// # Errors
/// `Malformed` or `Io`.
pub fn read_original(path: &Path) -> Result<Secret<[u8; 32]>, KeyError> {
    read_key(path)
}

fn read_or_make(
    dir: &Path,
    store_is_empty: bool,
    seeds: impl FnOnce() -> Seeds,
) -> Result<Seeds, KeyError> {
    if store_is_empty {
        making::resume(dir)?;
    }
    let mut missing = Vec::new();
    let mut present = Vec::new();
    for name in FILES {
        let path = dir.join(name);
        match path.try_exists().map_err(failed("look for", &path))? {
            true => present.push(name),
            false => missing.push(path),
        }
    }
    match (missing.into_iter().next(), present.first()) {
        (None, _) => {}
        (Some(path), _) if !store_is_empty => return Err(KeyError::Missing { path }),
        (Some(path), Some(present)) => return Err(KeyError::Partial { path, present }),
        (Some(_), None) => making::make(dir, &seeds())?,
    }
    Seeds::read(dir)
}

/// Keys that no file has: for a store that is gone when the process ends.
///
/// # Errors
/// `Malformed` if the signing library refuses a key.
pub fn ephemeral(rng: &dyn Rng) -> Result<ServerKeys, KeyError> {
    Seeds::draw(rng).keys(Path::new("memory:"))
}

/// The content of the five files.
struct Seeds {
    log: Secret<[u8; 32]>,
    toxme: BoxSecretKey,
    record: Secret<[u8; 32]>,
    commitment: Secret<[u8; 32]>,
    pepper: Secret<[u8; 32]>,
}

impl Seeds {
    fn draw(rng: &dyn Rng) -> Self {
        let record = draw(rng);
        Self {
            log: draw(rng),
            // Whoever knows the key that signs records can check that /pk belongs to it.
            toxme: x25519_secret(&record),
            record,
            commitment: draw(rng),
            pepper: draw(rng),
        }
    }

    fn read(dir: &Path) -> Result<Self, KeyError> {
        let read = |name| read_key(&dir.join(name));
        let toxme = Zeroizing::new(*read(TOXME_KEY)?.expose());
        Ok(Self {
            log: read(LOG_KEY)?,
            toxme: BoxSecretKey::from_bytes(*toxme),
            record: read(RECORD_KEY)?,
            commitment: read(COMMITMENT_KEY)?,
            pepper: read(PEPPER_KEY)?,
        })
    }

    fn keys(self, dir: &Path) -> Result<ServerKeys, KeyError> {
        let signer = |seed: &Secret<[u8; 32]>, name| {
            SigningKey::from_seed(seed)
                .map(|key| Arc::new(FileSigner(key)))
                .map_err(|error| malformed(&dir.join(name), error))
        };
        Ok(ServerKeys {
            log: signer(&self.log, LOG_KEY)?,
            record: signer(&self.record, RECORD_KEY)?,
            toxme: Arc::new(FileBoxKey(self.toxme)),
            commitment: self.commitment,
            pepper: self.pepper,
        })
    }
}

fn draw(rng: &dyn Rng) -> Secret<[u8; 32]> {
    let mut bytes = engine::ports::rng::draw(rng);
    let secret = Secret::new(bytes);
    bytes.zeroize();
    secret
}

/// Reads one file: 64 hexadecimal digits of either case, white space around them.
fn read_key(path: &Path) -> Result<Secret<[u8; 32]>, KeyError> {
    let data = fs::metadata(path).map_err(failed("read", path))?;
    if data.mode() & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "a key file can be read by others: run chmod 600 on it"
        );
    }
    if data.len() > FILE_BYTES_MAX {
        return Err(malformed(path, format!("it has {} bytes", data.len())));
    }
    let text = Zeroizing::new(fs::read(path).map_err(failed("read", path))?);
    parse_key(&text).map_err(|reason| malformed(path, reason))
}

/// Reads the text of a key file.
///
/// # Errors
/// What is wrong with it, without its content.
pub fn parse_key(text: &[u8]) -> Result<Secret<[u8; 32]>, String> {
    let digits = text.trim_ascii();
    let mut key = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return Err(format!("it has {} characters instead of 64", digits.len()));
    }
    HEXLOWER_PERMISSIVE
        .decode_mut(digits, key.as_mut_slice())
        .map_err(|partial| {
            let at = partial.error.position.saturating_add(1);
            format!("character {at} is no hexadecimal digit")
        })?;
    Ok(Secret::new(*key))
}

fn malformed(path: &Path, reason: impl ToString) -> KeyError {
    KeyError::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { what, path, source }
}

#[cfg(test)]
mod tests;
