//! Discord: a message in a channel that the server's bot can read.

use async_trait::async_trait;
use crypto::secret::Secret;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answer::Id;
use crate::ask::{Ask, refuse, shown};
use crate::names::DISCORD_API;
use crate::post::{Alphabet, found, location, on_line};

/// What stands before the signature, at the start of a line.
const PREFIX: &str = "Sig: ";
/// Longest identity: a name of 32 characters, `#` and four digits, with room.
const NAME_CHARS_MAX: usize = 64;
/// Digits of an id.
const ID_DIGITS_MAX: usize = 20;
/// The discriminator of names that have none.
const NO_DISCRIMINATOR: &str = "0";

/// Checks Discord accounts.
pub struct Discord {
    /// Token of a bot that can read the channels people post in.
    pub token: Secret<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Id,
    author: Author,
    content: String,
    /// A program that names itself as it likes.
    webhook_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Author {
    id: Id,
    username: String,
    discriminator: Option<String>,
}

impl Author {
    /// The name as people write it.
    fn shown(&self) -> String {
        match self.discriminator.as_deref() {
            None | Some("" | NO_DISCRIMINATOR) => self.username.clone(),
            Some(number) => format!("{}#{number}", self.username),
        }
    }
}

#[async_trait]
impl ClaimChecker for Discord {
    fn service(&self) -> &'static str {
        "discord"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    /// Any name: only Discord knows what people may be called there.
    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        if identity.is_empty() || identity.chars().nth(NAME_CHARS_MAX).is_some() {
            return refuse(Failure::Malformed, "that is no name of Discord");
        }
        Ok(identity.to_owned())
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let given = location(claim)?;
        let (channel, id) = channel_and_message(given)?;
        let ask = Ask {
            world,
            who: "Discord",
            missing: "there is no such message",
        };
        let path = format!("/v9/channels/{channel}/messages/{id}");
        let token = format!("Bot {}", self.token.expose());
        let request =
            Request::get(Upstream::Named(DISCORD_API), path).with_header("authorization", token);
        let fetched = ask.get(request).await?;
        let message: Message = ask.json(&fetched.body)?;
        if message.id.as_str() != id {
            return Err(ask.nonsense());
        }
        let author = message.author.shown();
        if author != claim.identity || message.webhook_id.is_some() {
            let (expected, actual) = (shown(claim.identity), shown(&author));
            let reason = format!("User name mismatch: expect {expected} - actual {actual}");
            return refuse(Failure::WrongAuthor, reason);
        }
        let missing = "Signature not found in the message.";
        let signatures = on_line(&message.content, PREFIX, Alphabet::Base64OrEmoji, missing)?;
        Ok(found(signatures, message.author.id.as_str(), given))
    }
}

/// The channel and the message of a link to a message: `…/channels/SERVER/CHANNEL/MESSAGE`.
fn channel_and_message(location: &str) -> Result<(&str, &str), Refusal> {
    let malformed = || {
        let reason = "proof_location is no link to a message: \
                      https://discord.com/channels/SERVER/CHANNEL/MESSAGE";
        Refusal::new(Failure::Malformed, reason)
    };
    let (before, ids) = location.split_once("/channels/").ok_or_else(malformed)?;
    let host = before.strip_prefix("https://").unwrap_or(before);
    let is_discord = ["discord.com", "discordapp.com"].iter().any(|known| {
        let below = host.strip_suffix(known);
        below.is_some_and(|below| matches!(below, "" | "www." | "ptb." | "canary."))
    });
    if !(host.is_empty() || is_discord) {
        return Err(malformed());
    }
    let is_id = |id: &str| {
        (1..=ID_DIGITS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
    };
    let mut ids = ids.trim_end_matches('/').split('/');
    match (ids.next(), ids.next(), ids.next(), ids.next()) {
        (Some(server), Some(channel), Some(message), None)
            if [server, channel, message].into_iter().all(is_id) =>
        {
            Ok((channel, message))
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::channel_and_message;

    #[test]
    fn links_to_messages_are_read() {
        for good in [
            "https://discord.com/channels/1/22/333",
            "https://ptb.discord.com/channels/1/22/333/",
            "https://discordapp.com/channels/1/22/333",
            "/channels/1/22/333",
        ] {
            assert_eq!(channel_and_message(good).unwrap(), ("22", "333"), "{good}");
        }
        for bad in [
            "",
            "333",
            "https://discord.com/channels/1/22",
            "https://discord.com/channels/1/22/333/4444",
            "https://discord.com/channels/@me/22/333",
            "https://discord.com/channels/1/22/333?x=1",
            "https://discord.com/channels/1/../333",
            "https://discord.com/channels/a/1/22/333",
            "https://discord.com.evil.example/channels/1/22/333",
            "https://evil.example/channels/1/22/333",
            "https://discord.com/channels/1/22/123456789012345678901",
        ] {
            assert!(channel_and_message(bad).is_err(), "{bad}");
        }
    }
}
