//! The door as clients see it: exchanges as text, checked against this project's own verifiers and
//! against independent ones.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken exchange fails its test"
)]

mod exchanges;
mod independent;
mod replay;
mod story;
