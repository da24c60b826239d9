//! Checkers of claims: one for each service, one file each.
//!
//! A checker says who wrote a post and which signatures are in it; the engine says whether one of them
//! is right (see [`engine::ports::checker`]). Only where an account is itself a key, and nobody is
//! asked, does the checker verify what the account signed.
//!
//! - `ask`: asking an upstream, and what its answers mean
//! - `post`, `answer`, `wallet`: what most posts, answers and wallets have in common
//! - one module for each service; [`configured`] for those an operator describes
//!
//! Nothing here opens a connection: that is the fetcher's and the resolver's part, whom the engine
//! hands in.

mod activitypub;
mod answer;
mod ask;
pub mod configured;
mod discord;
mod dns;
mod dotbit;
mod ens;
mod ethereum;
mod github;
mod https;
mod keybase;
mod minds;
pub mod names;
mod nextid;
mod post;
mod solana;
mod steam;
mod telegram;
mod tiktok;
mod twitter;
mod wallet;

pub use activitypub::ActivityPub;
pub use discord::Discord;
pub use dns::Dns;
pub use dotbit::DotBit;
pub use ens::Ens;
pub use ethereum::Ethereum;
pub use github::GitHub;
pub use https::Https;
pub use keybase::Keybase;
pub use minds::Minds;
pub use nextid::OtherAvatar;
pub use solana::Solana;
pub use steam::Steam;
pub use telegram::Telegram;
pub use tiktok::TikTok;
pub use twitter::{Twitter, Way};
