//! Wire tests: whole exchanges through the router, one program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken exchange fails its test"
)]

mod api;
mod door;
mod pk;
mod store;
