//! Copies of links on Arweave: the adapters of the [`Archive`](engine::ports::archive::Archive) port.
//!
//! Two ways lead there. A [`Gateway`] takes transactions, which this server signs and pays in AR out of
//! the wallet of its key. A [`Bundler`] takes single items, and is paid for them in a way of its own.

mod bundler;
mod chunks;
mod gateway;
pub(crate) mod parsers;
mod transaction;
mod upstream;

pub use bundler::Bundler;
pub use gateway::Gateway;
pub use upstream::UPSTREAM;

/// Winston in one AR.
pub const WINSTON_PER_AR: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests;
