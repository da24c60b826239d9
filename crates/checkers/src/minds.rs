//! Minds: a post.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;

use crate::answer::Id;
use crate::ask::{Ask, refuse, shown};
use crate::names::MINDS;
use crate::post::{Alphabet, found, location, lower, on_line, same};

/// What stands before the signature, at the start of a line.
const PREFIX: &str = "Sig: ";
/// Characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Digits of a post's id.
const ID_DIGITS_MAX: usize = 20;

/// Checks Minds accounts.
pub struct Minds;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    entities: Vec<Option<Entity>>,
}

#[derive(Deserialize)]
struct Entity {
    guid: Id,
    #[serde(rename = "ownerObj")]
    owner: Owner,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    guid: Id,
    username: String,
}

#[async_trait]
impl ClaimChecker for Minds {
    fn service(&self) -> &'static str {
        "minds"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        lower(identity, "Minds", NAME_CHARS_MAX, fits)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let id = location(claim)?;
        let is_id = id.len() <= ID_DIGITS_MAX && id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_id {
            return refuse(Failure::Malformed, "proof_location is no id of a post");
        }
        let ask = Ask {
            world,
            who: "Minds",
            missing: "there is no such post",
        };
        let path = format!(
            "/api/v2/entities/?urns=urn%3Aactivity%3A{id}&as_activities=0&export_user_counts=false"
        );
        let fetched = ask.get(Request::get(Upstream::Named(MINDS), path)).await?;
        let answer: Answer = ask.json(&fetched.body)?;
        let mut entities = answer.entities.into_iter().flatten();
        let post = entities.find(|entity| entity.guid.as_str() == id);
        let post = post.ok_or_else(|| ask.not_found())?;
        if !same(&post.owner.username, claim.identity) {
            let (expected, got) = (shown(claim.identity), shown(&post.owner.username));
            let reason = format!("Username mismatch: expect @{expected}, got @{got}");
            return refuse(Failure::WrongAuthor, reason);
        }
        let missing = "Signature not found in the post.";
        let text = post.message.unwrap_or_default();
        let signatures = on_line(&text, PREFIX, Alphabet::Base64OrEmoji, missing)?;
        Ok(found(signatures, post.owner.guid.as_str(), id))
    }
}
