//! GitHub: a gist with a file named after the avatar's key.
//!
//! The file's own account of what was signed is for people. Who owns the gist is what the API says;
//! what was signed is the payload of this claim.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use crypto::secret::Secret;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answer::Id;
use crate::ask::{Ask, escaped, refuse, shown};
use crate::names::{GITHUB_API, GITHUB_GIST_RAW};
use crate::post::{file_name, found, in_file, in_own_file, location, lower, same};

/// Letters and digits of a gist's id.
const GIST_ID_CHARS_MAX: usize = 64;
/// GitHub allows 39; enterprises have a few more.
const LOGIN_CHARS_MAX: usize = 64;

/// Checks GitHub accounts.
pub struct GitHub {
    /// For more than 60 requests an hour.
    pub token: Option<Secret<String>>,
}

/// What counts of a gist.
#[derive(Deserialize)]
struct Gist {
    owner: Option<Owner>,
    #[serde(default)]
    files: BTreeMap<String, Option<File>>,
    message: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
    id: Id,
}

#[derive(Deserialize)]
struct File {
    content: Option<String>,
    raw_url: Option<String>,
    #[serde(default)]
    truncated: bool,
}

#[async_trait]
impl ClaimChecker for GitHub {
    fn service(&self) -> &'static str {
        "github"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        lower(identity, "GitHub", LOGIN_CHARS_MAX, fits)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let id = gist_id(claim)?;
        let ask = Ask {
            world,
            who: "GitHub",
            missing: "there is no such gist",
        };
        match self.gist(&ask, id).await {
            Ok(gist) => read(&ask, claim, &gist, id).await,
            // The API has named the owner when the claim was made. An hour's requests are soon spent,
            // and the address of a file has the owner in it.
            Err(refusal) if world.is_background && !refusal.failure.is_definite() => {
                let signatures = raw_file(&ask, claim, id, refusal).await?;
                Ok(found(signatures, "", id))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

impl GitHub {
    async fn gist(&self, ask: &Ask<'_>, id: &str) -> Result<Gist, Refusal> {
        let mut request = Request::get(Upstream::Named(GITHUB_API), format!("/gists/{id}"))
            .with_header("accept", "application/vnd.github+json")
            .with_header("x-github-api-version", "2022-11-28");
        if let Some(token) = &self.token {
            let bearer = format!("Bearer {}", token.expose());
            request = request.with_header("authorization", bearer);
        }
        let fetched = ask.get(request).await?;
        let gist: Gist = ask.json(&fetched.body)?;
        // Something that is no gist at all, such as a message of a proxy.
        if gist.owner.is_none() && gist.message.is_some() {
            return Err(ask.nonsense());
        }
        Ok(gist)
    }
}

async fn read(ask: &Ask<'_>, claim: &Claimed<'_>, gist: &Gist, id: &str) -> Result<Found, Refusal> {
    let Some(owner) = &gist.owner else {
        return refuse(Failure::WrongAuthor, "the gist has no owner");
    };
    if !same(&owner.login, claim.identity) {
        let (should, got) = (shown(claim.identity), shown(&owner.login));
        let reason = format!("gist owner mismatch: should be {should}, but got {got}");
        return refuse(Failure::WrongAuthor, reason);
    }
    let name = file_name(claim);
    let Some(file) = gist.files.get(&name).and_then(Option::as_ref) else {
        let reason = format!("{name} not found or empty");
        return refuse(Failure::TextMissing, reason);
    };
    let signatures = match &file.content {
        Some(content) if !file.truncated => in_own_file(content.as_bytes(), claim)?,
        Some(_) | None => {
            let body = match &file.raw_url {
                Some(url) => follow(ask, url).await?,
                None => raw(ask, claim, id).await?,
            };
            in_file(ask, &body, claim)?
        }
    };
    Ok(found(signatures, owner.id.as_str(), id))
}

/// Reads a file whose URL the API gave.
async fn follow(ask: &Ask<'_>, url: &str) -> Result<Bytes, Refusal> {
    let among = [GITHUB_GIST_RAW, GITHUB_API].map(Upstream::Named);
    let (upstream, path) = ask.locate(url, &among)?;
    let fetched = ask.get(Request::get(upstream, path)).await?;
    Ok(fetched.body)
}

/// Reads a file at the address that has its owner in it.
async fn raw(ask: &Ask<'_>, claim: &Claimed<'_>, id: &str) -> Result<Bytes, Refusal> {
    let (login, name) = (escaped(claim.identity), file_name(claim));
    let path = format!("/{login}/{id}/raw/{name}");
    let request = Request::get(Upstream::Named(GITHUB_GIST_RAW), path);
    Ok(ask.get(request).await?.body)
}

/// The file without the API; what the API was refused for is told when that does not work either.
async fn raw_file(
    ask: &Ask<'_>,
    claim: &Claimed<'_>,
    id: &str,
    refusal: Refusal,
) -> Result<Vec<Vec<u8>>, Refusal> {
    match raw(ask, claim, id).await {
        Ok(body) => in_file(ask, &body, claim),
        Err(raw) if raw.failure.is_definite() => Err(raw),
        Err(_) => Err(refusal),
    }
}

/// The gist's id, before anything is asked.
fn gist_id<'c>(claim: &Claimed<'c>) -> Result<&'c str, Refusal> {
    let id = location(claim)?;
    let fits = id.len() <= GIST_ID_CHARS_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(id)
    } else {
        let reason = "proof_location is no id of a gist: 1 to 64 letters and digits";
        refuse(Failure::Malformed, reason)
    }
}
