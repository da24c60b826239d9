//! Who is asking, and whether the way to them is private: the connection, and what a trusted
//! proxy says about it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ipnet::{IpNet, Ipv4Net};

use crate::around::{self, Around};
use crate::clock::{Clock, Pace};
use crate::fault::Fault;
use crate::forwarding;

/// Time between two notices to the operator.
const NOTICE_PERIOD: Duration = Duration::from_secs(60);

/// The connection a request came on. The server inserts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectInfo {
    /// The other end; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether this process terminated TLS on the connection.
    pub tls: bool,
}

impl ConnectInfo {
    /// Whether a request comes from this machine's loopback and no header shows a proxy in between.
    /// A proxy on this machine that adds no header at all looks the same.
    #[must_use]
    pub fn is_direct_from_here(&self, headers: &HeaderMap) -> bool {
        let is_here = |peer: SocketAddr| peer.ip().to_canonical().is_loopback();
        self.peer.is_some_and(is_here) && !forwarding::was_forwarded(headers)
    }
}

/// The client behind a request. A handler that needs it takes it as an argument; the router must
/// be inside [`with_client_context`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientContext {
    /// The client's address, for limits. Never an IPv4 address mapped into IPv6. 127.0.0.1 for a
    /// client on a Unix socket of whom nothing is said.
    pub address: IpAddr,
    /// Whether what we answer can be read only by the client: see [`ClientPolicy`].
    pub secure: bool,
    /// Whether the client itself speaks TLS, to us or to a trusted proxy. Unlike `secure` it is
    /// false in a local trial: it says what the client takes the address's scheme to be.
    pub https: bool,
}

impl<S: Sync> FromRequestParts<S> for ClientContext {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts
            .extensions
            .get()
            .copied()
            .ok_or_else(|| Fault::new(NoContext).attach(generic()))
    }
}

/// The server was put together wrongly: a layer or the [`ConnectInfo`] is missing.
#[derive(Debug, thiserror::Error)]
#[error("the request carries no client context")]
struct NoContext;

/// The peers whose forwarding headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    nets: Vec<IpNet>,
    unix: bool,
}

/// An entry of the list is neither an address, nor a network, nor `unix`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is not an address, a network such as \"10.0.0.0/8\", or \"unix\"")]
pub struct BadProxy {
    /// The entry as it was given.
    pub entry: String,
}

impl TrustedProxies {
    /// What is trusted unless the operator says otherwise: this machine.
    pub const DEFAULT: [&str; 3] = ["127.0.0.0/8", "::1", "unix"];

    /// Reads addresses (`192.0.2.1`, `2001:db8::1`), networks (`10.0.0.0/8`; bits below the mask
    /// are ignored) and `unix` for peers on Unix sockets. An empty list trusts nobody.
    ///
    /// # Errors
    /// [`BadProxy`] with the first entry that is none of these.
    pub fn parse(entries: &[impl AsRef<str>]) -> Result<Self, BadProxy> {
        let mut proxies = Self::default();
        for entry in entries.iter().map(AsRef::as_ref) {
            if entry == "unix" {
                proxies.unix = true;
            } else {
                let bad = || BadProxy {
                    entry: entry.to_owned(),
                };
                proxies.nets.push(network(entry).ok_or_else(bad)?);
            }
        }
        Ok(proxies)
    }

    /// Whether a peer is one of them; `None` is a peer on a Unix socket.
    #[must_use]
    pub fn contain(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix, |address| self.contain_address(address))
    }

    fn contain_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }
}

/// How a request becomes a [`ClientContext`].
///
/// A request is secure if
/// 1. this process terminated TLS, or
/// 2. the peer is a trusted proxy and says its own client used TLS: in the last element of
///    `Forwarded` (`proto=`), or the last value of `X-Forwarded-Proto` or `X-Scheme`. If several
///    of them are present, none may say otherwise; or
/// 3. this is a local trial, the peer is on this machine's loopback, and no header shows a proxy
///    in between.
///
/// The address is the peer's, unless the peer is a trusted proxy. Then it is that of `X-Real-IP`,
/// or the right-most address in `X-Forwarded-For` that is no trusted proxy. A proxy that sets one
/// of them and hands the other through would let its clients choose their address, so when they
/// contradict each other neither counts: the address is the proxy's own, and the log says so. A
/// proxy that sets neither must remove both.
///
/// Headers of any other peer are ignored, and the log says what to configure. Each notice comes
/// at most once a minute.
#[derive(Debug)]
pub struct ClientPolicy {
    trusted: TrustedProxies,
    local_trial: bool,
    untrusted_notice: Pace,
    conflict_notice: Pace,
}

