//! What lies under the server's data directory, and what a crash does to it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::undo;
use crate::loop_disk::LoopDisk;
use crate::tools::{Source, run};

const LOSTCACHE: Source = Source {
    name: "lostcache",
    text: include_str!("../../../../tests/tools/lostcache.c"),
};
const SHUT: Source = Source {
    name: "shut",
    text: include_str!("../../../../tests/tools/shut.c"),
};
/// Size of the file system that loses its power, in bytes; sparse.
const IMAGE_BYTES: u64 = 4 << 30;

/// What a crash takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process alone: what was written stays.
    Kill,
    /// The process and all that no sync covers, emulated file by file.
    LostCache,
    /// The power of a loop-mounted ext4: what the kernel had not written is gone.
    PowerCut,
}

/// The server's disk.
pub(crate) struct Disk {
    fault: Fault,
    folder: PathBuf,
    data: PathBuf,
    has_shim: bool,
    power: Option<LoopDisk>,
}

impl Disk {
    /// Prepares `folder`; `needs_shim` if syncs are to be dropped at some time.
    pub(crate) fn prepare(fault: Fault, folder: &Path, needs_shim: bool) -> Result<Self> {
        let folder = folder.canonicalize().context("find the scratch folder")?;
        let data = folder.join("data");
        fs::create_dir(&data).context("make the data folder")?;
        let mut disk = Self {
            fault,
            folder,
            data,
            has_shim: needs_shim || fault == Fault::LostCache,
            power: None,
        };
        if disk.has_shim {
            LOSTCACHE.library(&disk.folder)?;
            fs::create_dir(disk.undo()).context("make the folder for undo records")?;
        }
        if fault == Fault::PowerCut {
            SHUT.programme(&disk.folder)?;
            disk.power = Some(LoopDisk::make(&disk.folder, &disk.data, IMAGE_BYTES)?);
        }
        Ok(disk)
    }

    /// The server's working directory; its data goes below.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What the server's environment needs; with `drop_syncs` its syncs do nothing.
    pub(crate) fn environment(&self, drop_syncs: bool) -> Vec<(&'static str, OsString)> {
        if !self.has_shim {
            return Vec::new();
        }
        let mut variables = vec![("LD_PRELOAD", self.folder.join("lostcache.so").into())];
        if self.fault == Fault::LostCache {
            variables.push(("LOSTCACHE_DIR", self.data.clone().into()));
            variables.push(("LOSTCACHE_UNDO", self.undo().into()));
        }
        if drop_syncs {
            variables.push(("LOSTCACHE_DROP", "1".into()));
        }
        variables
    }

    /// Cuts the power, when that is the fault. The server still runs; kill it next.
    pub(crate) fn cut(&self) -> Result<()> {
        if self.fault != Fault::PowerCut {
            return Ok(());
        }
        let shut = self.folder.join("shut");
        run(Command::new(shut).arg(&self.data).arg("2"))
    }

    /// Brings the disk back after the server is gone.
    pub(crate) fn recover(&mut self) -> Result<()> {
        match self.fault {
            Fault::Kill => Ok(()),
            Fault::LostCache => undo::play_back(&self.data, &self.undo()).map(drop),
            Fault::PowerCut => self.power.as_mut().map_or(Ok(()), LoopDisk::again),
        }
    }

    fn undo(&self) -> PathBuf {
        self.folder.join("undo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `b` over `a` and appends `c`, with or without a sync in between, then loses the cache.
    fn after_losing_the_cache(drop_syncs: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::prepare(Fault::LostCache, folder.path(), drop_syncs).unwrap();
        let script = "import os\n\
                      f = os.open('file', os.O_CREAT | os.O_RDWR)\n\
                      os.write(f, b'aaaa')\n\
                      os.pwrite(f, b'b', 1)\n\
                      os.fdatasync(f)\n\
                      os.pwrite(f, b'cccccc', 2)\n";
        run(Command::new("python3")
            .args(["-c", script])
            .current_dir(disk.data())
            .envs(disk.environment(drop_syncs)))
        .unwrap();
        let path = disk.data().join("file");
        assert_eq!(fs::read_to_string(&path).unwrap(), "abcccccc");
        disk.recover().unwrap();
        fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn a_lost_cache_keeps_what_was_synced_and_no_more() {
        assert_eq!(after_losing_the_cache(false), "abaa");
        assert_eq!(after_losing_the_cache(true), "");
    }

    #[test]
    fn a_plain_kill_needs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::prepare(Fault::Kill, folder.path(), false).unwrap();
        assert!(disk.environment(false).is_empty());
        disk.cut().unwrap();
        disk.recover().unwrap();
    }
}
