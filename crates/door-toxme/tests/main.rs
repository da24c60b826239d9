//! Wire tests: whole exchanges through the router, one program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken exchange fails its test"
)]

mod api;
mod client;
mod door;
mod malformed;
mod pk;
mod random;
mod rules;
mod store;
mod vectors;
