//! `sealbook config …`

use clap::Subcommand;
use serde_json::json;

use super::Configured;
use crate::config::{default_file, markdown, shown, shown_json};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Read everything and start nothing; exit code 2 and every problem with its place otherwise
    Check(Configured),
    /// Print the configuration in force
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        configured: Configured,
    },
    /// Print a commented file with every key
    Default {
        /// Print the reference, docs/CONFIG.md, instead
        #[arg(long)]
        markdown: bool,
    },
}

impl Config {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Check(configured) => {
                configured.load()?;
                output.result("the configuration is good", &json!({ "ok": true }))
            }
            Self::Show { origin, configured } => {
                let loaded = configured.load()?;
                output.result(&shown(&loaded, origin), &shown_json(&loaded))
            }
            Self::Default { markdown: true } => {
                output.result(&markdown(), &json!({ "text": markdown() }))
            }
            Self::Default { markdown: false } => {
                output.result(&default_file(), &json!({ "text": default_file() }))
            }
        }
    }
}
