//! Every checker against answers as the services give them (`tests/answers`), and against everything
//! else they may give.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod activitypub;
mod battery;
mod configured;
mod discord;
mod dns;
mod dotbit;
mod ens;
mod fake;
mod files;
mod github;
mod minds;
mod nextid;
mod steam;
mod telegram;
mod tiktok;
mod twitter;
mod vectors;
mod wallets;
