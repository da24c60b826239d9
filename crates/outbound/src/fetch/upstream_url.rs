//! URLs of upstreams.

use std::fmt::Write as _;

use engine::ports::fetch::FetchError;
use engine::types::Domain;
use url::Url;

/// Stands for the domain in a URL of `[upstreams]`.
const HOST: &str = "{host}";
/// Stands for the account.
const IDENTITY: &str = "{identity}";
/// What they are while the URL is checked.
const SOME_HOST: &str = "host.example";
const SOME_IDENTITY: &str = "identity";
/// Bytes of a label in DNS (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;
/// Bytes of an account: more than any service allows.
const IDENTITY_BYTES_MAX: usize = 256;

/// The URL of a service in `[upstreams]`. In the place of its host, or within its path, `{host}` stands
/// for a domain; before the first dot of its host, or within its path, `{identity}` for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: String,
    word: Word,
}

/// What a URL has a place for, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    None,
    /// `{host}` is the host: whoever names a domain names who is asked.
    HostItself,
    HostInPath,
    IdentityInHost,
    IdentityInPath,
}

impl UpstreamUrl {
    /// Reads a URL: https, or http unless its host is `{host}`; without user, query and fragment, and
    /// with one place at most. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let whole = text
            .replace(HOST, SOME_HOST)
            .replace(IDENTITY, SOME_IDENTITY);
        let url = Url::parse(&whole).ok()?;
        let word = word(text, &url)?;
        let scheme = match url.scheme() {
            "https" => true,
            "http" => word != Word::HostItself,
            _ => false,
        };
        // Any other word in braces is a misspelling.
        let is_odd =
            |char: char| char.is_whitespace() || char.is_control() || "{}\\".contains(char);
        let is_plain =
            !whole.contains(is_odd) && url.username().is_empty() && url.password().is_none();
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let is_url = scheme && is_plain && is_bare && url.has_host();
        is_url.then(|| Self {
            text: text.into(),
            word,
        })
    }

    /// The text it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether whoever names a domain names who is asked.
    pub(super) fn is_each(&self) -> bool {
        self.word == Word::HostItself
    }

    /// The URL for all.
    pub(super) fn one(&self) -> Result<String, FetchError> {
        match self.word {
            Word::None => Ok(self.text.clone()),
            Word::HostItself | Word::HostInPath | Word::IdentityInHost | Word::IdentityInPath => {
                Err(FetchError::Unsendable("the upstream has a place to fill"))
            }
        }
    }

    /// The URL for a domain.
    pub(super) fn at(&self, domain: &Domain) -> Result<String, FetchError> {
        match self.word {
            Word::IdentityInHost | Word::IdentityInPath => {
                Err(FetchError::Unsendable("the upstream has no {host}"))
            }
            // A domain is two labels of plain letters or more: safe wherever it stands.
            Word::None | Word::HostItself | Word::HostInPath => {
                Ok(self.text.replace(HOST, domain.as_str()))
            }
        }
    }

    /// The URL for an account.
    pub(super) fn of(&self, identity: &str) -> Result<String, FetchError> {
        let part = match self.word {
            Word::None => return Ok(self.text.clone()),
            Word::IdentityInHost => label(identity),
            Word::IdentityInPath => segment(identity),
            Word::HostItself | Word::HostInPath => {
                return Err(FetchError::Unsendable("the upstream has no {identity}"));
            }
        };
        let part = part.ok_or(FetchError::ForbiddenAddress)?;
        Ok(self.text.replace(IDENTITY, &part))
    }
}

/// Which place a URL has; `None` when it is one that no URL may have.
fn word(text: &str, url: &Url) -> Option<Word> {
    // A parser of URLs takes one slash for two, and then these are not the first.
    let (scheme, after) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case(url.scheme()) {
        return None;
    }
    let (authority, path) = after.split_at_checked(after.find('/').unwrap_or(after.len()))?;
    let count = |within: &str| within.matches(HOST).count() + within.matches(IDENTITY).count();
    match (count(authority), count(path)) {
        // Parsers of URLs pass over slashes too many, and what seems a path is the host.
        (_, _) if authority.is_empty() => None,
        (0, 0) => Some(Word::None),
        (0, 1) if path.contains(HOST) => Some(Word::HostInPath),
        (0, 1) => Some(Word::IdentityInPath),
        (1, 0) if authority.starts_with(HOST) => {
            (url.host_str() == Some(SOME_HOST)).then_some(Word::HostItself)
        }
        (1, 0) if authority.starts_with("{identity}.") => {
            let rest = url.host_str()?.strip_prefix("identity.")?;
            (!rest.is_empty()).then_some(Word::IdentityInHost)
        }
        (_, _) => None,
    }
}

/// An account as one label of a host, so that the rest of the host stays what it is.
fn label(identity: &str) -> Option<String> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    // Punycode is another text than it seems, and not always one at all.
    let is_label = (1..=LABEL_BYTES_MAX).contains(&identity.len())
        && identity.bytes().all(letters)
        && !identity.starts_with('-')
        && !identity.ends_with('-')
        && identity.get(2..4) != Some("--");
    is_label.then(|| identity.to_ascii_lowercase())
}

