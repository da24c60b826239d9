//! The C sources of `tests/tools`, compiled where they are needed, commands run to their end, and the
//! files below a folder.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// One source file.
pub(crate) struct Source {
    /// Name without an ending.
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Source {
    /// Compiles a library for `LD_PRELOAD` in a folder.
    pub(crate) fn library(&self, folder: &Path) -> Result<PathBuf> {
        let output = folder.join(format!("{}.so", self.name));
        self.compile(folder, &output, &["-shared", "-fPIC"])?;
        Ok(output)
    }

    /// Compiles a programme in a folder, under the source's name.
    pub(crate) fn programme(&self, folder: &Path) -> Result<PathBuf> {
        let output = folder.join(self.name);
        self.compile(folder, &output, &[])?;
        Ok(output)
    }

    fn compile(&self, folder: &Path, output: &Path, how: &[&str]) -> Result<()> {
        let source = folder.join(format!("{}.c", self.name));
        fs::write(&source, self.text).with_context(|| format!("write {}", source.display()))?;
        let mut cc = Command::new("cc");
        cc.arg("-O2").arg(&source).args(how);
        run(cc.args([OsStr::new("-o"), output.as_os_str(), OsStr::new("-ldl")]))
    }
}

/// Runs a command to its end.
///
/// # Errors
/// What it said, when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("start {}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        said.trim()
    );
    Ok(())
}

/// Every regular file below a folder, in no order. Links are not followed.
///
/// # Errors
/// When a folder cannot be listed.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()));
        for entry in entries? {
            let path = entry?.path();
            let state = fs::symlink_metadata(&path)?;
            if state.is_dir() {
                open.push(path);
            } else if state.is_file() {
                files.push((path, state));
            }
        }
    }
    Ok(files)
}
