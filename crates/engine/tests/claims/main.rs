//! Claims as doors use them, over a scripted service.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod archiving;
mod costs;
mod describing;
mod due;
mod feed;
mod finding;
mod posting;
mod races;
mod rechecking;
mod subkeys;
mod town;
mod vectors;
