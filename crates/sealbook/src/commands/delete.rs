//! `sealbook delete`

use clap::Args;
use serde_json::json;

use super::key::KeyFile;
use super::on_one_core;
use super::remote::{Remote, freshness};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    remote: Remote,
}

impl Delete {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(self.delete(*output))
    }

    async fn delete(self, output: Output) -> Result<(), Failure> {
        let profile = self.key.read()?;
        let toxme = self.remote.toxme()?;
        let refused = |error| self.remote.refused(error);
        let server = toxme.server_keys().await.map_err(refused)?;
        toxme
            .delete(&server, &profile, freshness())
            .await
            .map_err(refused)?;
        let tox_id = profile.tox_id().to_string();
        let words = format!("the record of {tox_id} is deleted");
        output.result(&words, &json!({ "deleted": true, "tox_id": tox_id }))
    }
}
