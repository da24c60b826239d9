//! A small disk that can be filled: a file system in memory, mounted for one server.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::binaries::Binaries;
use crate::folder::DISK;
use crate::process;

const CHUNK_BYTES: usize = 1 << 20;

/// The disk; unmounted with the value.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts a disk of so many bytes in a folder.
    pub(crate) fn mount(dir: &Path, bytes: u64, binaries: &Binaries) -> Result<Self> {
        let at = dir.join(DISK);
        fs::create_dir(&at).context("make the mount point")?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700")]);
        process::finish(arguments(mount, &["pgrig"], &at))?;
        let disk = Self { at };
        binaries.give(&disk.at)?;
        Ok(disk)
    }

    /// Folder for the server's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.at.join("data")
    }

    /// Takes all space that is left.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast()).context("make the ballast")?;
        let mut chunk = vec![0; CHUNK_BYTES];
        while !chunk.is_empty() {
            match ballast.write_all(&chunk) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    chunk.truncate(chunk.len() / 2);
                }
                Err(error) => return Err(error).context("write the ballast"),
            }
        }
        Ok(())
    }

    pub(crate) fn free(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("remove the ballast")
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: it goes with its last user, should one be left.
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy");
        let _nothing_left_to_do = process::finish(arguments(unmount, &[], &self.at));
    }
}

/// Whether this process may mount a disk: needs root, and a system that lets it.
#[must_use]
pub fn can_mount() -> bool {
    let mounted = || -> Result<()> {
        let dir = tempfile::tempdir().context("make a folder")?;
        Disk::mount(dir.path(), 1 << 20, &Binaries::find()?).map(drop)
    };
    rustix::process::geteuid().is_root() && mounted().is_ok()
}

fn arguments(mut command: Command, words: &[&str], at: &Path) -> Command {
    command.args(words).arg(at);
    command
}
