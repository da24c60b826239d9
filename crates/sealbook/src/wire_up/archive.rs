//! Where copies of links go.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use crypto::arweave_key::{ArweaveKey, JWK_BYTES_MAX};
use engine::ports::archive::Archive;
use engine::ports::fetch::WebFetcher;
use outbound::archive::{Bundler, Gateway};
use zeroize::Zeroizing;

use crate::config::{ArweaveMode, Config};
use crate::failure::Failure;

/// The archive of the configuration, if it has one. Asks nobody yet.
///
/// # Errors
/// When its key cannot be read.
pub(super) fn archive(
    config: &Config,
    web: &Arc<dyn WebFetcher>,
) -> Result<Option<Arc<dyn Archive>>, Failure> {
    let settings = &config.arweave;
    // The configuration has looked: there is a file unless there is no archive.
    let Some(path) = &settings.key_file else {
        return Ok(None);
    };
    let archive: Arc<dyn Archive> = match settings.mode {
        ArweaveMode::None => return Ok(None),
        ArweaveMode::Gateway => {
            let fee_max = settings.fee_max.winston;
            Arc::new(Gateway::new(web.clone(), key(path)?, fee_max))
        }
        ArweaveMode::Bundler => Arc::new(Bundler::new(web.clone(), key(path)?)),
    };
    Ok(Some(archive))
}

/// Reads the key. What is wrong with it says nothing of its content.
fn key(path: &Path) -> Result<ArweaveKey, Failure> {
    let failed = |what: String| {
        let hint = "name the JWK file of the wallet that pays for copies, or set arweave.mode to \
                    \"none\"";
        let path = path.display();
        Failure::failed(format!("arweave.key_file: {path}: {what}; {hint}"))
    };
    let json = read(path).map_err(|error| failed(format!("cannot read it: {error}")))?;
    ArweaveKey::from_jwk(&json).map_err(|fault| failed(fault.to_string()))
}

/// The file up to a byte more than a key may have.
fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!(%path, "the key of a wallet can be read by others: run chmod 600 on it");
    }
    // Grows at no time, so that no copy is left behind.
    let mut json = Zeroizing::new(Vec::with_capacity(2 * JWK_BYTES_MAX));
    let most = (JWK_BYTES_MAX as u64).saturating_add(1);
    file.take(most).read_to_end(&mut json)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::{fs, io};

    use super::*;
    use crate::config::{Given, load};

    const JWK: &str = include_str!("../../../crypto/vectors/arweave-key.json");

    fn archive_with(mode: &str, path: &Path) -> Result<bool, Failure> {
        let given = Given {
            file: None,
            set: vec![
                format!("arweave.mode={mode}"),
                format!("arweave.key_file={}", path.display()),
                "upstreams.arweave=http://127.0.0.1:1".into(),
            ],
        };
        let config = load(&given, []).unwrap().config;
        let outgoing = crate::wire_up::outgoing(&config)?;
        archive(&config, &outgoing.web).map(|archive| archive.is_some())
    }

    #[tokio::test]
    async fn there_is_an_archive_when_there_is_a_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.json");
        fs::write(&path, JWK).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for (mode, is_there) in [("none", false), ("gateway", true), ("bundler", true)] {
            assert_eq!(archive_with(mode, &path).unwrap(), is_there);
        }
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_used_is_named_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.json");
        let long = format!("{JWK}{}", " ".repeat(JWK_BYTES_MAX));
        let jwk: serde_json::Value = serde_json::from_str(JWK).unwrap();
        let secret = jwk["d"].as_str().unwrap();
        let odd = JWK.replace(secret, &secret[..secret.len() - 4]);
        for (content, said) in [
            ("", "not an RSA key in JSON (JWK)"),
            ("{\"kty\":\"EC\"}", "not an RSA key in JSON (JWK)"),
            (&long, "not an RSA key in JSON (JWK)"),
            (&odd, "the numbers are no RSA key"),
        ] {
            fs::write(&path, content).unwrap();
            let failure = archive_with("gateway", &path).unwrap_err();
            let (start, rest) = failure.said.split_at("arweave.key_file: ".len());
            assert_eq!(start, "arweave.key_file: ");
            assert!(rest.starts_with(path.to_str().unwrap()), "{rest}");
            assert!(rest.contains(said), "{rest}");
            assert!(rest.ends_with("or set arweave.mode to \"none\""), "{rest}");
            assert!(!rest.contains(&secret[..20]));
        }
        fs::remove_file(&path).unwrap();
        let failure = archive_with("bundler", &path).unwrap_err();
        let missing = io::Error::from_raw_os_error(2).to_string();
        let expected = format!("{}: cannot read it: {missing}; ", path.display());
        assert!(failure.said.contains(&expected), "{}", failure.said);
        // A mode of "none" needs no key, not even a readable one.
        assert!(!archive_with("none", &path).unwrap());
    }
}
