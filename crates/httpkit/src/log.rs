//! The request's id, its line in the log, and the place where faults are logged.
//!
//! Neither line ever has a name, a query, a header or a body in it: of the path only the matched
//! route's pattern is written, and of the client only the network, unless the operator wants more
//! or less. Requests that changed something, or that we failed, have their line at level info; the
//! others, look-ups above all, at level debug.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;

use crate::client_ip::ClientContext;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::metrics::{Requests, UNMATCHED};

/// Characters of an id a client or proxy may give.
const ID_LENGTH_MAX: usize = 64;
const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: the one it came with in `x-request-id`, if that is 1 to 64 of
/// `A-Z a-z 0-9 . _ -`, or else one of ours. The answer carries it in the same header. A handler
/// may take it as an argument; it is empty outside [`stack::wrap`](crate::stack::wrap).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text, safe in logs and headers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// How much of a client's address is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// All of it.
    Full,
    /// The network: see [`truncated`].
    #[default]
    Truncated,
    /// Nothing.
    None,
}

impl Addresses {
    fn shown(self, client: Option<ClientContext>) -> Option<String> {
        let address = client?.address;
        match self {
            Self::Full => Some(address.to_canonical().to_string()),
            Self::Truncated => Some(truncated(address)),
            Self::None => None,
        }
    }
}

/// Marks the answer to a request that was made to change something, so that its line is at level
/// info, whether the change was made or refused.
#[derive(Clone, Copy, Debug)]
pub struct Change;

impl Change {
    /// The answer with the mark.
    #[must_use]
    pub fn mark(mut response: Response) -> Response {
        response.extensions_mut().insert(Self);
        response
    }
}

/// What the log and the counts of requests need.
#[derive(Debug)]
pub struct RequestLog {
    clock: Clock,
    addresses: Addresses,
    requests: Requests,
    ids_from: u64,
    ids_given: AtomicU64,
}

impl RequestLog {
    /// `requests` counts every request. `ids_from` is a random number drawn when the process
    /// starts, so that ids of two processes do not meet. An id is unique, and no secret.
    #[must_use]
    pub fn new(clock: Clock, addresses: Addresses, requests: Requests, ids_from: u64) -> Self {
        Self {
            clock,
            addresses,
            requests,
            ids_from,
            ids_given: AtomicU64::new(0),
        }
    }

    /// Gives a request, in which a [`ClientContext`] was put before, its [`RequestId`].
    pub(crate) fn begin(&self, request: &mut Request) -> Begun {
        let id = self.id(request.headers());
        request.extensions_mut().insert(id.clone());
        Begun {
            started_us: self.clock.micros(),
            id,
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            client: request.extensions().get::<ClientContext>().copied(),
        }
    }

    /// Counts the request, writes its line, and logs the [`Fault`] its answer carries as an error. The
    /// duration ends when the answer's head is ready; a streamed body comes after it.
    pub(crate) fn end(&self, begun: &Begun, mut response: Response) -> Response {
        let id = &begun.id;
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(ID_HEADER, value);
        }
        if let Some(fault) = response.extensions_mut().remove::<Fault>() {
            tracing::error!(req_id = %id, error = %fault, "request failed: {fault}");
        }
        let path = begun.route.as_ref().map(MatchedPath::as_str);
        let method = known(&begun.method);
        let counts = self.requests.of(path, method);
        let duration_us = self.clock.micros().saturating_sub(begun.started_us);
        let status = response.status();
        counts.count(status.as_u16(), duration_us as f64 / 1e6);
        let is_change = response.extensions_mut().remove::<Change>().is_some();
        let line = Line {
            id,
            method,
            api: counts.api(),
            route: path.unwrap_or(UNMATCHED),
            status: status.as_u16(),
            duration_us,
        };
        if is_change || status.is_server_error() {
            line.info(|| self.addresses.shown(begun.client));
        } else {
            line.debug(|| self.addresses.shown(begun.client));
        }
        response
    }

    fn id(&self, headers: &HeaderMap) -> RequestId {
        let given = headers
            .get(&ID_HEADER)
            .and_then(|value| value.to_str().ok());
        given.filter(|text| is_id(text)).map_or_else(
            || {
                let number = self.ids_given.fetch_add(1, Ordering::Relaxed);
                RequestId(format!("{:016x}-{number:x}", self.ids_from).into())
            },
            |text| RequestId(text.into()),
        )
    }
}

/// The network of an address, as it may be logged: the first 24 bits of IPv4, 48 of IPv6.
#[must_use]
pub fn truncated(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from_bits(v4.to_bits() & (!0 << 8))),
        IpAddr::V6(v6) => format!("{}/48", Ipv6Addr::from_bits(v6.to_bits() & (!0 << 80))),
    }
}

/// What the log knows of a request that is being answered.
pub(crate) struct Begun {
    started_us: u64,
    id: RequestId,
    method: Method,
    route: Option<MatchedPath>,
    client: Option<ClientContext>,
}

/// A request's line. The client is asked for only if the line is written.
struct Line<'l> {
    id: &'l RequestId,
    method: &'static str,
    api: &'static str,
    route: &'l str,
    status: u16,
    duration_us: u64,
}

/// The same fields at either level, which a macro of `tracing` must know when it is compiled.
macro_rules! write_line {
    ($level:ident, $line:expr, $client:expr) => {
        tracing::$level!(
            req_id = %$line.id,
            method = $line.method,
            api = $line.api,
            route = $line.route,
            status = $line.status,
            dur_ms = $line.duration_us as f64 / 1000.0,
            client = $client(),
            "request answered",
        )
    };
}

impl Line<'_> {
    fn info(&self, client: impl Fn() -> Option<String>) {
        write_line!(info, self, client);
    }

    fn debug(&self, client: impl Fn() -> Option<String>) {
        write_line!(debug, self, client);
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A method's name, unless the client made it up.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_network_of_an_address_remains() {
        for (address, expected) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:aaaa:bbbb:cccc::1", "2001:db8:aaaa::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(truncated(address.parse().unwrap()), expected);
        }
    }

    #[test]
    fn as_much_of_an_address_is_shown_as_is_wanted() {
        let address = "::ffff:203.0.113.77".parse().unwrap();
        let secure = true;
        let client = Some(ClientContext {
            address,
            secure,
            https: secure,
        });
        assert_eq!(Addresses::Full.shown(client).unwrap(), "203.0.113.77");
        assert_eq!(
            Addresses::Truncated.shown(client).unwrap(),
            "203.0.113.0/24"
        );
        assert_eq!(Addresses::None.shown(client), None);
        assert_eq!(Addresses::Full.shown(None), None);
    }

    #[test]
    fn ids_are_short_and_plain() {
        for good in ["a", "req-1_2.3", &"x".repeat(64)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "a b", "a\nb", "é", "a\"b", "a/b", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn our_ids_differ() {
        let requests = Requests::new(&[], &prometheus::Registry::new()).unwrap();
        let log = RequestLog::new(Clock::new(|| 0), Addresses::Full, requests, 0xabc);
        let mut headers = HeaderMap::new();
        assert_eq!(log.id(&headers).as_str(), "0000000000000abc-0");
        assert_eq!(log.id(&headers).as_str(), "0000000000000abc-1");
        headers.insert(ID_HEADER, HeaderValue::from_static("mine"));
        assert_eq!(log.id(&headers).as_str(), "mine");
        headers.insert(ID_HEADER, HeaderValue::from_static("not mine"));
        assert_eq!(log.id(&headers).as_str(), "0000000000000abc-2");
    }
}
