//! The PostgreSQL store against a real server: `STORE_URL`'s, or one started here.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test's helpers may panic"
)]

mod contract;
mod faults;
mod opening;
mod rig;
