//! The real binary over real sockets, in directories of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod client;
mod convert;
mod harness;
mod hostile_upstreams;
mod import;
mod operate;
mod platform;
mod postgres;
mod proofs;
mod remote;
mod serve;
mod verify;
