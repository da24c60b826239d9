//! The process's log: standard error, for people on a terminal, JSON lines otherwise.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::{Exit, Failure};

/// Starts logging what the filter lets through.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), Failure> {
    let wrong = |said: &dyn fmt::Display| {
        let said = format!("--log {filter:?}: {said}; write a level such as info, or target=level");
        Failure::new(Exit::Usage, said)
    };
    if let Some(word) = filter.split(',').find(|part| is_neither(part)) {
        return Err(wrong(&format_args!("{word:?} is no level")));
    }
    let filter = EnvFilter::try_new(filter).map_err(|error| wrong(&error))?;
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

/// Whether a part of a filter is neither a level nor a pair. The filter would take it for a target,
/// and a misspelt level would turn everything else off.
fn is_neither(part: &str) -> bool {
    let part = part.trim();
    !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err()
}
