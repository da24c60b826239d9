//! The avatar that `prove` acts for.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use client::avatar::{Avatar, AvatarKey};
use crypto::secret::Secret;
use engine::ports::rng::draw;
use outbound::system::OsRng;

use super::{key, places};
use crate::failure::Failure;

/// Bytes a key file may have.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The avatar's key.
#[derive(Args, Clone, Debug)]
pub(super) struct AvatarFile {
    /// The avatar's key: a file made by `prove start`, or 64 hexadecimal digits. Default:
    /// sealbook/avatar.json in the configuration directory
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl AvatarFile {
    /// The key in this file.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { key: Some(path) }
    }

    /// Reads the key.
    ///
    /// # Errors
    /// Names the file, and what to do when there is none.
    pub(super) fn read(&self) -> Result<AvatarKey, Failure> {
        self.found()?.ok_or_else(|| {
            let path = self.path().unwrap_or_default();
            let hint = "`sealbook prove start` makes one";
            Failure::failed(format!("there is no {}; {hint}", path.display()))
        })
    }

    /// Reads the key, or makes one for its owner alone; then also the file's name.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn read_or_make(&self) -> Result<(AvatarKey, Option<PathBuf>), Failure> {
        if let Some(key) = self.found()? {
            return Ok((key, None));
        }
        let path = self.path()?;
        let made = AvatarKey::new(Secret::new(draw(&OsRng)));
        let made = made.map_err(|error| Failure::failed(error.to_string()))?;
        key::write(&path, made.to_json().expose().trim_end()).map_err(|error| {
            Failure::failed(format!("cannot write {}: {error}", path.display()))
        })?;
        Ok((made, Some(path)))
    }

    /// An avatar that is named, or the one of the key file.
    ///
    /// # Errors
    /// `Usage` for what is no avatar.
    pub(super) fn avatar(&self, named: Option<&str>) -> Result<Avatar, Failure> {
        match named {
            Some(text) => parse(text),
            None => self.read().map(|key| key.avatar()),
        }
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        self.key.clone().map_or_else(places::avatar, Ok)
    }

    fn found(&self) -> Result<Option<AvatarKey>, Failure> {
        let path = self.path()?;
        let cannot =
            |error: io::Error| Failure::failed(format!("cannot read {}: {error}", path.display()));
        let length = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(cannot)?.len(),
        };
        if length > FILE_BYTES_MAX {
            let said = format!("{} is no key: it has {length} bytes", path.display());
            return Err(Failure::failed(said));
        }
        let text = zeroize::Zeroizing::new(fs::read_to_string(&path).map_err(cannot)?);
        let key = AvatarKey::parse(&text);
        key.map(Some)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    }
}

/// Reads an avatar of the command line.
///
/// # Errors
/// `Usage` when it is none.
pub(super) fn parse(text: &str) -> Result<Avatar, Failure> {
    use crate::failure::Exit;
    Avatar::parse(text).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}