/// An account as one segment of a path, or a part of one.
fn segment(identity: &str) -> Option<String> {
    let is_segment = (1..=IDENTITY_BYTES_MAX).contains(&identity.len())
        && !identity.bytes().all(|byte| byte == b'.');
    let mut text = String::new();
    for byte in identity.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    is_segment.then_some(text)
}

/// For the fuzz targets: see `crate::parsers`.
pub(crate) mod parsers {
    use super::*;

    pub(crate) fn upstream_url(text: &str, identity: &str) -> bool {
        let Some(upstream) = UpstreamUrl::parse(text) else {
            return false;
        };
        let parsed = |text: Result<String, FetchError>| {
            let text = text.ok()?;
            Some(Url::parse(&text).expect("with its place filled it is a URL"))
        };
        let is_bare = |url: &Url| url.query().is_none() && url.fragment().is_none();
        if let Some(url) = parsed(upstream.one()) {
            assert!(is_bare(&url));
        }
        let domain = Domain::parse("b.example").expect("a domain");
        if let Some(url) = parsed(upstream.at(&domain)) {
            let is_asked = url.host_str() == Some("b.example");
            assert!(is_asked || !upstream.is_each(), "{text}");
            assert!(is_bare(&url));
        }
        let (one, other) = (
            parsed(upstream.of(identity)),
            parsed(upstream.of("someone")),
        );
        if let Some((one, other)) = one.zip(other) {
            let depth = |url: &Url| url.path().split('/').count();
            let above = |url: &Url| {
                let host = url.host_str().unwrap_or_default();
                let in_host = upstream.word == Word::IdentityInHost;
                let rest = in_host.then(|| host.split_once('.').map(|(_, rest)| rest.to_owned()));
                rest.flatten().unwrap_or_else(|| host.to_owned())
            };
            assert_eq!((one.scheme(), one.port()), (other.scheme(), other.port()));
            assert_eq!(above(&one), above(&other), "{identity}");
            assert_eq!(depth(&one), depth(&other), "{identity}");
            assert!(is_bare(&one) && one.username().is_empty());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_upstreams_are_checked() {
        for good in [
            "https://{host}",
            "https://{host}/api",
            "https://{host}:8443/api",
            "https://api.example.org",
            "http://127.0.0.1:9000/toxme",
            "http://127.0.0.1:9000/{host}",
            "http://127.0.0.1:9000/at/{host}/x",
            "http://[::1]:9000/{identity}",
            "https://{identity}.keybase.pub",
            "http://{identity}.localhost:9000/x",
            "https://gateway.example/",
            "https://cloudflare-dns.com/dns-query",
        ] {
            assert_eq!(UpstreamUrl::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "api.example.org",
            "http://{host}/api",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://{host}.example.org/",
            "https://x.{host}/",
            "https://{host}/{host}",
            "https://{host}/{identity}",
            "https://{host}@example.org/",
            "https://{identity}/",
            "https://{identity}:80/",
            "https://{identity}@example.org/",
            "https://x{identity}.example.org/",
            "https://{identity}.{identity}.example.org/",
            "https://{identity}.",
            "https://user@example.org/",
            "https://example.org/?q=1",
            "https://example.org/?q={host}",
            "https://example.org/#a",
            "https://example.org/{Host}",
            "https://example.org\\{host}",
            "https:///{host}",
            "https:////{host}/x",
            "https://\t/{host}",
            "https://exa\nmple.org/{host}",
            "https:/{host}",
            "https:/evil{identity}.x-http://900/{identity}",
            "https:{host}",
            "https://{port}/",
            "HTTPS://{host}x/",
        ] {
            assert_eq!(UpstreamUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_account_stays_in_its_place() {
        let of = |url: &str, identity: &str| UpstreamUrl::parse(url).unwrap().of(identity);
        let (in_host, in_path) = (
            "https://{identity}.keybase.pub",
            "http://[::1]/{identity}/x",
        );
        assert_eq!(of(in_host, "Bob_1").unwrap(), "https://bob_1.keybase.pub");
        for bad in [
            "",
            "a.b",
            "evil.example/",
            "a/",
            "a@b",
            "a:1",
            "a#",
            "a?",
            "-a",
            "xn--a",
            "a-",
            "é",
            "a b",
            "%2e",
        ] {
            assert_eq!(of(in_host, bad), Err(FetchError::ForbiddenAddress), "{bad}");
        }
        assert!(of(in_host, &"a".repeat(64)).is_err());
        for (identity, text) in [
            ("bob", "http://[::1]/bob/x"),
            ("a/../b?c#d", "http://[::1]/a%2F..%2Fb%3Fc%23d/x"),
            ("%2e%2e", "http://[::1]/%252e%252e/x"),
            ("é", "http://[::1]/%C3%A9/x"),
        ] {
            assert_eq!(of(in_path, identity).unwrap(), text);
        }
        for bad in ["", ".", "..", "..."] {
            assert_eq!(of(in_path, bad), Err(FetchError::ForbiddenAddress), "{bad}");
        }
        assert_eq!(of("http://[::1]:9/x", "../a").unwrap(), "http://[::1]:9/x");
        let unsendable = |result| matches!(result, Err(FetchError::Unsendable(_)));
        assert!(unsendable(of("https://{host}", "bob")));
        let url = UpstreamUrl::parse(in_host).unwrap();
        assert!(unsendable(url.one()));
        assert!(unsendable(url.at(&Domain::parse("a.example").unwrap())));
    }
}
