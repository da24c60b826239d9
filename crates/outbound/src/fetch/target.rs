//! Where a request goes: below the URLs of upstreams, and where redirects may lead.

use engine::ports::fetch::{FetchError, Upstream};
use engine::types::Domain;
use url::{Host, Url};

use crate::special_ranges::is_special_name;

use super::gate::{SERVICE, STRANGER, Share};
use super::upstream_url::UpstreamUrl;

/// A service in `[upstreams]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name there.
    pub name: &'static str,
    /// Its URL.
    pub url: UpstreamUrl,
    /// The URL it has unless the operator chooses another. Only at a URL of the operator's choice may
    /// the address be any.
    pub default: Option<UpstreamUrl>,
}

impl Service {
    fn is_own(&self) -> bool {
        self.default.as_ref() != Some(&self.url)
    }
}

/// A URL, and who chose its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The operator chose the host, so that its address may be any.
    pub(super) is_trusted: bool,
    /// What requests to it are counted under: the name of its service or, where somebody else names
    /// the host, the host. A name has no dot and a host has one.
    pub(super) key: String,
}

/// Everything that says where a request may go.
pub(super) struct Map {
    pub(super) services: Vec<Service>,
    /// Names outside the public DNS too: for tests.
    pub(super) allow_private: bool,
}

impl Map {
    /// Where a path of an upstream is.
    pub(super) fn target(&self, upstream: &Upstream, path: &str) -> Result<Target, FetchError> {
        let service = match upstream {
            Upstream::Named(name) | Upstream::At(name, _) | Upstream::Of(name, _) => name,
            Upstream::Host(domain) => {
                return self.strange(below(&format!("https://{domain}"), path)?, None);
            }
        };
        let service = self.service(service)?;
        let url = below(&base(&service.url, upstream)?, path)?;
        match upstream {
            Upstream::At(_, _) if service.url.is_each() => {
                let port = url.port();
                self.strange(url, port)
            }
            // It is one of the operator's gateways, which asks the domain in its turn.
            Upstream::At(_, domain) => Ok(Target {
                url,
                is_trusted: service.is_own(),
                key: domain.to_string(),
            }),
            Upstream::Named(_) | Upstream::Of(_, _) | Upstream::Host(_) => Ok(Target {
                url,
                is_trusted: service.is_own(),
                key: service.name.to_owned(),
            }),
        }
    }

    /// Where a redirect leads: on at the operator's own host, or to anything a stranger may choose.
    pub(super) fn anywhere(&self, from: &Target, to: Url) -> Result<Target, FetchError> {
        if from.is_trusted && to.origin() == from.url.origin() {
            let url = to;
            return Ok(Target {
                url,
                ..from.clone()
            });
        }
        let port = if from.is_trusted {
            None
        } else {
            from.url.port()
        };
        self.strange(to, port)
    }

    /// The first of some upstreams that a URL lies below, and the path there.
    pub(super) fn locate(&self, url: &Url, among: &[Upstream]) -> Option<(Upstream, String)> {
        among.iter().find_map(|upstream| {
            let path = self.bases(upstream).iter().find_map(|it| path(it, url))?;
            Some((upstream.clone(), path))
        })
    }

    /// The URLs an upstream has, and would have by default.
    fn bases(&self, upstream: &Upstream) -> Vec<Url> {
        let name = match upstream {
            Upstream::Named(name) | Upstream::At(name, _) | Upstream::Of(name, _) => name,
            Upstream::Host(domain) => {
                return Url::parse(&format!("https://{domain}"))
                    .into_iter()
                    .collect();
            }
        };
        let Ok(service) = self.service(name) else {
            return Vec::new();
        };
        let urls = [Some(&service.url), service.default.as_ref()];
        let filled = |url| Url::parse(&base(url, upstream).ok()?).ok();
        urls.into_iter().flatten().filter_map(filled).collect()
    }

    fn service(&self, name: &str) -> Result<&Service, FetchError> {
        let found = self.services.iter().find(|service| service.name == name);
        found.ok_or(FetchError::Unsendable("no such upstream"))
    }

