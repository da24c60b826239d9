//! `sealbook completion …`

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use serde_json::json;

use crate::Cli;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "sealbook", &mut script);
        let script = String::from_utf8_lossy(&script);
        let object = json!({ "shell": self.shell.to_string(), "text": script });
        output.result(&script, &object)
    }
}
