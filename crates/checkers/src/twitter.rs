//! Twitter: a tweet.
//!
//! Three ways lead to a tweet: what embedded tweets are made of (syndication), oEmbed, and the paid
//! API. They are tried in the operator's order until one shows the tweet.

mod api;
mod oembed;
mod syndication;

use async_trait::async_trait;
use crypto::secret::Secret;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};

use crate::ask::{Ask, refuse};
use crate::post::{Alphabet, found, location, lower, on_line, same};

/// Twitter allows 15 today; old names are longer.
const NAME_CHARS_MAX: usize = 50;
/// What stands before the signature, at the start of a line.
const PREFIX: &str = "Sig: ";
/// What the text of a retweet begins with; the rest is somebody else's.
const RETWEET: &str = "RT @";

/// Checks Twitter accounts.
pub struct Twitter {
    /// Bearer token for the API; without it the API is not asked.
    pub token: Option<Secret<String>>,
    /// The ways to a tweet, in the order in which they are tried.
    pub order: Vec<Way>,
}

/// A way to a tweet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What embedded tweets are made of. Needs no key; has the author's number.
    Syndication,
    /// The oEmbed document. Needs no key; has no number of the author.
    Oembed,
    /// API v2. Needs a token.
    Api,
}

/// What counts of a tweet.
struct Tweet {
    author: String,
    author_id: String,
    text: String,
}

#[async_trait]
impl ClaimChecker for Twitter {
    fn service(&self) -> &'static str {
        "twitter"
    }

    fn needs(&self) -> Needs {
        Needs {
            location: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        lower(identity, "Twitter", NAME_CHARS_MAX, fits)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let id = tweet_id(claim)?;
        let tweet = self.tweet(id, claim, world).await?;
        if !same(&tweet.author, claim.identity) {
            return refuse(Failure::WrongAuthor, "tweet is not sent by this account.");
        }
        if tweet.text.starts_with(RETWEET) {
            return refuse(Failure::WrongAuthor, "the tweet repeats somebody else's");
        }
        let missing = "Signature not found in tweet text.";
        let signatures = on_line(&tweet.text, PREFIX, Alphabet::Base64OrEmoji, missing)?;
        Ok(found(signatures, tweet.author_id, id.to_string()))
    }
}

impl Twitter {
    /// Whether any way is open.
    #[must_use]
    pub fn can_work(&self) -> bool {
        self.order.iter().any(|way| self.is_open(*way))
    }

    fn is_open(&self, way: Way) -> bool {
        way != Way::Api || self.token.is_some()
    }

    /// The tweet by the first way that shows it. When none does, that one of them says that there is
    /// no such tweet counts for more than that another could not be asked.
    async fn tweet(
        &self,
        id: i64,
        claim: &Claimed<'_>,
        world: &CheckWorld<'_>,
    ) -> Result<Tweet, Refusal> {
        let ask = Ask {
            world,
            who: "Twitter",
            missing: "there is no such tweet, or it is not public",
        };
        let mut refused: Option<Refusal> = None;
        for way in self.order.iter().filter(|way| self.is_open(**way)) {
            let tried = match (way, &self.token) {
                (Way::Syndication, _) => syndication::tweet(&ask, id).await,
                (Way::Oembed, _) => oembed::tweet(&ask, id, claim.identity).await,
                (Way::Api, Some(token)) => api::tweet(&ask, token, id).await,
                (Way::Api, None) => continue,
            };
            match tried {
                Ok(tweet) => return Ok(tweet),
                Err(one) => refused = Some(graver(refused, one)),
            }
        }
        Err(refused.unwrap_or_else(|| {
            Refusal::new(Failure::Unreachable, "this server has no way to Twitter")
        }))
    }
}

/// Of two refusals the one to tell: the first that says something of the tweet, else the last.
fn graver(before: Option<Refusal>, now: Refusal) -> Refusal {
    before
        .filter(|before| before.failure.is_definite())
        .unwrap_or(now)
}

/// A tweet's number, before anything is asked.
fn tweet_id(claim: &Claimed<'_>) -> Result<i64, Refusal> {
    let text = location(claim)?;
    match text.parse::<i64>() {
        Ok(id) if id > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(id),
        Ok(_) | Err(_) => refuse(Failure::Malformed, "proof_location is no id of a tweet"),
    }
}