impl ClientPolicy {
    /// `local_trial` is for a server without a public URL. The clock paces the notices.
    #[must_use]
    pub fn new(trusted: TrustedProxies, local_trial: bool, clock: &Clock) -> Self {
        let pace = || Pace::new(clock.clone(), NOTICE_PERIOD);
        Self {
            trusted,
            local_trial,
            untrusted_notice: pace(),
            conflict_notice: pace(),
        }
    }

    /// Applies the rules to one request.
    #[must_use]
    pub fn resolve(&self, connection: ConnectInfo, headers: &HeaderMap) -> ClientContext {
        let peer = connection.peer.map(|socket| socket.ip().to_canonical());
        let trusted = self.trusted.contain(peer);
        if let Some(notice) = self.notice(trusted, peer, headers) {
            tracing::warn!("{notice}");
        }
        let proxied = if trusted {
            self.proxied_address(headers)
        } else {
            None
        };
        let https = connection.tls || (trusted && forwarding::says_https(headers));
        ClientContext {
            address: proxied.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            secure: https || (self.local_trial && connection.is_direct_from_here(headers)),
            https,
        }
    }

    /// The address a trusted proxy gives for its client. `None` when it gives none, or two.
    fn proxied_address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        match (forwarding::real_ip(headers), self.walked_address(headers)) {
            (Some(real), Some(walked)) => (real == walked).then_some(real),
            (real, walked) => real.or(walked),
        }
    }

    fn walked_address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        forwarding::forwarded_for(headers, |hop| self.trusted.contain_address(hop))
    }

    /// Adds the context to a request that has a [`ConnectInfo`].
    pub(crate) fn add_context(&self, request: &mut Request) {
        if let Some(connection) = request.extensions().get::<ConnectInfo>().copied() {
            let context = self.resolve(connection, request.headers());
            request.extensions_mut().insert(context);
        }
    }

    /// What the operator should be told about this request, if it is time to say so again.
    fn notice(&self, trusted: bool, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<String> {
        let header = forwarding::read_header(headers)?;
        if !trusted {
            let peer = peer.map_or_else(|| "unix".to_owned(), |address| address.to_string());
            return self.untrusted_notice.due().then(|| {
                format!(
                    "peer {peer} sends {header} but is not in trusted_proxies; add \"{peer}\" if \
                     it is your proxy"
                )
            });
        }
        let (real, walked) = (forwarding::real_ip(headers)?, self.walked_address(headers)?);
        (real != walked && self.conflict_notice.due()).then(|| {
            "X-Real-IP and X-Forwarded-For name different clients, so the proxy itself counts as \
             the client: make the proxy set both, or remove the one it does not set"
                .to_owned()
        })
    }
}

/// Makes [`ClientContext`] available to every handler and inner layer of `router`. A request
/// without a [`ConnectInfo`] gets none, and a handler that asks for it answers 500.
pub fn with_client_context(router: Router, policy: Arc<ClientPolicy>) -> Router {
    around::put(router, policy)
}

impl Around for Arc<ClientPolicy> {
    fn answer<F>(
        &self,
        mut request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send + 'static
    where
        F: Future<Output = Response> + Send + 'static,
    {
        self.add_context(&mut request);
        inner(request)
    }
}

/// An address is a network of one. Networks of mapped addresses become IPv4 networks, as the
/// addresses they are compared with do.
fn network(entry: &str) -> Option<IpNet> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical().into());
    }
    let net = entry.parse::<IpNet>().ok()?;
    let mapped = match net {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    match mapped {
        Some((address, prefix)) => Ipv4Net::new(address, prefix).ok().map(IpNet::V4),
        None => Some(net),
    }
}

fn generic() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
}

#[cfg(test)]
mod tests;
