//! `sealbook key …`: the Tox profile that `push` and `delete` act for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use client::profile::Profile;
use engine::ports::rng::draw;
use outbound::system::OsRng;
use serde_json::json;

use super::places;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Bytes a profile file may have.
const FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a new Tox profile; a file that exists is never overwritten
    New {
        /// File to write; "-" is standard output. Default: sealbook/profile.json in the
        /// configuration directory
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the Tox ID of a profile
    Show(KeyFile),
}

/// The profile a command acts for.
#[derive(Args, Clone, Debug)]
pub(crate) struct KeyFile {
    /// Profile to use: a file made by `key new`, or 64 hexadecimal digits. Default:
    /// sealbook/profile.json in the configuration directory
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Key {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::New { out } => make(out, output),
            Self::Show(file) => {
                let tox_id = file.read()?.tox_id().to_string();
                output.result(&tox_id, &json!({ "tox_id": tox_id }))
            }
        }
    }
}

impl KeyFile {
    /// Reads the profile.
    ///
    /// # Errors
    /// Names the file, and what to do when there is none.
    pub(super) fn read(&self) -> Result<Profile, Failure> {
        let path = match &self.key {
            Some(path) => path.clone(),
            None => places::profile()?,
        };
        let cannot = |error: io::Error| {
            let hint = if error.kind() == io::ErrorKind::NotFound {
                "; make one with `sealbook key new`"
            } else {
                ""
            };
            Failure::failed(format!("cannot read {}: {error}{hint}", path.display()))
        };
        let length = fs::metadata(&path).map_err(cannot)?.len();
        if length > FILE_BYTES_MAX {
            let said = format!("{} is no profile: it has {length} bytes", path.display());
            return Err(Failure::failed(said));
        }
        let text = zeroize::Zeroizing::new(fs::read_to_string(&path).map_err(cannot)?);
        Profile::parse(&text)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    }
}

fn make(out: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    let profile = Profile::new(draw(&OsRng), draw(&OsRng));
    let text = profile.to_json();
    if out.as_deref() == Some(Path::new("-")) {
        return io::stdout()
            .write_all(format!("{}\n", text.expose()).as_bytes())
            .map_err(|error| Failure::failed(format!("cannot write: {error}")));
    }
    let path = match out {
        Some(path) => path,
        None => places::profile()?,
    };
    write(&path, text.expose()).map_err(|error| {
        let path = path.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            let said = format!("{path} exists already; name another with --out");
            return Failure::new(Exit::Conflict, said);
        }
        Failure::failed(format!("cannot write {path}: {error}"))
    })?;
    let (tox_id, file) = (profile.tox_id().to_string(), path.display().to_string());
    output.result(
        &format!("{tox_id}\nThe secret key is in {file}: keep a copy of it."),
        &json!({ "tox_id": tox_id, "file": file }),
    )
}

/// Writes a new file for its owner alone, durably.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(dir)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    File::open(dir)?.sync_all()
}
