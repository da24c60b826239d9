//! `sealbook serve`

use clap::Args;

use super::{Configured, on_all_cores};
use crate::failure::Failure;
use crate::output::Output;
use crate::serve::serve;

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    configured: Configured,
}

impl Serve {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let loaded = self.configured.load()?;
        on_all_cores(serve(&loaded.config, *output))
    }
}
