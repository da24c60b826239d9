//! Steam: the summary of a profile.

use async_trait::async_trait;
use engine::nextid::{self, SteamId};
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use roxmltree::{Document, Node, ParsingOptions};

use crate::ask::{Ask, refuse, shown};
use crate::names::STEAM;
use crate::post::{Alphabet, any_location, found, readable};

/// Characters of a name of one's own.
const NAME_CHARS_MAX: usize = 64;
/// Nodes of a profile: it lists groups and games, some hundred at most.
const NODES_MAX: u32 = 20_000;
/// Checks Steam accounts.
pub struct Steam;

/// What counts of a profile.
struct Profile {
    id: String,
    name: String,
    summary: String,
}

#[async_trait]
impl ClaimChecker for Steam {
    fn service(&self) -> &'static str {
        "steam"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// A name of one's own can be given to somebody else; the id stands for it in the chain. Asks
    /// Steam for the id of a name.
    async fn normalise(&self, identity: &str, world: &CheckWorld<'_>) -> Result<String, Refusal> {
        if identity.bytes().all(|byte| byte.is_ascii_digit()) {
            return steam_id(identity).map(|id| id.to_string());
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if identity.len() > NAME_CHARS_MAX || !identity.bytes().all(fits) {
            let reason = format!("{} is no name of Steam", shown(identity));
            return refuse(Failure::Malformed, reason);
        }
        let ask = asking(world);
        let profile = profile(&ask, &format!("/id/{identity}/?xml=1")).await?;
        steam_id(&profile.id).map_err(|_| ask.nonsense())?;
        Ok(profile.id)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let id = steam_id(claim.identity)?.to_string();
        let ask = asking(world);
        let profile = profile(&ask, &format!("/profiles/{id}/?xml=1")).await?;
        if profile.id != id {
            return Err(ask.nonsense());
        }
        let summary = nextid::text_of_html(&profile.summary);
        let texts = nextid::steam_signatures(&summary);
        if texts.is_empty() {
            return refuse(Failure::TextMissing, "proof not found in user summary");
        }
        let signatures = readable(&texts, Alphabet::Base64OrEmoji)?;
        Ok(found(signatures, profile.name, any_location(claim)))
    }
}

fn asking<'w>(world: &'w CheckWorld<'w>) -> Ask<'w> {
    Ask {
        world,
        who: "Steam",
        missing: "there is no such profile",
    }
}

/// The number of a person.
fn steam_id(text: &str) -> Result<SteamId, Refusal> {
    SteamId::parse(text).map_err(|fault| {
        let reason = format!("{} is no id of a person at Steam: {fault}", shown(text));
        Refusal::new(Failure::Malformed, reason)
    })
}

async fn profile(ask: &Ask<'_>, path: &str) -> Result<Profile, Refusal> {
    let fetched = ask.get(Request::get(Upstream::Named(STEAM), path)).await?;
    let xml = str::from_utf8(&fetched.body).map_err(|_| ask.nonsense())?;
    read(ask, xml)
}

/// Reads a profile. Groups in it have a summary too, so only its own children count.
fn read(ask: &Ask<'_>, xml: &str) -> Result<Profile, Refusal> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options).map_err(|_| ask.nonsense())?;
    let root = document.root_element();
    if root.has_tag_name("response") && child(root, "error").is_some() {
        return Err(ask.not_found());
    }
    if !root.has_tag_name("profile") {
        return Err(ask.nonsense());
    }
    Ok(Profile {
        id: child(root, "steamID64")
            .ok_or_else(|| ask.nonsense())?
            .trim()
            .to_owned(),
        name: child(root, "customURL").map(shown).unwrap_or_default(),
        summary: child(root, "summary").unwrap_or_default().to_owned(),
    })
}

/// The text of a child.
fn child<'d>(parent: Node<'d, '_>, name: &str) -> Option<&'d str> {
    let mut children = parent.children();
    children.find(|child| child.has_tag_name(name))?.text()
}
