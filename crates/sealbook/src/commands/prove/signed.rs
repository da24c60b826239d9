//! The signature of the account itself, where the account is a key: a wallet, or another avatar.

use std::path::PathBuf;

use clap::Args;
use client::avatar::Avatar;
use client::signature_text::{base64, hexadecimal};

use super::Account;
use crate::commands::avatar_file::AvatarFile;
use crate::failure::{Exit, Failure};

/// How the account signs, if it does.
#[derive(Args, Clone, Debug)]
pub(super) struct AccountSignature {
    /// The wallet's signature over the text: for ethereum in hexadecimal or base64, for solana in
    /// base58
    #[arg(long, value_name = "SIGNATURE")]
    wallet_signature: Option<String>,
    /// The other avatar's signature over the text, for nextid: in hexadecimal or base64
    #[arg(long, value_name = "SIGNATURE")]
    target_signature: Option<String>,
    /// The other avatar's key, which signs the text now: for nextid, in place of --target-signature
    #[arg(long, value_name = "FILE", conflicts_with = "target_signature")]
    target_key: Option<PathBuf>,
}

impl AccountSignature {
    /// Whether a wallet's signature was given.
    pub(super) fn has_wallet(&self) -> bool {
        self.wallet_signature.is_some()
    }

    /// Whether there is another avatar's signature, or what it signs with.
    pub(super) fn has_target(&self) -> bool {
        self.target_signature.is_some() || self.target_key.is_some()
    }

    /// The wallet's signature in the form of its platform: base64 for Ethereum, whose wallets show
    /// hexadecimal.
    pub(super) fn of_wallet(&self, account: &Account) -> Option<String> {
        let given = self.wallet_signature.as_deref()?;
        Some(match account.platform.as_str() {
            "ethereum" => base64(given),
            _ => given.to_owned(),
        })
    }

    /// The other avatar's signature over the text, in hexadecimal.
    ///
    /// # Errors
    /// When the key cannot be read, or is not that of the avatar that is claimed.
    pub(super) fn of_target(
        &self,
        account: &Account,
        text: &str,
    ) -> Result<Option<String>, Failure> {
        let Some(path) = &self.target_key else {
            return Ok(self.target_signature.as_deref().map(hexadecimal));
        };
        let key = AvatarFile::of(path.clone())?;
        let (own, claimed) = (key.avatar(), &account.identity);
        if Avatar::parse(claimed) != Ok(own) {
            let path = path.display();
            let said = format!("--target-key: {path} is the key of {own}, not of {claimed}");
            return Err(Failure::new(Exit::Usage, said));
        }
        Ok(Some(hexadecimal(&key.sign(text))))
    }
}
