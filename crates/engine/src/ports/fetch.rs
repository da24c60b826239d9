//! Requests of our own to other servers.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::types::Domain;

/// Asks other servers over HTTP.
///
/// Where a stranger chose the host, only public addresses are dialled, on the port the operator chose
/// and over TLS; the address that was looked at is the one dialled, on every hop of a redirect. No
/// request is repeated, nothing is remembered between two requests, nothing is taken from the
/// environment. Requests to one host, and all together, are bounded in number; so are those that
/// wait. A request that is dropped is given up.
#[async_trait]
pub trait WebFetcher: Send + Sync {
    /// Sends one request, follows redirects of a `Get`, and reads the whole answer, whatever its
    /// status.
    ///
    /// # Errors
    /// See [`FetchError`]; all of them are met before `limits.timeout` has passed.
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError>;
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whom to ask.
    pub upstream: Upstream,
    /// How.
    pub method: Method,
    /// What is appended to the upstream's URL: empty, or a path with a `/` in front and maybe a query.
    pub path: String,
    /// Headers besides those every request has, such as `("content-type", "application/json")`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The service of this name in `[upstreams]`. The operator chose the host, so its address may be
    /// any.
    Named(&'static str),
    /// The service of this name in `[upstreams]`, of which each domain has one: `{host}` in its URL
    /// stands for the domain. Public addresses only, unless the URL has no `{host}`.
    At(&'static str, Domain),
    /// The web server of a domain, over HTTPS. Public addresses only.
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

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Longest time over all: waiting for a turn, names, connections, redirects, the body.
    pub timeout: Duration,
    /// Longest body. It is never decompressed.
    pub body_bytes_max: usize,
    /// Most redirects that are followed.
    pub redirects_max: u8,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The URL that answered, after redirects.
    pub final_url: String,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Who answered.
    pub peer: IpAddr,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host, or a redirect, leads to an address that is not public, to another port, or to
    /// something that is no HTTPS server. Nothing was sent there.
    #[error("address is not public")]
    ForbiddenAddress,
    /// The body is longer than asked for.
    #[error("response too large")]
    TooLarge,
    /// More redirects than asked for.
    #[error("too many redirects")]
    TooManyRedirects,
    /// The body is compressed, though that was not asked for.
    #[error("response is encoded")]
    Encoded,
    /// No such host, no connection, no trusted certificate, no HTTP, or not in time.
    #[error("could not connect, or timed out")]
    Unreachable,
    /// Too many requests to this host, or to all, are under way.
    #[error("too many requests under way")]
    Busy,
    /// The request cannot be made: our own mistake.
    #[error("the request cannot be made: {0}")]
    Unsendable(&'static str),
}
