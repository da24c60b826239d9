//! PostgreSQL's programmes, and the user who may run them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// Where Debian puts each version.
pub(crate) const DEBIAN: &str = "/usr/lib/postgresql";

/// The programmes of one version.
pub(crate) struct Binaries {
    dir: PathBuf,
    /// Who runs them, when we are root.
    user: Option<User>,
}

struct User {
    uid: u32,
    gid: u32,
}

impl Binaries {
    /// The newest version installed.
    pub(crate) fn find() -> Result<Self> {
        let dir = newest(Path::new(DEBIAN))
            .or_else(in_path)
            .context("PostgreSQL is not installed: apt-get install postgresql-15")?;
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { Some(ordinary()?) } else { None };
        Ok(Self { dir, user })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A command of PostgreSQL's, run as the ordinary user.
    pub(crate) fn command(&self, name: &str) -> Command {
        self.unprivileged(self.path(name))
    }

    /// Any command, run as the ordinary user and away from folders that user may not enter.
    pub(crate) fn unprivileged(&self, programme: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.user {
            None => Command::new(programme),
            Some(User { uid, gid }) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={uid}"));
                command.arg(format!("--regid={gid}"));
                command.args(["--clear-groups", "--"]).arg(programme);
                command
            }
        };
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// Makes a file or folder the ordinary user's.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        let Some(User { uid, gid }) = &self.user else {
            return Ok(());
        };
        chown(path, Some(*uid), Some(*gid)).with_context(|| format!("give {}", path.display()))
    }
}

pub(crate) fn newest(versions: &Path) -> Option<PathBuf> {
    let number = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    fs::read_dir(versions)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(number)
        .map(|path| path.join("bin"))
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|dir| dir.join("postgres").exists())
}

/// Somebody who is not root: `postgres`, else `nobody`.
fn ordinary() -> Result<User> {
    let users = fs::read_to_string("/etc/passwd").context("read the users")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| users.lines().find_map(|line| user(line, name)))
        .context("there is no user to run PostgreSQL as")
}

fn user(line: &str, name: &str) -> Option<User> {
    let mut fields = line.split(':');
    (fields.next() == Some(name)).then_some(())?;
    let mut numbers = fields.skip(1).map_while(|field| field.parse().ok());
    Some(User {
        uid: numbers.next()?,
        gid: numbers.next()?,
    })
}
