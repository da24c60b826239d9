//! Services that an operator describes: `[[platform]]` in the configuration.
//!
//! Members of JSON are named by JSON Pointer (RFC 6901): it is a standard with one meaning, every key
//! can be written in it, and there is nothing in it that searches. Everything else is found by
//! regular expressions, which take time in proportion to the text and are bounded in size.

mod keys;
mod steps;
mod template;

use async_trait::async_trait;
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use regex::Regex;
use serde_json::Value;

use crate::ask::{Ask, refuse, shown};
use crate::post::{Alphabet, SIGNATURES_MAX, any_location, found, location, readable, same};

use template::{LOCATION, Template};

pub use keys::{BadPlatform, PlatformKeys};
pub use steps::Steps;

/// Characters of an identity or a location, where no pattern says more.
const PART_CHARS_MAX: usize = 512;
/// Characters of an author's name, or of another id of his.
const NAME_CHARS_MAX: usize = 255;
/// What stands before the signature when nothing else is configured.
const PREFIX: &str = "Sig: ";

/// Checks a service that an operator has described.
pub struct Configured {
    name: String,
    upstream: &'static str,
    template: Template,
    accept: Option<String>,
    /// `None` when the address itself says whose it is.
    author: Option<Source>,
    /// `None` takes the whole answer.
    text: Option<Source>,
    is_html: bool,
    /// `None` takes the first line that is `Sig: ` and a signature.
    signature: Option<Regex>,
    alt_id: Option<Source>,
    identity: Option<Regex>,
    location: Option<Regex>,
    keeps_case: bool,
}

/// Where something stands in an answer.
enum Source {
    /// JSON Pointer.
    Pointer(String),
    /// The one group of a pattern, in the answer as text.
    Pattern(Regex),
}

/// An answer as its sources look at it.
struct Answer<'a> {
    text: &'a str,
    json: Option<Value>,
}

impl Source {
    fn read(&self, answer: &Answer<'_>) -> Option<String> {
        match self {
            Self::Pointer(pointer) => match answer.json.as_ref()?.pointer(pointer)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            },
            Self::Pattern(pattern) => {
                let group = pattern.captures(answer.text)?.get(1)?;
                Some(nextid::text_of_html(group.as_str()))
            }
        }
    }

    fn is_pointer(&self) -> bool {
        matches!(self, Self::Pointer(_))
    }
}

