//! The process's log: standard error, for people on a terminal, JSON lines otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::failure::{Exit, Failure};

/// Starts logging what the filter lets through.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        let said =
            format!("--log {filter:?}: {error}; write a level such as info, or target=level");
        Failure::new(Exit::Usage, said)
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if json || !io::stderr().is_terminal() {
        log.json().flatten_event(true).init();
    } else {
        log.with_target(false).init();
    }
    Ok(())
}
