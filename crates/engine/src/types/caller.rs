//! Who asks.

use std::net::IpAddr;

/// Where a request came from, as far as the rules ask.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The client's address.
    pub address: IpAddr,
}