    /// A host that somebody else chose: a domain, over TLS, on the port the operator chose.
    fn strange(&self, url: Url, port: Option<u16>) -> Result<Target, FetchError> {
        let domain = match url.host() {
            Some(Host::Domain(host)) => {
                let domain = Domain::parse(host).filter(|domain| domain.as_str() == host);
                domain.filter(|_| self.allow_private || !is_special_name(host))
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => None,
        };
        let is_plain = url.username().is_empty() && url.password().is_none();
        match domain {
            Some(domain) if url.scheme() == "https" && is_plain && url.port() == port => {
                Ok(Target {
                    url,
                    is_trusted: false,
                    key: domain.to_string(),
                })
            }
            Some(_) | None => Err(FetchError::ForbiddenAddress),
        }
    }
}

impl Target {
    /// How many requests to it there may be.
    pub(super) fn share(&self) -> Share {
        if self.key.contains('.') {
            STRANGER
        } else {
            SERVICE
        }
    }

    /// What a redirect's location says; never from https to http.
    pub(super) fn join(&self, location: &str) -> Result<Url, FetchError> {
        let url = self.url.join(location);
        let mut url = url.map_err(|_| FetchError::ForbiddenAddress)?;
        if self.url.scheme() == "https" && url.scheme() != "https" {
            return Err(FetchError::ForbiddenAddress);
        }
        url.set_fragment(None);
        Ok(url)
    }
}

/// The URL of an upstream, its place filled.
fn base(url: &UpstreamUrl, upstream: &Upstream) -> Result<String, FetchError> {
    match upstream {
        Upstream::Named(_) | Upstream::Host(_) => url.one(),
        Upstream::At(_, domain) => url.at(domain),
        Upstream::Of(_, identity) => url.of(identity),
    }
}

/// The URL of a path below another URL. Without its slash a path would be part of the host, and with
/// dots between its slashes it may lead out again.
fn below(base: &str, path_below: &str) -> Result<Url, FetchError> {
    if !(path_below.is_empty() || path_below.starts_with(['/', '?'])) {
        return Err(FetchError::Unsendable("not a path"));
    }
    let base = base.trim_end_matches('/');
    let not_a_url = |_| FetchError::Unsendable("not a URL");
    let mut url = Url::parse(&format!("{base}{path_below}")).map_err(not_a_url)?;
    url.set_fragment(None);
    let base = Url::parse(base).map_err(not_a_url)?;
    let is_below = path(&base, &url).is_some();
    is_below
        .then_some(url)
        .ok_or(FetchError::Unsendable("not a path below the upstream"))
}

/// The path, with its query, from one URL to another that is below it.
fn path(base: &Url, url: &Url) -> Option<String> {
    let is_plain = url.username().is_empty() && url.password().is_none();
    if base.origin() != url.origin() || !base.origin().is_tuple() || !is_plain {
        return None;
    }
    let rest = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    if !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let query = url.query().map(|query| format!("?{query}"));
    Some(format!("{rest}{}", query.unwrap_or_default()))
}

/// For the fuzz targets: see `crate::parsers`.
pub(crate) mod parsers {
    use super::*;

