//! TikTok: the title of a video.

use async_trait::async_trait;
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use url::Url;

use crate::answer::Id;
use crate::ask::{Ask, escaped, refuse, shown};
use crate::names::TIKTOK;
use crate::post::{Alphabet, found, location, lower, same};

/// TikTok allows 24.
const NAME_CHARS_MAX: usize = 64;
/// Digits of a video's id, and bytes of a link to one.
const ID_DIGITS_MAX: usize = 20;
const LINK_BYTES_MAX: usize = 512;
/// Hosts of links to videos.
const HOSTS: [&str; 5] = [
    "tiktok.com",
    "www.tiktok.com",
    "m.tiktok.com",
    "vm.tiktok.com",
    "vt.tiktok.com",
];

/// Checks TikTok accounts.
pub struct TikTok;

#[derive(Deserialize)]
struct Answer {
    title: String,
    author_unique_id: String,
    embed_product_id: Id,
}

/// What is said of a video that is gone, or that is not for everybody.
#[derive(Deserialize)]
struct Failed {
    code: u16,
}

#[async_trait]
impl ClaimChecker for TikTok {
    fn service(&self) -> &'static str {
        "tiktok"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        lower(identity, "TikTok", NAME_CHARS_MAX, fits)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let video = video(location(claim)?, claim.identity)?;
        let ask = Ask {
            world,
            who: "TikTok",
            missing: "there is no such video, or it is not public",
        };
        let path = format!("/oembed?url={}", escaped(&video.url));
        let fetched = ask
            .send(Request::get(Upstream::Named(TIKTOK), path))
            .await?;
        // The question is well formed, so it is the video that is wrong.
        let failed = serde_json::from_slice::<Failed>(&fetched.body).ok();
        if fetched.status == 400 && failed.is_some_and(|it| it.code == 400) {
            return Err(ask.not_found());
        }
        let fetched = ask.judge(fetched)?;
        let answer: Answer = ask.json(&fetched.body)?;
        let id = answer.embed_product_id.as_str();
        if video.id.is_some_and(|asked| asked != id) {
            return Err(ask.nonsense());
        }
        if !same(&answer.author_unique_id, claim.identity) {
            let (expected, got) = (shown(claim.identity), shown(&answer.author_unique_id));
            let reason = format!("Username mismatch: expect @{expected}, got @{got}");
            return refuse(Failure::WrongAuthor, reason);
        }
        let Some(signature) = nextid::title_signature(&answer.title) else {
            return refuse(
                Failure::TextMissing,
                "Signature not found in the video's title.",
            );
        };
        let signature = Alphabet::Base64.decode(signature)?;
        Ok(found(vec![signature], "", id))
    }
}

/// A video: the address to ask for, and its id if that is known.
struct Video<'v> {
    url: String,
    id: Option<&'v str>,
}

/// Reads a location: the link to a video, a short one too, or its id, which the chain keeps.
fn video<'v>(location: &'v str, identity: &str) -> Result<Video<'v>, Refusal> {
    let is_number = location.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && location.len() <= ID_DIGITS_MAX {
        return Ok(Video {
            url: format!("https://www.tiktok.com/@{identity}/video/{location}"),
            id: Some(location),
        });
    }
    let link = Some(location).filter(|link| link.len() <= LINK_BYTES_MAX);
    let url = link.and_then(|link| Url::parse(link).ok()).filter(|url| {
        let host = url.host_str().unwrap_or_default();
        matches!(url.scheme(), "https" | "http") && HOSTS.contains(&host)
    });
    match url {
        Some(url) => Ok(Video {
            url: url.to_string(),
            id: None,
        }),
        None => refuse(Failure::Malformed, "proof_location is no link to a video"),
    }
}
