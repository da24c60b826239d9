//! ActivityPub: a post on a server of the network that knows its own people.
//!
//! A server also shows posts of other servers, under the name their authors have there. So the author
//! must be one of its own: what it says of him has no host.

mod mastodon;
mod misskey;

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Fetched, Request, Upstream};
use engine::types::Domain;
use serde::Deserialize;

use crate::ask::{Ask, refuse, shown};
use crate::names::ACTIVITYPUB;
use crate::post::{Alphabet, found, location, on_line, same, upstream_at};

/// What stands before the signature, at the start of a line.
const PREFIX: &str = "Signature: ";
/// Characters of the name before the host.
const USER_CHARS_MAX: usize = 128;
/// Characters of a post's id.
const POST_ID_CHARS_MAX: usize = 64;
/// What a server's self-description is called, the one that is preferred first.
const SCHEMAS: [&str; 2] = [
    "http://nodeinfo.diaspora.software/ns/schema/2.0",
    "http://nodeinfo.diaspora.software/ns/schema/2.1",
];
/// Servers with the client API of Mastodon.
const LIKE_MASTODON: [&str; 8] = [
    "mastodon",
    "pleroma",
    "akkoma",
    "fedibird",
    "glitchcafe",
    "gotosocial",
    "hometown",
    "kmyblue",
];
/// Servers with the API of Misskey.
const LIKE_MISSKEY: [&str; 8] = [
    "misskey",
    "calckey",
    "cherrypick",
    "firefish",
    "foundkey",
    "iceshrimp",
    "meisskey",
    "sharkey",
];

/// Checks accounts on servers that speak ActivityPub.
pub struct ActivityPub;

/// An account, the host in ASCII.
struct Account<'a> {
    user: &'a str,
    host: Domain,
}

/// What counts of a post.
struct Post {
    /// As the server itself calls the author: nothing behind it for one of its own.
    author: String,
    author_id: String,
    text: String,
}

/// Where one server is asked.
#[derive(Clone, Copy)]
struct Server<'s> {
    ask: Ask<'s>,
    host: &'s Domain,
}

impl Server<'_> {
    fn upstream(&self) -> Upstream {
        Upstream::At(ACTIVITYPUB, self.host.clone())
    }

    fn get(&self, path: &str) -> Request {
        Request::get(self.upstream(), path)
    }
}

#[async_trait]
impl ClaimChecker for ActivityPub {
    fn service(&self) -> &'static str {
        "activitypub"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let trimmed = identity.trim_matches('@');
        let Account { user, host } = account(trimmed)?;
        // One host in Unicode and in ASCII is one account; capitals are of no account anyhow.
        let (_, given) = trimmed.split_at(user.len());
        Ok(match given.is_ascii() {
            true => trimmed.to_owned(),
            false => format!("{user}@{host}"),
        })
    }

    fn upstream(&self, identity: &str) -> String {
        upstream_at(
            self.service(),
            account(identity).map(|account| account.host),
        )
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let account = account(claim.identity)?;
        let id = post_id(claim)?;
        let server = Server {
            ask: Ask {
                world,
                who: account.host.as_str(),
                missing: "there is no such post, or it is not public",
            },
            host: &account.host,
        };
        let software = software(&server).await?;
        let post = match software.as_str() {
            name if LIKE_MASTODON.contains(&name) => {
                mastodon::post(&server, id, &account, name).await?
            }
            name if LIKE_MISSKEY.contains(&name) => misskey::post(&server, id).await?,
            name => {
                // A host that has changed its software says nothing of the post by that.
                let reason = format!("{} is software that cannot be asked", shown(name));
                return refuse(Failure::Unreachable, reason);
            }
        };
        if !same(&post.author, account.user) {
            let (got, host) = (shown(&post.author), &account.host);
            let author = if got.contains('@') {
                got
            } else {
                format!("{got}@{host}")
            };
            let reason = format!(
                "Username mismatch: expect @{}, got @{author}",
                claim.identity
            );
            return refuse(Failure::WrongAuthor, reason);
        }
        let missing = "there is no signature in the post";
        let signatures = on_line(&post.text, PREFIX, Alphabet::Base64, missing)?;
        Ok(found(signatures, post.author_id, id))
    }
}

/// An identity's two parts.
fn account(identity: &str) -> Result<Account<'_>, Refusal> {
    let malformed = || {
        let reason = format!("{} is no account: write it as user@host", shown(identity));
        Refusal::new(Failure::Malformed, reason)
    };
    let (user, host) = identity.split_once('@').ok_or_else(malformed)?;
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let user_fits = (1..=USER_CHARS_MAX).contains(&user.chars().count()) && user.chars().all(fits);
    match Domain::parse(host) {
        Some(host) if user_fits => Ok(Account { user, host }),
        Some(_) | None => Err(malformed()),
    }
}

/// A post's id, before anything is asked.
fn post_id<'c>(claim: &Claimed<'c>) -> Result<&'c str, Refusal> {
    let id = location(claim)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if id.len() <= POST_ID_CHARS_MAX && id.bytes().all(fits) {
        Ok(id)
    } else {
        refuse(Failure::Malformed, "proof_location is no id of a post")
    }
}

/// Which descriptions a server has of itself.
#[derive(Deserialize)]
struct Descriptions {
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    href: String,
}

/// What it says in one.
#[derive(Deserialize)]
struct NodeInfo {
    software: Software,
}

#[derive(Deserialize)]
struct Software {
    name: String,
}

/// The name of a server's software, lower case.
async fn software(server: &Server<'_>) -> Result<String, Refusal> {
    let missing = "the host does not say what software it runs";
    let ask = Ask {
        missing,
        ..server.ask
    };
    let fetched = described(ask.get(server.get("/.well-known/nodeinfo")).await)?;
    let descriptions: Descriptions = ask.json(&fetched.body)?;
    let links = &descriptions.links;
    let link = SCHEMAS
        .iter()
        .find_map(|schema| links.iter().find(|link| link.rel == *schema));
    let link = link.ok_or_else(|| Refusal::new(Failure::Unreachable, missing))?;
    let (upstream, path) = ask.locate(&link.href, &[server.upstream()])?;
    let fetched = described(ask.get(Request::get(upstream, path)).await)?;
    let info: NodeInfo = ask.json(&fetched.body)?;
    Ok(info.software.name.to_lowercase())
}

/// That a description is missing says nothing of the post.
fn described(answer: Result<Fetched, Refusal>) -> Result<Fetched, Refusal> {
    match answer {
        Err(refusal) if refusal.failure == Failure::NotFound => {
            refuse(Failure::Unreachable, refusal.reason)
        }
        other => other,
    }
}
