//! `sealbook import …`

mod database;
mod record;
mod tally;
mod toxme;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Import {
    /// Take over the records and the key of an original toxme server
    Toxme(toxme::Toxme),
}

impl Import {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Toxme(command) => command.run(output),
        }
    }
}
