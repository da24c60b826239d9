//! Where a user's files are when nobody says: XDG directories.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::{Exit, Failure};

/// The profile that `push` and `delete` use.
pub(super) fn profile() -> Result<PathBuf, Failure> {
    let given = env::var_os("XDG_CONFIG_HOME");
    let dir = below(given, ".config").ok_or_else(|| no_home("--key FILE"))?;
    Ok(dir.join("profile.json"))
}

/// The avatar that `prove` acts for.
pub(super) fn avatar() -> Result<PathBuf, Failure> {
    let given = env::var_os("XDG_CONFIG_HOME");
    let dir = below(given, ".config").ok_or_else(|| no_home("--key FILE"))?;
    Ok(dir.join("avatar.json"))
}

/// The directory of what is remembered of logs.
pub(super) fn state() -> Result<PathBuf, Failure> {
    let given = env::var_os("XDG_STATE_HOME");
    below(given, ".local/state").ok_or_else(|| no_home("--state DIR"))
}

/// Our directory below the one given, or below this one in the home directory.
fn below(given: Option<OsString>, in_home: &str) -> Option<PathBuf> {
    let set = |value: &OsString| !value.is_empty();
    let base = match given.filter(set) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env::var_os("HOME").filter(set)?).join(in_home),
    };
    Some(base.join("sealbook"))
}

fn no_home(flag: &str) -> Failure {
    let said = format!("HOME is not set, so there is no default place: say {flag}");
    Failure::new(Exit::Usage, said)
}
