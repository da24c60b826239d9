//! Telegram: a message in a public channel or group, as web pages embed it.

use async_trait::async_trait;
use engine::nextid::text_of_html;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};

use crate::ask::{Ask, refuse, shown};
use crate::names::TELEGRAM;
use crate::post::{Alphabet, between, found, location, lower, on_line, same};

/// What stands before the signature, at the start of a line.
const PREFIX: &str = "Sig: ";
/// Characters of a name: Telegram allows 32.
const NAME_CHARS_MAX: usize = 32;
/// Digits of a message's number.
const NUMBER_DIGITS_MAX: usize = 12;

/// Checks public names at Telegram, of people and of channels.
pub struct Telegram;

#[async_trait]
impl ClaimChecker for Telegram {
    fn service(&self) -> &'static str {
        "telegram"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let name = identity.strip_prefix('@').unwrap_or(identity);
        lower(name, "Telegram", NAME_CHARS_MAX, is_name)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let (channel, number) = channel_and_number(location(claim)?)?;
        let ask = Ask {
            world,
            who: "Telegram",
            missing: "there is no such message, or it is not public",
        };
        let path = format!("/{channel}/{number}?embed=1&mode=tme");
        let fetched = ask
            .get(Request::get(Upstream::Named(TELEGRAM), path))
            .await?;
        let page = str::from_utf8(&fetched.body).map_err(|_| ask.nonsense())?;
        let place = format!("{channel}/{number}");
        let (author, text) = read(&ask, page, &place)?;
        if !same(&author, claim.identity) {
            let (expected, got) = (shown(claim.identity), shown(&author));
            let reason = format!("Username mismatch: expect @{expected}, got @{got}");
            return refuse(Failure::WrongAuthor, reason);
        }
        let missing = "Signature not found in the message.";
        let signatures = on_line(&text, PREFIX, Alphabet::Base64OrEmoji, missing)?;
        Ok(found(signatures, "", place))
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Reads a page with one message: who wrote it, and its text. What people write is escaped there, so
/// that no attribute is theirs.
fn read(ask: &Ask<'_>, page: &str, place: &str) -> Result<(String, String), Refusal> {
    if page.contains("class=\"tgme_widget_message_error\"") {
        return Err(ask.not_found());
    }
    let post = between(page, "data-post=\"", "\"").ok_or_else(|| ask.nonsense())?;
    if !same(post, place) {
        return Err(ask.nonsense());
    }
    if page.contains("class=\"tgme_widget_message_forwarded_from") {
        return refuse(Failure::WrongAuthor, "the message repeats somebody else's");
    }
    let owner = between(
        page,
        "class=\"tgme_widget_message_owner_name\" href=\"",
        "\"",
    );
    let author = owner.and_then(name_of).unwrap_or_default();
    let start = "<div class=\"tgme_widget_message_text js-message_text\"";
    let body = between(page, start, "</div>").and_then(|from| from.split_once('>'));
    let body = body.map_or_else(String::new, |(_, body)| text_of_html(body));
    Ok((author, body))
}

/// The name in a link to it. People without a public name have no link.
fn name_of(url: &str) -> Option<String> {
    let name = url.strip_prefix("https://t.me/")?;
    let fits = !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(is_name);
    fits.then(|| name.to_owned())
}

/// The two parts of `https://t.me/CHANNEL/NUMBER`, or of `CHANNEL/NUMBER`.
fn channel_and_number(location: &str) -> Result<(&str, &str), Refusal> {
    let starts = ["https://t.me/s/", "https://t.me/", "http://t.me/", "t.me/"];
    let rest = starts.iter().find_map(|start| location.strip_prefix(start));
    let parts = rest.unwrap_or(location).split_once('/');
    let parts = parts.filter(|(channel, number)| {
        let is_channel = (1..=NAME_CHARS_MAX).contains(&channel.len());
        let is_number = (1..=NUMBER_DIGITS_MAX).contains(&number.len());
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        is_channel && channel.chars().all(is_name) && is_number && digits
    });
    parts.ok_or_else(|| {
        let reason = "proof_location is no link to a message: https://t.me/CHANNEL/NUMBER";
        Refusal::new(Failure::Malformed, reason)
    })
}
