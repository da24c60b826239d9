//! The client against a whole directory on a loopback socket, and against forged logs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken exchange fails its test"
)]

mod audits;
mod bundles;
mod chains;
mod copied;
mod example;
mod forged;
mod memories;
mod server;
mod toxme;
