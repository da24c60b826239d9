//! Where results and progress go: results to standard output, progress to standard error.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints a result as text, or as one line of JSON.
    pub(crate) fn print(&self, text: &str, value: &serde_json::Value) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{value}").context("print the result")
        } else {
            writeln!(out, "{text}").context("print the result")
        }
    }

    /// Says how far a programme is. On a terminal the line is written over by the next one.
    pub(crate) fn progress(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let written = if err.is_terminal() {
            write!(err, "\r\x1b[K{text}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{text}")
        };
        // Progress nobody can read is no reason to stop.
        drop(written);
    }
}
