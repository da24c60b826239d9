//! The checkers of claims: those that can work as the server is configured.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use checkers::configured::{Configured, PlatformKeys};
use checkers::{
    ActivityPub, Discord, Dns, DotBit, Ens, Ethereum, GitHub, Https, Keybase, Minds, OtherAvatar,
    Solana, Steam, Telegram, TikTok, Twitter,
};
use crypto::secret::Secret;
use engine::ports::checker::ClaimChecker;
use outbound::fetch::{Service, UpstreamUrl};

use crate::config::Config;
use crate::failure::Failure;

/// Bytes of a file with a token.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

type Checker = Arc<dyn ClaimChecker>;

/// One checker for each service that can be asked, the operator's own last.
///
/// # Errors
/// When a token cannot be read.
pub(super) fn checkers(config: &Config) -> Result<Vec<Checker>, Failure> {
    let mut checkers = without_keys(config);
    checkers.extend(with_keys(config)?);
    checkers.retain(|checker| !config.proofs.disabled.has(checker.service()));
    for keys in &config.platforms {
        checkers.push(Arc::new(configured(keys)?));
    }
    Ok(checkers)
}

fn without_keys(config: &Config) -> Vec<Checker> {
    let over_https = config.upstreams.dns_over_https.is_some();
    let mut checkers: Vec<Checker> = vec![
        Arc::new(ActivityPub),
        Arc::new(Dns { over_https }),
        Arc::new(DotBit),
        Arc::new(Ethereum),
        Arc::new(Https),
        Arc::new(Minds),
        Arc::new(OtherAvatar),
        Arc::new(Solana),
        Arc::new(Steam),
        Arc::new(Telegram),
        Arc::new(TikTok),
    ];
    // Keybase has shut its own.
    let is_own = |service: &Service| {
        service.name == checkers::names::KEYBASE_PUB
            && service.default.as_ref() != Some(&service.url)
    };
    if config.services().iter().any(is_own) {
        checkers.push(Arc::new(Keybase));
    }
    if config.upstreams.ethereum_rpc.is_some() {
        checkers.push(Arc::new(Ens));
    }
    checkers
}

fn with_keys(config: &Config) -> Result<Vec<Checker>, Failure> {
    let proofs = &config.proofs;
    let token = |key, path: &Option<_>| path.as_deref().map(|path| token(key, path)).transpose();
    let mut checkers: Vec<Checker> = vec![Arc::new(GitHub {
        token: token("proofs.github_token_file", &proofs.github_token_file)?,
    })];
    let twitter = Twitter {
        token: token("proofs.twitter_token_file", &proofs.twitter_token_file)?,
        order: proofs.twitter.0.clone(),
    };
    if twitter.can_work() {
        checkers.push(Arc::new(twitter));
    }
    if let Some(token) = token("proofs.discord_token_file", &proofs.discord_token_file)? {
        checkers.push(Arc::new(Discord { token }));
    }
    Ok(checkers)
}

/// Reads a token: the first line of a file, without white space around it.
fn token(key: &str, path: &Path) -> Result<Secret<String>, Failure> {
    let failed = |what: String| Failure::failed(format!("{key}: {}: {what}", path.display()));
    let data = fs::metadata(path).map_err(|error| failed(format!("cannot read it: {error}")))?;
    if data.len() > TOKEN_FILE_BYTES_MAX {
        return Err(failed("it is too long for a token".to_owned()));
    }
    if data.mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!(%path, "a token can be read by others: run chmod 600 on it");
    }
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| failed(format!("cannot read it: {error}")))?;
    // Whatever else stands in the file is wiped with it.
    let text = Secret::new(text);
    let line = text.expose().lines().next().unwrap_or_default().trim();
    let is_token = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic());
    is_token
        .then(|| Secret::new(line.to_owned()))
        .ok_or_else(|| failed("its first line is no token".to_owned()))
}

