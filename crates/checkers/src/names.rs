//! Names of services, and of the upstreams they are asked at.

/// Every service there is a checker for.
pub const SERVICES: &[&str] = &[
    "activitypub",
    "discord",
    "dns",
    "dotbit",
    "ens",
    "ethereum",
    "github",
    "https",
    "keybase",
    "minds",
    "nextid",
    "solana",
    "steam",
    "telegram",
    "tiktok",
    "twitter",
];

/// Words that other servers use for services there is no checker for.
pub const RESERVED: &[&str] = &[
    "bluesky",
    "email",
    "facebook",
    "hackernews",
    "nostr",
    "reddit",
    "slack",
    "textsecure",
    "toxme",
];

/// `[upstreams]` of GitHub's API.
pub const GITHUB_API: &str = "github_api";
/// `[upstreams]` of the files of gists.
pub const GITHUB_GIST_RAW: &str = "github_gist_raw";
/// `[upstreams]` of what embedded tweets are made of.
pub const TWITTER_SYNDICATION: &str = "twitter_syndication";
/// `[upstreams]` of Twitter's oEmbed.
pub const TWITTER_OEMBED: &str = "twitter_oembed";
/// `[upstreams]` of Twitter's API.
pub const TWITTER_API: &str = "twitter_api";
/// `[upstreams]` of a resolver that speaks DNS over HTTPS with JSON.
pub const DNS_OVER_HTTPS: &str = "dns_over_https";
/// `[upstreams]` of servers that speak ActivityPub.
pub const ACTIVITYPUB: &str = "activitypub";
/// `[upstreams]` of public folders at Keybase.
pub const KEYBASE_PUB: &str = "keybase_pub";
/// `[upstreams]` of web sites.
pub const HTTPS: &str = "https";
/// `[upstreams]` of Minds.
pub const MINDS: &str = "minds";
/// `[upstreams]` of Steam.
pub const STEAM: &str = "steam";
/// `[upstreams]` of .bit.
pub const DOTBIT: &str = "dotbit";
/// `[upstreams]` of TikTok.
pub const TIKTOK: &str = "tiktok";
/// `[upstreams]` of Discord's API.
pub const DISCORD_API: &str = "discord_api";
/// `[upstreams]` of Telegram's pages.
pub const TELEGRAM: &str = "telegram";
/// `[upstreams]` of a node of Ethereum.
pub const ETHEREUM_RPC: &str = "ethereum_rpc";
