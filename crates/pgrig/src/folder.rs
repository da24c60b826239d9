//! A server's folder, and those that runs which were killed have left behind.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::binaries::Binaries;
use crate::process;

const PREFIX: &str = "pgrig-";
/// Locked as long as the process lives that made the folder.
const LOCK: &str = "lock";
/// Mount point of the small disk.
pub(crate) const DISK: &str = "disk";

/// A folder; removed with the value.
pub(crate) struct Folder {
    dir: TempDir,
    _lock: File,
}

impl Folder {
    /// A new one, the ordinary user's. Removes those that nobody uses any more.
    pub(crate) fn make(binaries: &Binaries) -> Result<Self> {
        remove_left_behind(&std::env::temp_dir());
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let dir = dir.context("make a folder")?;
        binaries.give(dir.path())?;
        // Under its name only once it is locked: without it the folder is left alone.
        let unlocked = dir.path().join("lock.new");
        let lock = File::create(&unlocked).context("make the lock")?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).context("lock the folder")?;
        fs::rename(unlocked, dir.path().join(LOCK)).context("name the lock")?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes folders of ours whose maker is gone and in which no process runs. What cannot be removed
/// stays: it may be somebody else's.
fn remove_left_behind(all: &Path) {
    let Ok(entries) = fs::read_dir(all) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_one = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_one && may_be_read(&entry.path()) {
            let _stays = remove_if_unused(&entry.path());
        }
    }
}

/// Whether we can see all processes that could be in a folder: ours, or as root anybody's.
fn may_be_read(folder: &Path) -> bool {
    let us = rustix::process::geteuid();
    let owner = fs::symlink_metadata(folder).map(|of| (of.is_dir(), of.uid()));
    owner.is_ok_and(|(is_dir, owner)| is_dir && (us.is_root() || owner == us.as_raw()))
}

fn remove_if_unused(folder: &Path) -> Result<()> {
    let folder = fs::canonicalize(folder)?;
    let lock = File::open(folder.join(LOCK))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    // PostgreSQL's processes run in the folder of their data.
    if process::is_inhabited(&folder)? {
        return Ok(());
    }
    let disk = folder.join(DISK);
    if is_mounted(&disk)? {
        let mut unmount = Command::new("umount");
        unmount.arg(&disk);
        process::finish(unmount)?;
    }
    fs::remove_dir_all(&folder).context("remove a folder")
}

fn is_mounted(at: &PathBuf) -> Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
    let point = |line: &str| line.split(' ').nth(1).map(PathBuf::from);
    Ok(mounts.lines().any(|line| point(line).as_ref() == Some(at)))
}
