//! Files that an operator names: read whole, but never waited for and never too large.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Reads a regular file of at most so many bytes. A pipe or a device is refused instead of waited for.
///
/// # Errors
/// When it cannot be read, is something else, or is larger.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        let said = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::other(said));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        fs::write(&path, "12345").expect("written");
        assert_eq!(read_small(&path, 5).expect("read"), b"12345");
        let said = |path: &Path| read_small(path, 4).expect_err("refused").to_string();
        assert!(said(&path).contains("larger than 4 bytes"));
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        for path in [&pipe, Path::new("/dev/zero"), dir.path()] {
            assert!(said(path).contains("regular"), "{}", path.display());
        }
        assert!(said(&dir.path().join("absent")).contains("No such file"));
    }
}
