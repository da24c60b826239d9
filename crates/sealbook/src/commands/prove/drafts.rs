//! What was signed and is to be posted, kept until it is checked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use client::proofs::Wanted;
use crypto::token::sha256;
use serde_json::{Value, json};

use crate::commands::{key, places};
use crate::failure::Failure;

/// Where drafts are kept.
#[derive(Args, Clone, Debug)]
pub(super) struct Drafts {
    /// Directory of drafts between start and check; default: sealbook in the state directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// A signed draft.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) uuid: String,
    pub(super) created_at: String,
    pub(super) payload: String,
    pub(super) signature: String,
}

impl Drafts {
    /// The directory, if one was named.
    pub(super) fn named(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// Keeps a draft, instead of an earlier one of the same account.
    pub(super) fn keep(&self, url: &str, of: &Wanted<'_>, kept: &Kept) -> Result<(), Failure> {
        let path = self.path(url, of)?;
        let text = json!({
            "uuid": kept.uuid, "created_at": kept.created_at, "payload": kept.payload,
            "signature": kept.signature,
        });
        self.forget(url, of)?;
        key::write(&path, &text.to_string())
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
    }

    /// The draft of an account.
    pub(super) fn find(&self, url: &str, of: &Wanted<'_>) -> Result<Kept, Failure> {
        let path = self.path(url, of)?;
        let text = fs::read_to_string(&path).map_err(|error| {
            let (platform, identity) = (of.platform, of.identity);
            let hint = format!("start with `sealbook prove start {platform} {identity}`");
            Failure::failed(format!("{}: {error}; {hint}", path.display()))
        })?;
        let draft: Value = serde_json::from_str(&text).unwrap_or_default();
        let member = |name: &str| draft.get(name)?.as_str().map(str::to_owned);
        let kept = || {
            Some(Kept {
                uuid: member("uuid")?,
                created_at: member("created_at")?,
                payload: member("payload")?,
                signature: member("signature")?,
            })
        };
        kept().ok_or_else(|| Failure::failed(format!("{} is damaged", path.display())))
    }

    /// Forgets the draft of an account, if there is one.
    pub(super) fn forget(&self, url: &str, of: &Wanted<'_>) -> Result<(), Failure> {
        let path = self.path(url, of)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::failed(format!(
                "cannot remove {}: {error}",
                path.display()
            ))),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, url: &str, of: &Wanted<'_>) -> Result<PathBuf, Failure> {
        let dir = match &self.state {
            Some(dir) => dir.clone(),
            None => places::state()?,
        };
        let avatar = of.avatar.to_string();
        let whose = [url, of.platform, of.identity, &avatar].join("\n");
        let digits = sha256(whose.as_bytes());
        let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(dir.join(format!("{digits}.draft")))
    }
}
