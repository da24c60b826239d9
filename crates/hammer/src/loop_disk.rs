//! An ext4 of its own on a loop device: a disk that can lose its power or fill up. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tools::run;

/// Begin of an image's file name; the process id follows, so that one left behind is recognised.
const IMAGE: &str = "hammer-disk-";
/// Size of the disk that [`usable`] tries, in bytes.
const TRIAL_BYTES: u64 = 8 << 20;

/// A mounted file system in an image file. Dropping it unmounts it; the file goes with its folder.
pub(crate) struct LoopDisk {
    image: PathBuf,
    at: PathBuf,
    mounted: bool,
}

impl LoopDisk {
    /// Makes an image of `bytes` (sparse) in `folder` and mounts it over the folder `at`.
    pub(crate) fn make(folder: &Path, at: &Path, bytes: u64) -> Result<Self> {
        let image = folder.join(format!("{IMAGE}{}.ext4", std::process::id()));
        let file = fs::File::create(&image).context("make the image")?;
        file.set_len(bytes).context("size the image")?;
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image))?;
        let mut disk = Self {
            image,
            at: at.to_owned(),
            mounted: false,
        };
        disk.mount()?;
        Ok(disk)
    }

    /// Unmounts and mounts again, as a machine that was switched off and on.
    pub(crate) fn again(&mut self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<()> {
        let mut mount = Command::new("mount");
        run(mount.args(["-o", "loop"]).arg(&self.image).arg(&self.at))?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        run(Command::new("umount").arg(&self.at))?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            // The scratch folder cannot be removed then; a lazy unmount leaves nothing behind once
            // the last user is gone.
            let lazy = run(Command::new("umount").arg("-l").arg(&self.at));
            self.mounted = lazy.is_err();
        }
    }
}

/// Tries whether this process may have such a disk.
///
/// # Errors
/// What is missing: a command, root, loop devices.
pub(crate) fn usable() -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let at = folder.path().join("disk");
    fs::create_dir(&at).context("make a folder")?;
    LoopDisk::make(folder.path(), &at, TRIAL_BYTES)?.unmount()
}

/// Loop devices whose image was made here by a process that is gone: what a killed run left.
pub(crate) fn stale() -> Vec<String> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let backing = devices.filter_map(|device| {
        let image = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        let name = Path::new(image.trim()).file_name()?.to_str()?;
        let owner = owner(name)?;
        let gone = !Path::new("/proc").join(owner.to_string()).exists();
        gone.then(|| format!("/dev/{} ({})", device.file_name().display(), image.trim()))
    });
    backing.collect()
}

/// The process that made an image, by the image's file name.
fn owner(name: &str) -> Option<u32> {
    let rest = name.strip_prefix(IMAGE)?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_its_maker() {
        assert_eq!(owner("hammer-disk-123.ext4"), Some(123));
        assert_eq!(owner("hammer-disk-123.ext4 (deleted)"), Some(123));
        assert_eq!(owner("hammer-disk-.ext4"), None);
        assert_eq!(owner("image"), None);
    }
}
