//! Where a request goes: URLs of upstreams, and what redirects may make of them.

use engine::ports::fetch::FetchError;
use engine::types::Domain;
use url::{Host, Url};

use crate::special_ranges::is_special_name;

/// Stands for the domain in a URL of `[upstreams]`.
const HOST: &str = "{host}";
/// What it is while the URL is checked.
const SOME_HOST: &str = "host.example";

/// The URL of a service in `[upstreams]`. `{host}` in the place of its host stands for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: String,
}

impl UpstreamUrl {
    /// Reads a URL: https, or http for a host the operator chose; without user, query and fragment.
    /// `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(&text.replace(HOST, SOME_HOST)).ok()?;
        // Any other word in braces is a misspelling.
        let is_plain = !text.replace(HOST, "").contains(['{', '}'])
            && url.username().is_empty()
            && url.password().is_none();
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let this = Self { text: text.into() };
        let scheme = match url.scheme() {
            "https" => true,
            "http" => !this.is_each(),
            _ => false,
        };
        let host = match text.matches(HOST).count() {
            0 => true,
            1 => url.host_str() == Some(SOME_HOST) && this.is_each(),
            _ => false,
        };
        (is_plain && is_bare && url.has_host() && scheme && host).then_some(this)
    }

    /// The text it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether each domain has this service.
    pub(super) fn is_each(&self) -> bool {
        self.text.contains(&format!("://{HOST}"))
    }

    fn at(&self, domain: &str, path: &str) -> Result<Url, FetchError> {
        let base = self.text.replace(HOST, domain);
        below(base.trim_end_matches('/'), path)
    }
}

/// The URL of a path below another URL. Without its slash a path would be part of the host.
fn below(base: &str, path: &str) -> Result<Url, FetchError> {
    if !(path.is_empty() || path.starts_with('/')) {
        return Err(FetchError::Unsendable("not a path"));
    }
    Url::parse(&format!("{base}{path}")).map_err(|_| FetchError::Unsendable("not a URL"))
}

/// A URL, and who chose its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The operator chose the host, so that its address may be any.
    pub(super) is_trusted: bool,
}

/// Which hosts strangers may choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostRule {
    /// Names outside the public DNS too: for tests.
    pub(super) allow_private: bool,
}

impl Target {
    /// A service of the operator's choice.
    pub(super) fn named(upstream: &UpstreamUrl, path: &str) -> Result<Self, FetchError> {
        let url = upstream.at(SOME_HOST, path)?;
        match upstream.is_each() {
            true => Err(FetchError::Unsendable("the upstream is one of each domain")),
            false => Ok(Self {
                url,
                is_trusted: true,
            }),
        }
    }

    /// A service at a stranger's domain.
    pub(super) fn at(
        upstream: &UpstreamUrl,
        domain: &Domain,
        path: &str,
        rule: HostRule,
    ) -> Result<Self, FetchError> {
        let url = upstream.at(domain.as_str(), path)?;
        if !upstream.is_each() {
            return Ok(Self {
                url,
                is_trusted: true,
            });
        }
        let port = url.port();
        Self::strange(url, port, rule)
    }

    /// The web server of a stranger's domain.
    pub(super) fn host(domain: &Domain, path: &str, rule: HostRule) -> Result<Self, FetchError> {
        Self::strange(below(&format!("https://{domain}"), path)?, None, rule)
    }

    /// Where a redirect leads: on at the operator's own host, or to anything a stranger may choose.
    pub(super) fn follow(&self, location: &str, rule: HostRule) -> Result<Self, FetchError> {
        let url = self.url.join(location);
        let url = url.map_err(|_| FetchError::ForbiddenAddress)?;
        if self.is_trusted && url.origin() == self.url.origin() {
            return Ok(Self {
                url,
                is_trusted: true,
            });
        }
        let port = if self.is_trusted {
            None
        } else {
            self.url.port()
        };
        Self::strange(url, port, rule)
    }

