//! Wire tests: whole exchanges through the router, one program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken exchange fails its test"
)]

mod answers;
mod chain;
mod door;
mod faults;
mod proof;
mod refusals;
mod subkey;
mod transport;
mod vectors;
