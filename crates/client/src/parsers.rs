//! The parsers that are this crate's own, as plain functions of bytes: each parses, and panics if
//! what it accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

use crate::remembered::{Remembered, files};

/// Reads a server's reply as each action would; true when one of them would take it.
///
/// # Panics
/// When a Tox ID that is accepted is written differently.
#[must_use]
pub fn toxme_reply(body: &[u8]) -> bool {
    crate::toxme::parsers::reply(body)
}

/// Reads a file of remembered checkpoints.
#[must_use]
pub fn remembered_file(bytes: &[u8]) -> Option<Remembered> {
    files::parse(bytes)
}
