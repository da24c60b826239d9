//! Addresses of hosts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

/// Longest wait for one answer of a name server.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Answers that are remembered; strangers choose the hosts, and how long the answers are.
const ANSWERS_MAX: u64 = 1024;
/// Longest time that addresses are remembered, whatever a name server says: a host that moves is found
/// within it.
const ADDRESSES_KEPT_MAX: Duration = Duration::from_secs(300);
/// Longest time that the absence of a host is remembered.
const ABSENCE_KEPT_MAX: Duration = Duration::from_secs(60);

/// Finds the addresses of a host. Nothing of it blocks a thread, and a search that is dropped ends. It
/// may remember answers: whoever dials an address looks at it first, each time.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When there are none, or nobody could be asked.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError>;
}

/// A host has no address, or nobody could be asked for it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the host has no address: {0}")]
pub struct ResolveError(pub String);

/// The name servers of `/etc/resolv.conf`, and what `/etc/hosts` says. Hosts are looked for as they
/// are, never below a search domain. Answers are remembered as long as their servers say, but for 5
/// minutes at most, and absence for one.
pub struct SystemResolver(TokioResolver);

/// The configuration of name servers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {what}")]
pub struct SystemResolverError {
    what: &'static str,
    #[source]
    source: NetError,
}

/// What name servers a resolver asks.
pub(crate) type Builder = ResolverBuilder<TokioRuntimeProvider>;

/// The name servers of the system.
pub(crate) fn of_the_system() -> Result<Builder, SystemResolverError> {
    let what = "the system's resolver configuration (/etc/resolv.conf)";
    TokioResolver::builder_tokio().map_err(|source| SystemResolverError { what, source })
}

/// One name server, asked over UDP and, for long answers, over TCP.
pub(crate) fn of_server(address: SocketAddr) -> Builder {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let at_port = |connection: &mut ConnectionConfig| connection.port = address.port();
    server.connections.iter_mut().for_each(at_port);
    let config = ResolverConfig::from_name_servers(vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

/// A resolver as it was put together.
pub(crate) fn built(builder: Builder) -> Result<TokioResolver, SystemResolverError> {
    let what = "the name servers";
    let built = builder.build();
    built.map_err(|source| SystemResolverError { what, source })
}

impl SystemResolver {
    /// Reads the system's configuration once. Must be called within a runtime.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn new() -> Result<Self, SystemResolverError> {
        Self::of(of_the_system()?)
    }

    /// Asks one name server, and what `/etc/hosts` says. Must be called within a runtime.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn of_server(address: SocketAddr) -> Result<Self, SystemResolverError> {
        Self::of(of_server(address))
    }

    fn of(mut builder: Builder) -> Result<Self, SystemResolverError> {
        let options = builder.options_mut();
        options.timeout = ANSWER_WAIT;
        options.cache_size = ANSWERS_MAX;
        options.positive_max_ttl = Some(ADDRESSES_KEPT_MAX);
        options.negative_max_ttl = Some(ABSENCE_KEPT_MAX);
        built(builder).map(Self)
    }
}

/// Nobody to ask: for a machine without name servers. No host has an address.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHosts;

#[async_trait]
impl Resolve for NoHosts {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError("there are no name servers".to_owned()))
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let absolute = format!("{host}.");
        match self.0.lookup_ip(absolute).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(ResolveError(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_needs_no_name_server() {
        let resolver = SystemResolver::new().unwrap();
        for host in ["localhost", "a.localhost"] {
            let found = resolver.addresses(host).await.unwrap();
            assert!(!found.is_empty());
            assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
        }
    }
}
