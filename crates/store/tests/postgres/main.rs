//! The PostgreSQL store against a real server: `STORE_URL`'s, or one started here.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's helpers may panic"
)]

mod contract;
mod rig;
