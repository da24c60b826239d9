//! The few operations that a test makes fail: everything between a group and the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::handle::Handle;
use super::marks::Marks;

/// File that [`Disk::probe`] writes, in the store's directory.
const PROBE_FILE: &str = "space.probe";

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub(crate) available: u64,
    pub(crate) total: u64,
}

pub(crate) trait Disk: Send + Sync {
    /// Space of the file system that holds `dir`.
    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(Space {
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }

    /// Writes `bytes` into a file of their own, syncs and removes it: what a quota leaves, and what
    /// others take at the same moment, does not show in [`Self::space`].
    fn probe(&self, dir: &Path, bytes: usize) -> io::Result<()> {
        let path = dir.join(PROBE_FILE);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0xff; bytes])?;
            file.sync_data()
        });
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    /// Bytes that the files below `dir` take.
    fn taken(&self, dir: &Path) -> io::Result<u64> {
        let mut bytes = 0_u64;
        let mut dirs = vec![dir.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                match entry.metadata() {
                    Ok(data) if data.is_dir() => dirs.push(entry.path()),
                    Ok(data) => bytes = bytes.saturating_add(data.blocks().saturating_mul(512)),
                    // The engine has removed it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(bytes)
    }

    /// Whether the engine still takes writes: see [`Handle::check`].
    fn check(&self, handle: &Handle) -> fjall::Result<()> {
        handle.check()
    }

    /// Writes and syncs the engine's batch.
    fn write(&self, batch: fjall::OwnedWriteBatch) -> fjall::Result<()> {
        batch.commit()
    }

    /// Writes and syncs the commit number.
    fn mark(&self, marks: &mut Marks, number: u64) -> io::Result<()> {
        marks.put(number)
    }
}

/// The machine's disk.
pub(crate) struct RealDisk;

impl Disk for RealDisk {}
