//! Which log each server was first seen with. The memory of checkpoints is kept by origin; without
//! this a server could show a log of another origin, of which nothing is remembered.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crypto::token::sha256;
use merkle::note::VerifierKey;

use crate::failure::{Exit, Failure};

/// The key of the log at an address: the one first seen there, which is written down when it is
/// `offered` for the first time.
///
/// # Errors
/// `Unverified` when another key is offered than the one first seen.
pub(super) fn key(state: &Path, url: &str, offered: VerifierKey) -> Result<VerifierKey, Failure> {
    let digits: String = sha256(url.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = state.join(format!("{digits}.key"));
    let cannot = |error: io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let text = offered.to_string();
    let known = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_first(state, &path, &text).map_err(cannot)?;
            fs::read_to_string(&path).map_err(cannot)?
        }
        known => known.map_err(cannot)?,
    };
    if known.trim_end() == text {
        return Ok(offered);
    }
    let said = format!(
        "the log of {url} has changed: its key was\n{}\nand is now\n{text}\nIf the change was \
         announced, remove {} and ask again",
        known.trim_end(),
        path.display()
    );
    Err(Failure::new(Exit::Unverified, said))
}

/// Reads a log's key as it was given on the command line.
///
/// # Errors
/// `Usage` when it is none.
pub(super) fn parse(text: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(text).map_err(|error| {
        let said = "give the whole of what `serve` prints as \"log key\", in quotes";
        Failure::new(Exit::Usage, format!("--log-key: {error}; {said}"))
    })
}

/// Writes a file whole, unless another process was first.
fn write_first(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = File::create(&new)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    let linked = match fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    fs::remove_file(&new)?;
    linked?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use merkle::note::KeyName;

    use super::*;

    fn offered(byte: u8) -> VerifierKey {
        VerifierKey::ed25519(KeyName::parse("example.test/log").unwrap(), &[byte; 32])
    }

    #[test]
    fn the_first_key_of_an_address_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        for _ in 0..2 {
            let known = key(&state, "http://a/", offered(1)).unwrap();
            assert_eq!(known, offered(1));
        }
        let failure = key(&state, "http://a/", offered(2)).unwrap_err();
        assert_eq!(failure.exit, Exit::Unverified);
        assert!(failure.said.contains(&offered(1).to_string()));
        assert!(failure.said.contains(&offered(2).to_string()));
        assert_eq!(key(&state, "http://b/", offered(2)).unwrap(), offered(2));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 2);
    }
}
