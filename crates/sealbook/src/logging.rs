//! The process's log: lines on standard error, text for people on a terminal, JSON otherwise.

mod lines;

use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;
use crate::failure::{Exit, Failure};
use lines::{JsonLines, TextLines};

/// Starts logging what the filter lets through.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), Failure> {
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
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let is_text = match format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    if is_text {
        log.event_format(TextLines).init();
    } else {
        log.event_format(JsonLines).init();
    }
    panic::set_hook(Box::new(say_panic));
    Ok(())
}

/// A panic is one line like any other; whoever catches it says what was being done.
fn say_panic(info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(ToString::to_string);
    tracing::error!(place, "panicked: {said}");
}

/// Whether a part of a filter is neither a level nor a pair. The filter would take it for a target,
/// and a misspelt level would turn everything else off.
fn is_neither(part: &str) -> bool {
    let part = part.trim();
    !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err()
}