    /// A host that somebody else chose: a domain, over TLS, on the port the operator chose.
    fn strange(url: Url, port: Option<u16>, rule: HostRule) -> Result<Self, FetchError> {
        let is_domain = match url.host() {
            Some(Host::Domain(host)) => {
                let is_domain = Domain::parse(host).is_some_and(|parsed| parsed.as_str() == host);
                is_domain && (rule.allow_private || !is_special_name(host))
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
        };
        let is_plain = url.username().is_empty() && url.password().is_none();
        if url.scheme() == "https" && is_domain && is_plain && url.port() == port {
            Ok(Self {
                url,
                is_trusted: false,
            })
        } else {
            Err(FetchError::ForbiddenAddress)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: HostRule = HostRule {
        allow_private: false,
    };

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn upstream(text: &str) -> UpstreamUrl {
        UpstreamUrl::parse(text).unwrap()
    }

    #[test]
    fn urls_of_upstreams_are_checked() {
        for good in [
            "https://{host}/api",
            "https://{host}:8443/api",
            "https://api.example.org",
            "http://127.0.0.1:9000/toxme",
            "https://gateway.example/",
        ] {
            assert_eq!(upstream(good).as_str(), good);
        }
        for bad in [
            "",
            "api.example.org",
            "http://{host}/api",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://{host}.example.org/",
            "https://x.{host}/",
            "https://example.org/{host}",
            "https://{host}/{host}",
            "https://{host}@example.org/",
            "https://user@example.org/",
            "https://example.org/?q=1",
            "https://example.org/#a",
            "https://{port}/",
            "HTTPS://{host}x/",
        ] {
            assert_eq!(UpstreamUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_path_is_appended() {
        let named = Target::named(&upstream("https://a.example/v1/"), "/users/x?y=1").unwrap();
        assert_eq!(named.url.as_str(), "https://a.example/v1/users/x?y=1");
        assert!(named.is_trusted);
        let (url, at) = (upstream("https://{host}/api"), domain("b.example"));
        let each = Target::at(&url, &at, "", STRICT).unwrap();
        assert_eq!(each.url.as_str(), "https://b.example/api");
        assert!(!each.is_trusted);
        let gateway = Target::at(&upstream("http://127.0.0.1:1/g"), &at, "", STRICT).unwrap();
        assert!(gateway.is_trusted);
        let host = Target::host(&at, "/.well-known/x", STRICT).unwrap();
        assert_eq!(host.url.as_str(), "https://b.example/.well-known/x");
        assert!(Target::named(&url, "").is_err());
    }

    #[test]
    fn a_path_cannot_change_the_host() {
        let at = domain("b.example");
        for path in ["@evil.example/", ".evil.example/", ":8443/", "evil"] {
            let target = Target::host(&at, path, STRICT);
            assert_eq!(target, Err(FetchError::Unsendable("not a path")), "{path}");
        }
        for path in [
            "//evil.example/",
            "/@evil.example",
            "/\\evil.example",
            "/../..",
        ] {
            let target = Target::host(&at, path, STRICT).unwrap();
            assert_eq!(target.url.host_str(), Some("b.example"), "{path}");
        }
    }

    #[test]
    fn names_outside_the_public_dns_are_for_tests_only() {
        for name in [
            "a.localhost",
            "db.internal",
            "printer.local",
            "example.test",
        ] {
            let at = domain(name);
            let refused = Target::host(&at, "/", STRICT);
            assert_eq!(refused, Err(FetchError::ForbiddenAddress), "{name}");
            let open = HostRule {
                allow_private: true,
            };
            assert!(Target::host(&at, "/", open).is_ok());
        }
    }

    #[test]
    fn redirects_stay_on_public_https_hosts() {
        let from = Target::host(&domain("a.example"), "/x/y", STRICT).unwrap();
        for (location, to) in [
            ("z", "https://a.example/x/z"),
            ("/z", "https://a.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("https://b.example/", "https://b.example/"),
            ("https://b.example:443/", "https://b.example/"),
            ("https://B.Example/", "https://b.example/"),
        ] {
            assert_eq!(from.follow(location, STRICT).unwrap().url.as_str(), to);
        }
        for location in [
            "http://a.example/",
            "//127.0.0.1/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://localhost/",
            "https://localhost./",
            "https://a.localhost/",
            "https://b.example./",
            "https://b.example:8443/",
            "https://b.example:80/",
            "https://b.example@127.0.0.1/",
            "https://user:pass@b.example/",
            "https://intranet/",
            "file:///etc/passwd",
            "gopher://b.example/",
            "ftp://b.example/",
            "data:text/html,x",
            "javascript:alert(1)",
            "https://",
            "\\\\127.0.0.1\\",
        ] {
            let followed = from.follow(location, STRICT);
            assert_eq!(followed, Err(FetchError::ForbiddenAddress), "{location}");
        }
    }

    #[test]
    fn redirects_of_an_upstream_leave_it_for_public_hosts_only() {
        let from = Target::named(&upstream("http://127.0.0.1:9000/a"), "").unwrap();
        assert!(from.follow("/b", STRICT).unwrap().is_trusted);
        assert!(
            !from
                .follow("https://b.example/", STRICT)
                .unwrap()
                .is_trusted
        );
        for location in [
            "http://127.0.0.1:9001/",
            "https://127.0.0.1:9000/",
            "//127.0.0.2:9000/",
        ] {
            let followed = from.follow(location, STRICT);
            assert_eq!(followed, Err(FetchError::ForbiddenAddress), "{location}");
        }
    }
}