/// The checker of a service that the operator describes.
///
/// # Errors
/// When the description is wrong, which the configuration has looked at.
pub(crate) fn configured(keys: &PlatformKeys) -> Result<Configured, Failure> {
    Configured::new(keys, upstream(&keys.name)).map_err(|bad| {
        let (name, key) = (&keys.name, bad.key);
        Failure::failed(format!("platform {name}: {key}: {}", bad.said))
    })
}

/// The operator's services, for the fetcher.
///
/// # Errors
/// As [`configured`].
pub(super) fn services(config: &Config) -> Result<Vec<Service>, Failure> {
    let service = |keys: &PlatformKeys| {
        let checker = configured(keys)?;
        let url = UpstreamUrl::parse(checker.root());
        let url = url.ok_or_else(|| Failure::failed(format!("platform {}: url", keys.name)))?;
        Ok(Service {
            name: upstream(&keys.name),
            url,
            default: None,
        })
    };
    config.platforms.iter().map(service).collect()
}

/// The name the fetcher knows a service by. The configuration is read once, so that what is never
/// freed is little.
fn upstream(name: &str) -> &'static str {
    Box::leak(format!("platform:{name}").into_boxed_str())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Given, load};

    fn services_with(set: &[&str]) -> Result<Vec<String>, Failure> {
        let given = Given {
            file: None,
            set: set.iter().map(|set| (*set).to_owned()).collect(),
        };
        let loaded = load(&given, []).unwrap();
        let checkers = checkers(&loaded.config)?;
        let mut services: Vec<String> = checkers.iter().map(|it| it.service().to_owned()).collect();
        services.sort();
        Ok(services)
    }

    /// What no key is needed for.
    const OPEN: [&str; 13] = [
        "activitypub",
        "dns",
        "dotbit",
        "ethereum",
        "github",
        "https",
        "minds",
        "nextid",
        "solana",
        "steam",
        "telegram",
        "tiktok",
        "twitter",
    ];

    #[test]
    fn what_works_without_keys_is_there() {
        assert_eq!(services_with(&[]).unwrap(), OPEN);
        let offline = services_with(&["proofs.disabled=steam,dns", "proofs.twitter=api"]).unwrap();
        let expected = OPEN
            .into_iter()
            .filter(|it| !["steam", "dns", "twitter"].contains(it));
        assert_eq!(offline, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_needs_something_is_there_when_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "  secret \nmore\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let discord = format!("proofs.discord_token_file={}", path.display());
        let all = services_with(&[
            &discord,
            "upstreams.keybase_pub=http://127.0.0.1:1/{identity}",
            "upstreams.ethereum_rpc=http://127.0.0.1:1",
        ]);
        let mut expected: Vec<&str> = OPEN.to_vec();
        expected.extend(["discord", "ens", "keybase"]);
        expected.sort_unstable();
        assert_eq!(all.unwrap(), expected);
        assert_eq!(expected, checkers::names::SERVICES);
        assert_eq!(token("x", &path).unwrap().expose(), "secret");
    }

    #[test]
    fn a_file_that_has_no_token_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (content, said) in [
            ("", "its first line is no token"),
            ("\nx\n", "its first line is no token"),
            ("two words\n", "its first line is no token"),
            ("\u{e9}\n", "its first line is no token"),
            (&"x".repeat(5000), "too long for a token"),
        ] {
            fs::write(&path, content).unwrap();
            let set = format!("proofs.github_token_file={}", path.display());
            let failure = services_with(&[&set]).unwrap_err();
            assert!(
                failure.said.starts_with("proofs.github_token_file: "),
                "{}",
                failure.said
            );
            assert!(failure.said.ends_with(said), "{}", failure.said);
        }
        let failure = services_with(&["proofs.twitter_token_file=/nonexistent"]).unwrap_err();
        assert!(
            failure.said.contains("/nonexistent: cannot read it"),
            "{}",
            failure.said
        );
    }
}
