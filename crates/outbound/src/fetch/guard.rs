//! The resolver between the HTTP client and DNS: what it gives away is what gets dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve as ClientResolve, Resolving};

use crate::resolve::Resolve;

/// Addresses of one host that are tried: whoever owns a domain could list thousands of strangers'.
const ADDRESSES_MAX: usize = 4;

/// Whether an address must not be dialled.
pub(super) type Rule = fn(IpAddr) -> bool;

/// Resolves hosts, and keeps forbidden addresses back. The client asks once for each connection and
/// dials nothing but what it got, so that no second answer can come between looking and dialling. The
/// resolver may answer from its memory, and what it answers is looked at all the same: nothing here is
/// remembered from one connection to the next. A host that is an address in the URL is never asked
/// for; such a URL comes from the operator only (see `target`).
pub(super) struct Guard {
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) is_forbidden: Rule,
}

/// A host has forbidden addresses only.
#[derive(Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(super) struct Forbidden;

impl ClientResolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, is_forbidden) = (self.resolver.clone(), self.is_forbidden);
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await?;
            let mut allowed: Vec<_> = found
                .into_iter()
                .filter(|address| !is_forbidden(*address))
                .collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            allowed.truncate(ADDRESSES_MAX);
            // Port 0 stands for the one in the URL.
            let addresses = allowed.into_iter().map(|ip| SocketAddr::new(ip, 0));
            let addresses: Addrs = Box::new(addresses);
            Ok(addresses)
        })
    }
}
