//! Statements for a database that somebody else runs.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::binaries::{DEBIAN, newest};
use crate::process;

/// Runs SQL in the database of a URL with PostgreSQL's own client and answers what it prints,
/// columns separated by `|`. Only that client has to be installed.
///
/// # Errors
/// When the database cannot be reached or refuses.
pub fn psql(url: &str, sql: &str) -> Result<String> {
    // Debian's `psql` in PATH would look at the settings of another server.
    let path = newest(Path::new(DEBIAN)).map_or_else(|| "psql".into(), |dir| dir.join("psql"));
    let mut psql = Command::new(path);
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
        .args(["-d", url, "-c", sql])
        .env("PGOPTIONS", "-c client_min_messages=warning");
    process::finish(psql)
}
