//! How a command ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

/// Exit codes, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything without a code of its own.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// No such name.
    NotFound = 3,
    /// Something does not verify.
    Unverified = 4,
    /// The name or the key is taken, or the data directory is in use.
    Conflict = 5,
    /// No server answered.
    Unreachable = 6,
    /// The server asks to come back later.
    RateLimited = 7,
}

impl Exit {
    /// The word in JSON.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Unverified => "verification-failed",
            Self::Conflict => "conflict",
            Self::Unreachable => "unreachable",
            Self::RateLimited => "rate-limited",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, as its user is told.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the process answers.
    pub(crate) exit: Exit,
    /// What is wrong, where, and what to do about it.
    pub(crate) said: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, said: impl Into<String>) -> Self {
        let said = said.into();
        Self { exit, said }
    }

    /// A failure without an exit code of its own.
    pub(crate) fn failed(said: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, said.to_string())
    }
}

/// An error and its sources, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        // Transparent errors repeat their source.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}