#[async_trait]
impl ClaimChecker for Configured {
    fn service(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> Needs {
        Needs {
            location: self.template.has(LOCATION),
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let identity = match self.keeps_case {
            true => identity.to_owned(),
            false => identity.to_lowercase(),
        };
        let is_long = identity.chars().nth(PART_CHARS_MAX).is_some();
        let fits = self
            .identity
            .as_ref()
            .is_none_or(|it| it.is_match(&identity));
        if identity.is_empty() || is_long || identity.chars().any(char::is_control) || !fits {
            let reason = format!("{} is no name of {}", shown(&identity), self.name);
            return refuse(Failure::Malformed, reason);
        }
        Ok(identity)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let location = match self.needs().location {
            true => location(claim)?,
            false => "",
        };
        let mut steps = Steps::default();
        let alt_id = self
            .walk(claim.identity, location, world, &mut steps)
            .await?;
        let texts: Vec<&str> = steps.signatures.iter().map(String::as_str).collect();
        let signatures = readable(&texts, Alphabet::Base64OrEmoji)?;
        Ok(found(signatures, alt_id, any_location(claim)))
    }
}

impl Configured {
    /// Scheme, host and port of the service, for the fetcher: `{identity}` may be the first label of
    /// the host.
    #[must_use]
    pub fn root(&self) -> &str {
        self.template.root()
    }

    /// Looks at the remote side as a check does, and tells each step. No claim is needed for it, so
    /// whether a signature is right is not known.
    pub async fn inspect(&self, identity: &str, location: &str, world: &CheckWorld<'_>) -> Steps {
        let mut steps = Steps::default();
        let identity = match self.normalise(identity, world).await {
            Ok(identity) => identity,
            Err(refusal) => {
                steps.refusal = Some(refusal);
                return steps;
            }
        };
        let walked = self.walk(&identity, location, world, &mut steps).await;
        let texts: Vec<&str> = steps.signatures.iter().map(String::as_str).collect();
        let readable = walked.and_then(|_| readable(&texts, Alphabet::Base64OrEmoji));
        steps.refusal = readable.err();
        steps
    }

    /// All steps up to the texts of the signatures; returns the account's other id.
    async fn walk(
        &self,
        identity: &str,
        location: &str,
        world: &CheckWorld<'_>,
        steps: &mut Steps,
    ) -> Result<String, Refusal> {
        self.check_location(location)?;
        let ask = Ask {
            world,
            who: &self.name,
            missing: "there is no such post",
        };
        let fetched = ask.send(self.request(identity, location)?).await?;
        steps.url = Some(fetched.final_url.clone());
        steps.status = Some(fetched.status);
        let fetched = ask.judge(fetched)?;
        let text = str::from_utf8(&fetched.body).map_err(|_| ask.nonsense())?;
        let answer = Answer {
            text,
            json: self.json(&ask, text)?,
        };
        self.check_author(&ask, &answer, identity, steps)?;
        self.read_text(&ask, &answer, steps)?;
        let alt_id = self.alt_id.as_ref().and_then(|source| source.read(&answer));
        Ok(alt_id
            .map(|id| id.chars().take(NAME_CHARS_MAX).collect())
            .unwrap_or_default())
    }

    fn request(&self, identity: &str, location: &str) -> Result<Request, Refusal> {
        let upstream = match self.template.is_each() {
            true => Upstream::Of(self.upstream, identity.to_owned()),
            false => Upstream::Named(self.upstream),
        };
        let request = Request::get(upstream, self.template.path(identity, location)?);
        Ok(match &self.accept {
            Some(accept) => request.with_header("accept", accept.as_str()),
            None => request,
        })
    }

    fn check_location(&self, location: &str) -> Result<(), Refusal> {
        let is_long = location.chars().nth(PART_CHARS_MAX).is_some();
        let fits = self
            .location
            .as_ref()
            .is_none_or(|it| it.is_match(location));
        if is_long || location.chars().any(char::is_control) || !fits {
            let reason = format!("proof_location is none of {}", self.name);
            return refuse(Failure::Malformed, reason);
        }
        Ok(())
    }

    /// The answer as JSON, if anything is looked for in it by pointer.
    fn json(&self, ask: &Ask<'_>, text: &str) -> Result<Option<Value>, Refusal> {
        let sources = [&self.author, &self.text, &self.alt_id];
        let is_json = sources.into_iter().flatten().any(Source::is_pointer);
        is_json.then(|| ask.json(text.as_bytes())).transpose()
    }

    fn check_author(
        &self,
        ask: &Ask<'_>,
        answer: &Answer<'_>,
        identity: &str,
        steps: &mut Steps,
    ) -> Result<(), Refusal> {
        let Some(source) = &self.author else {
            return Ok(());
        };
        let author = source.read(answer).ok_or_else(|| ask.nonsense())?;
        let author: String = author.trim().chars().take(NAME_CHARS_MAX).collect();
        steps.author = Some(author.clone());
        if same(&author, identity) {
            return Ok(());
        }
        let (expected, got) = (shown(identity), shown(&author));
        let reason = format!("Username mismatch: expect {expected}, got {got}");
        refuse(Failure::WrongAuthor, reason)
    }

    fn read_text(
        &self,
        ask: &Ask<'_>,
        answer: &Answer<'_>,
        steps: &mut Steps,
    ) -> Result<(), Refusal> {
        let text = match &self.text {
            Some(source) => source.read(answer).ok_or_else(|| ask.nonsense())?,
            None => answer.text.to_owned(),
        };
        let text = if self.is_html {
            nextid::text_of_html(&text)
        } else {
            text
        };
        steps.signatures = self.signatures(&text);
        steps.text = Some(text);
        if steps.signatures.is_empty() {
            return refuse(Failure::TextMissing, "there is no signature in the post");
        }
        Ok(())
    }

    fn signatures(&self, text: &str) -> Vec<String> {
        match &self.signature {
            None => nextid::line_signature(text, PREFIX)
                .map(str::to_owned)
                .into_iter()
                .collect(),
            Some(pattern) => pattern
                .captures_iter(text)
                .take(SIGNATURES_MAX)
                .filter_map(|found| found.get(1))
                .map(|group| group.as_str().to_owned())
                .collect(),
        }
    }
}
