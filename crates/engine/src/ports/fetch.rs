//! Requests of our own to other servers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::types::Domain;

/// Asks other servers over HTTP.
///
/// Where a stranger chose the host, only public addresses are dialled, on the port the operator chose
/// and over TLS. For each connection names are resolved anew, the addresses found are looked at, and
/// one of those is dialled, on every hop of a redirect: no second answer of a name server comes
/// between. What the resolver itself remembers of an earlier answer is looked at like a new one.
///
/// No request is repeated, no cookie or answer is remembered, nothing is taken from the environment.
/// Requests to one host, and all together, are bounded in number; so are those that wait. A request
/// that is dropped is given up.
#[async_trait]
pub trait WebFetcher: Send + Sync {
    /// Sends one request, follows redirects of a `Get`, and reads the whole answer, whatever its
    /// status.
    ///
    /// # Errors
    /// See [`FetchError`]; all of them are met before `limits.timeout` has passed.
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError>;

    /// The first of some upstreams that a URL of an answer lies below, with the path that leads
    /// there; `None` when it is below none, and nobody should go there. What lies below the URL an
    /// upstream has by default is below the one it has instead.
    fn locate(&self, url: &str, among: &[Upstream]) -> Option<(Upstream, String)>;
}

/// A request. Its headers may be secret: `Debug` shows their names only.
#[derive(Clone)]
pub struct Request {
    /// Whom to ask.
    pub upstream: Upstream,
    /// How.
    pub method: Method,
    /// What is appended to the upstream's URL: empty, or a path with a `/` in front and maybe a query,
    /// or a query with a `?` in front. It leads to nothing that is not below that URL.
    pub path: String,
    /// Headers besides those every request has, such as `("content-type", "application/json")`. None
    /// that says how the message is sent. Another host than the first is told `accept` and
    /// `accept-language` only.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Where redirects may lead.
    pub follow: Follow,
    /// Who waits for the answer.
    pub purpose: Purpose,
}

impl Request {
    /// Reads a path of an upstream for somebody who waits; redirects stay below the upstream's URL.
    #[must_use]
    pub fn get(upstream: Upstream, path: impl Into<String>) -> Self {
        Self {
            upstream,
            method: Method::Get,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            follow: Follow::Below(Vec::new()),
            purpose: Purpose::Asked,
        }
    }

    /// Sends JSON to a path of an upstream for somebody who waits.
    #[must_use]
    pub fn post_json(upstream: Upstream, path: impl Into<String>, json: impl Into<Bytes>) -> Self {
        Self {
            method: Method::Post,
            body: json.into(),
            ..Self::get(upstream, path)
        }
        .with_header("content-type", "application/json")
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("upstream", &self.upstream)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("follow", &self.follow)
            .field("purpose", &self.purpose)
            .finish()
    }
}

/// Who is asked. A service is known by its name in `[upstreams]`. Where the operator chose its URL, and
/// with it the host, its address may be any; otherwise, and wherever somebody else names the host,
/// public addresses only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The service of this name, which is one for all.
    Named(&'static str),
    /// The service of this name, of which each domain has one: `{host}` in its URL stands for the
    /// domain. A URL of the operator's without it is one for all.
    At(&'static str, Domain),
    /// The service of this name, of which each account has one: `{identity}` in its URL stands for the
    /// account. A URL of the operator's without it is one for all.
    Of(&'static str, String),
    /// The web server of a domain, over HTTPS.
    Host(Domain),
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Sends a body. Never follows a redirect.
    Post,
}

/// Where redirects may lead, never from https to http.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// To what lies below the URL of the upstream that is asked, or of one of these, as
    /// [`WebFetcher::locate`] finds it.
    Below(Vec<Upstream>),
    /// To any host with public addresses, over TLS and on the same port; an upstream that the operator
    /// chose may lead anywhere on itself too.
    Public,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody's request: it is always tried.
    Asked,
    /// A check in the background: one at once for each upstream, and none for a while when the
    /// upstream has failed repeatedly or asked to be left alone. Upstreams count by their names, and
    /// where somebody else names the host by the host.
    Background,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Longest time over all: waiting for a turn, names, connections, redirects, the body.
    pub timeout: Duration,
    /// Longest body, as it is sent and as it is when decompressed.
    pub body_bytes_max: usize,
    /// Most redirects that are followed.
    pub redirects_max: u8,
}

impl FetchLimits {
    /// Those for looking at what somebody posted elsewhere: a page with all its markup.
    pub const POST: Self = Self {
        timeout: Duration::from_secs(10),
        body_bytes_max: 1 << 20,
        redirects_max: 3,
    };
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The URL that answered, after redirects.
    pub final_url: String,
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case; those that are ASCII and of at most 1 KiB.
    pub headers: Vec<(String, String)>,
    /// How long the server asks to be left alone, or none of its requests are left, at most a day.
    pub retry_after: Option<Duration>,
    /// The body, decompressed.
    pub body: Bytes,
    /// Who answered.
    pub peer: IpAddr,
}

impl Fetched {
    /// The first header of a name, which is in lower case, such as `etag`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it is a refusal because of too many requests: 429, or 403 that says when to come again
    /// or that none is left (`x-ratelimit-remaining: 0`).
    #[must_use]
    pub fn wants_less(&self) -> bool {
        let remaining = ["x-ratelimit-remaining", "x-rate-limit-remaining"];
        let is_spent = || remaining.iter().any(|name| self.header(name) == Some("0"));
        match self.status {
            429 => true,
            403 => self.retry_after.is_some() || is_spent(),
            _ => false,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host, or a redirect, leads to an address that is not public, to another port, to something
    /// that is no HTTPS server, or away from where it may lead; or an account that can be no part of a
    /// URL. Nothing was sent there.
    #[error("address is not public")]
    ForbiddenAddress,
    /// The body is longer than asked for.
    #[error("response too large")]
    TooLarge,
    /// More redirects than asked for.
    #[error("too many redirects")]
    TooManyRedirects,
    /// The body is compressed in a way that was not asked for, or damaged.
    #[error("response is encoded")]
    Encoded,
    /// No such host, no connection, no trusted certificate, no HTTP, or not in time.
    #[error("could not connect, or timed out")]
    Unreachable,
    /// Too many requests to this host, or to all, are under way; also when most of the time was spent
    /// waiting for a turn. It says nothing of the host.
    #[error("too many requests under way")]
    Busy,
    /// The upstream is left alone by checks in the background, for so long. Nothing was sent.
    #[error("left alone for {} s after failures", .0.as_secs())]
    Resting(Duration),
    /// The request cannot be made: our own mistake.
    #[error("the request cannot be made: {0}")]
    Unsendable(&'static str),
}
