//! The `sealbook` binary: the command line, and the only place that names every crate.

mod commands;
mod config;
mod failure;
mod health;
mod listen;
mod logging;
mod metrics;
mod notify;
mod openapi;
mod output;
mod serve;
mod tls;
mod wire_up;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use store::redacted;

use commands::Command;
use failure::{Exit, Failure};
use output::Output;

/// The release.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, or "unknown"; see build.rs.
const COMMIT: &str = env!("SEALBOOK_COMMIT");
/// When it was built, in UNIX seconds, or "0"; see build.rs.
const BUILT_AT: &str = env!("SEALBOOK_BUILT_AT");

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted directory of names and keys that proves what it says.
#[derive(Parser)]
#[command(name = "sealbook", version, after_help = EXIT_CODES)]
struct Cli {
    /// Print JSON: one object, or one a line for progress; errors too, with a `code`
    #[arg(long, global = true)]
    json: bool,
    /// What to log to standard error: a level, or `target=level` pairs with commas; info has a line
    /// for every request that changes something, debug for all
    #[arg(long, global = true, value_name = "FILTER", default_value = "info")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 verification failed, \
                          5 conflict, 6 unreachable, 7 rate-limited.";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(cli.json);
    let done = cli.command.run(&output, &cli.log);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Answers a command line that cannot be read, or that asks for help.
fn refuse(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    let text = redacted(&error.to_string());
    if !wants_json && text != error.to_string() {
        Output::new(false).failure(&Failure::new(Exit::Usage, first_paragraph(&text)));
        return Exit::Usage.into();
    }
    if !error.use_stderr() || !wants_json {
        // A closed standard output is nobody's business when only help was to be shown.
        let _ = error.print();
        return if error.use_stderr() {
            Exit::Usage.into()
        } else {
            ExitCode::SUCCESS
        };
    }
    let said = first_paragraph(&text);
    Output::new(true).failure(&Failure::new(Exit::Usage, said));
    Exit::Usage.into()
}

/// What is wrong with a command line, with the arguments it is about, on one line.
fn first_paragraph(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