    pub(crate) fn location(text: &str) -> bool {
        let service = |name, at: &str, default| Service {
            name,
            url: UpstreamUrl::parse(at).expect("a URL of an upstream"),
            default: UpstreamUrl::parse(default),
        };
        let map = Map {
            services: vec![
                service("own", "http://127.0.0.1:9000/a", "https://own.example"),
                service("raw", "https://raw.example/v1", "https://raw.example/v1"),
                service("each", "https://{host}:8443/api", "https://{host}:8443/api"),
            ],
            allow_private: false,
        };
        let domain = Domain::parse("b.example").expect("a domain");
        let among = [
            Upstream::Named("own"),
            Upstream::Named("raw"),
            Upstream::At("each", domain),
        ];
        let mut leads = false;
        for upstream in &among {
            let from = map.target(upstream, "/x/y").expect("a target");
            let Ok(to) = from.join(text) else { continue };
            if let Some((found, path)) = map.locate(&to, &among) {
                let target = map
                    .target(&found, &path)
                    .expect("what is found is a target");
                let base = map.target(&found, "").expect("a target");
                assert_eq!(target.url.origin(), base.url.origin());
                assert!(target.url.path().starts_with(base.url.path()));
                assert_eq!(target.is_trusted, base.is_trusted);
                leads = true;
            }
            let Ok(target) = map.anywhere(&from, to) else {
                continue;
            };
            let is_same = target.url.origin() == from.url.origin();
            assert!(!target.is_trusted || (from.is_trusted && is_same));
            if !target.is_trusted {
                assert_eq!(target.url.scheme(), "https");
                assert!(matches!(target.url.host(), Some(Host::Domain(_))));
            }
            leads = true;
        }
        leads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn url(text: &str) -> UpstreamUrl {
        UpstreamUrl::parse(text).unwrap()
    }

    fn service(name: &'static str, at: &str, default: Option<&str>) -> Service {
        Service {
            name,
            url: url(at),
            default: default.map(url),
        }
    }

    fn map() -> Map {
        let services = vec![
            service(
                "own",
                "http://127.0.0.1:9000/a",
                Some("https://own.example"),
            ),
            service(
                "raw",
                "https://raw.example/v1/",
                Some("https://raw.example/v1/"),
            ),
            service("each", "https://{host}/api", Some("https://{host}/api")),
            service(
                "gateway",
                "http://127.0.0.1:1/g",
                Some("https://{host}/api"),
            ),
            service(
                "inside",
                "http://127.0.0.1:1/{host}",
                Some("https://{host}"),
            ),
            service(
                "people",
                "https://{identity}.people.example",
                Some("https://{identity}.people.example"),
            ),
            service("query", "https://dns.example/dns-query", None),
        ];
        Map {
            services,
            allow_private: false,
        }
    }

    fn at(upstream: &Upstream, path: &str) -> Result<(String, bool, String), FetchError> {
        let target = map().target(upstream, path)?;
        Ok((target.url.into(), target.is_trusted, target.key))
    }

    #[test]
    fn a_path_is_appended() {
        let of = |name| Upstream::At(name, domain("b.example"));
        for (upstream, path, to, is_trusted, key) in [
            (
                Upstream::Named("own"),
                "/x?y=1",
                "http://127.0.0.1:9000/a/x?y=1",
                true,
                "own",
            ),
            (
                Upstream::Named("own"),
                "",
                "http://127.0.0.1:9000/a",
                true,
                "own",
            ),
            (
                Upstream::Named("raw"),
                "/x",
                "https://raw.example/v1/x",
                false,
                "raw",
            ),
            (
                Upstream::Named("query"),
                "?name=x",
                "https://dns.example/dns-query?name=x",
                true,
                "query",
            ),
            (of("each"), "", "https://b.example/api", false, "b.example"),
            (of("gateway"), "", "http://127.0.0.1:1/g", true, "b.example"),
            (
                of("inside"),
                "/x",
                "http://127.0.0.1:1/b.example/x",
                true,
                "b.example",
            ),
            (
                Upstream::Of("people", "Bob".into()),
                "/x",
                "https://bob.people.example/x",
                false,
                "people",
            ),
            (
                Upstream::Of("own", "bob".into()),
                "/x",
                "http://127.0.0.1:9000/a/x",
                true,
                "own",
            ),
            (
                Upstream::Host(domain("b.example")),
                "/.well-known/x",
                "https://b.example/.well-known/x",
                false,
                "b.example",
            ),
        ] {
            assert_eq!(at(&upstream, path), Ok((to.into(), is_trusted, key.into())));
        }
    }

    #[test]
    fn an_upstream_is_asked_as_what_it_is() {
        for unsendable in [
            Upstream::Named("each"),
            Upstream::Named("people"),
            Upstream::Named("unknown"),
            Upstream::Of("each", "bob".into()),
            Upstream::At("people", domain("b.example")),
        ] {
            let refused = at(&unsendable, "");
            assert!(
                matches!(refused, Err(FetchError::Unsendable(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_path_cannot_change_the_host_or_lead_out_of_the_upstream() {
        let host = Upstream::Host(domain("b.example"));
        for path in ["@evil.example/", ".evil.example/", ":8443/", "evil"] {
            assert_eq!(
                at(&host, path),
                Err(FetchError::Unsendable("not a path")),
                "{path}"
            );
        }
        for path in [
            "//evil.example/",
            "/@evil.example",
            "/\\evil.example",
            "/../..",
            "?@evil.example",
        ] {
            let target = map().target(&host, path).unwrap();
            assert_eq!(target.url.host_str(), Some("b.example"), "{path}");
        }
        for path in ["/../x", "/%2e%2e/x", "/.%2E/", "/x/../../y", "/\\..\\.."] {
            let refused = at(&Upstream::Named("raw"), path);
            assert_eq!(
                refused,
                Err(FetchError::Unsendable("not a path below the upstream")),
                "{path}"
            );
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
            let host = Upstream::Host(domain(name));
            assert_eq!(at(&host, "/"), Err(FetchError::ForbiddenAddress), "{name}");
            let open = Map {
                allow_private: true,
                ..map()
            };
            assert!(open.target(&host, "/").is_ok());
        }
    }

    fn anywhere(from: &Target, location: &str) -> Result<Target, FetchError> {
        map().anywhere(from, from.join(location)?)
    }

    #[test]
    fn redirects_stay_on_public_https_hosts() {
        let host = Upstream::Host(domain("a.example"));
        let from = map().target(&host, "/x/y").unwrap();
        for (location, to) in [
            ("z", "https://a.example/x/z"),
            ("/z#part", "https://a.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("https://b.example/", "https://b.example/"),
            ("https://b.example:443/", "https://b.example/"),
            ("https://B.Example/", "https://b.example/"),
        ] {
            assert_eq!(anywhere(&from, location).unwrap().url.as_str(), to);
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
            let followed = anywhere(&from, location);
            assert_eq!(followed, Err(FetchError::ForbiddenAddress), "{location}");
        }
    }

    #[test]
    fn redirects_of_an_upstream_leave_it_for_public_hosts_only() {
        let from = map().target(&Upstream::Named("own"), "").unwrap();
        assert!(anywhere(&from, "/b").unwrap().is_trusted);
        assert!(!anywhere(&from, "https://b.example/").unwrap().is_trusted);
        for location in [
            "http://127.0.0.1:9001/",
            "https://127.0.0.1:9000/",
            "//127.0.0.2:9000/",
        ] {
            let followed = anywhere(&from, location);
            assert_eq!(followed, Err(FetchError::ForbiddenAddress), "{location}");
        }
        // A URL that is not the operator's choice is as strange as any.
        let from = map().target(&Upstream::Named("raw"), "").unwrap();
        assert!(!anywhere(&from, "/b").unwrap().is_trusted);
    }

    #[test]
    fn what_is_found_is_below_an_upstream_or_nowhere() {
        let among = [
            Upstream::Named("own"),
            Upstream::Named("raw"),
            Upstream::At("inside", domain("b.example")),
            Upstream::Of("people", "bob".into()),
        ];
        let locate = |text: &str| {
            let (upstream, path) = map().locate(&Url::parse(text).unwrap(), &among)?;
            Some((among.iter().position(|it| *it == upstream).unwrap(), path))
        };
        for (text, at, path) in [
            ("http://127.0.0.1:9000/a/x?y=1", 0, "/x?y=1"),
            ("http://127.0.0.1:9000/a", 0, ""),
            ("https://own.example/x", 0, "/x"),
            ("https://raw.example/v1/", 1, "/"),
            ("https://raw.example:443/v1/a/b", 1, "/a/b"),
            ("http://127.0.0.1:1/b.example/x", 2, "/x"),
            ("https://b.example/.well-known/x", 2, "/.well-known/x"),
            ("https://bob.people.example/x", 3, "/x"),
        ] {
            assert_eq!(locate(text), Some((at, path.into())), "{text}");
        }
        for text in [
            "http://127.0.0.1:9000/ab",
            "http://127.0.0.1:9000/",
            "http://127.0.0.1:9000/a/../b",
            "https://127.0.0.1:9000/a",
            "http://127.0.0.1:9001/a",
            "http://127.0.0.1:1/c.example/x",
            "http://own.example/x",
            "https://raw.example/v2",
            "https://raw.example/v1/%2e%2e/x",
            "https://user@raw.example/v1/",
            "https://raw.example:8443/v1/",
            "https://raw.example.evil.example/v1/",
            "https://c.example/",
            "https://eve.people.example/",
            "data:text/html,x",
        ] {
            assert_eq!(locate(text), None, "{text}");
        }
    }
}
