//! The avatar that `prove` acts for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

    /// Reads the key, or draws one; then also the file's name, where [`Self::keep`] writes it.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn read_or_draw(&self) -> Result<(AvatarKey, Option<PathBuf>), Failure> {
        if let Some(key) = self.found()? {
            return Ok((key, None));
        }
        let path = self.path()?;
        let drawn = AvatarKey::new(Secret::new(draw(&OsRng)));
        let drawn = drawn.map_err(|error| Failure::failed(error.to_string()))?;
        Ok((drawn, Some(path)))
    }

    /// Writes a key that was drawn, for its owner alone.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn keep(path: &Path, drawn: &AvatarKey) -> Result<(), Failure> {
        key::write(path, drawn.to_json().expose().trim_end())
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
    }

    /// The key in a file that must be there.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn of(path: PathBuf) -> Result<AvatarKey, Failure> {
        let file = Self { key: Some(path) };
        file.found()?.ok_or_else(|| {
            let path = file.path().unwrap_or_default();
            Failure::failed(format!("there is no {}", path.display()))
        })
    }

    /// The file, if one was named.
    pub(super) fn named(&self) -> Option<&Path> {
        self.key.as_deref()
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
fn parse(text: &str) -> Result<Avatar, Failure> {
    use crate::failure::Exit;
    Avatar::parse(text).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}
