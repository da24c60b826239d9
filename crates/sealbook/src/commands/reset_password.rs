//! `sealbook reset-password`

use clap::Args;
use serde_json::json;

use super::key::KeyFile;
use super::on_one_core;
use super::remote::{Remote, freshness};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct ResetPassword {
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    remote: Remote,
}

impl ResetPassword {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(self.reset(*output))
    }

    async fn reset(self, output: Output) -> Result<(), Failure> {
        let profile = self.key.read()?;
        let toxme = self.remote.toxme()?;
        let refused = |error| self.remote.refused(error);
        let server = toxme.server_keys().await.map_err(refused)?;
        let password = toxme
            .reset_password(&server, &profile, freshness())
            .await
            .map_err(refused)?;
        let (tox_id, password) = (profile.tox_id().to_string(), password.expose());
        let words = format!(
            "new edit password of {tox_id}: {password}\n\
             The password is shown this once, and the one before it is void."
        );
        output.result(&words, &json!({ "tox_id": tox_id, "password": password }))
    }
}
