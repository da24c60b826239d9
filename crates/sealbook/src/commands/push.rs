//! `sealbook push`

use clap::{Args, ValueEnum};
use client::link::Visibility;
use client::toxme::Registration;
use serde_json::json;

use super::key::KeyFile;
use super::on_one_core;
use super::remote::{Remote, freshness};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Push {
    /// Name to register, or registered already
    name: String,
    #[command(flatten)]
    key: KeyFile,
    /// A few words about yourself. The whole record is replaced: without this they are gone
    #[arg(long, default_value = "")]
    bio: String,
    /// Who may find the name without knowing it. Without this it becomes private
    #[arg(long, value_enum, default_value = "private")]
    privacy: Privacy,
    #[command(flatten)]
    remote: Remote,
}

/// Who may find a name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Privacy {
    /// Found by its exact name only
    #[value(alias = "0")]
    Private,
    /// Found by search and by its key too
    #[value(alias = "1")]
    Searchable,
    /// On the public list too
    #[value(alias = "2")]
    Listed,
}

impl From<Privacy> for Visibility {
    fn from(privacy: Privacy) -> Self {
        match privacy {
            Privacy::Private => Self::Private,
            Privacy::Searchable => Self::Searchable,
            Privacy::Listed => Self::Listed,
        }
    }
}

impl Push {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(self.push(*output))
    }

    async fn push(self, output: Output) -> Result<(), Failure> {
        let profile = self.key.read()?;
        let toxme = self.remote.toxme()?;
        let refused = |error| self.remote.refused(error);
        let server = toxme.server_keys().await.map_err(refused)?;
        let wanted = Registration {
            name: &self.name,
            visibility: self.privacy.into(),
            bio: &self.bio,
        };
        let password = toxme
            .push(&server, &profile, wanted, freshness())
            .await
            .map_err(refused)?;
        let (name, tox_id) = (&self.name, profile.tox_id().to_string());
        let password = password.as_ref().map(|password| password.expose().as_str());
        let words = match password {
            Some(password) => format!(
                "{name} points to {tox_id}\n\
                 edit password: {password}\n\
                 The password is shown this once. The web form asks for it; the key changes the record without."
            ),
            None => format!("{name} points to {tox_id}: the record is changed"),
        };
        let object = json!({
            "name": name, "tox_id": tox_id, "new": password.is_some(), "password": password,
        });
        output.result(&words, &object)
    }
}
