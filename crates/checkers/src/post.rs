//! Signatures in what people post.

use engine::nextid;
use engine::ports::checker::{Claimed, Failure, Found, Refusal};
use engine::types::{Avatar, Domain};
use serde::Deserialize;

use crate::ask::{Ask, refuse, shown};

/// Signatures of one post that are handed on: some services show several posts as one text.
pub(crate) const SIGNATURES_MAX: usize = 10;
/// Characters a signature may have: base64 of 65 bytes has 88, base1024 fewer.
const SIGNATURE_CHARS_MAX: usize = 512;
/// What is told of a text that stands where a signature should.
const UNREADABLE: &str = "the signature in the post cannot be read";

/// How a service writes signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// Base64 and nothing else.
    Base64,
    /// Base64, or the base of 1024 emoji.
    Base64OrEmoji,
}

impl Alphabet {
    /// Reads a signature.
    ///
    /// # Errors
    /// `BadSignature` when it is none.
    pub(crate) fn decode(self, text: &str) -> Result<Vec<u8>, Refusal> {
        let fits = text.chars().nth(SIGNATURE_CHARS_MAX).is_none();
        let decoded = match self {
            _ if !fits => None,
            Self::Base64 => nextid::decode_base64(text),
            Self::Base64OrEmoji => nextid::decode_signature(text),
        };
        decoded.ok_or_else(|| Refusal::new(Failure::BadSignature, UNREADABLE))
    }
}

/// The signature on the first line of a text that is `prefix` and a signature.
///
/// # Errors
/// `TextMissing` with `missing` when there is no such line, `BadSignature` when it has no signature.
pub(crate) fn on_line(
    text: &str,
    prefix: &str,
    alphabet: Alphabet,
    missing: &str,
) -> Result<Vec<Vec<u8>>, Refusal> {
    match nextid::line_signature(text, prefix) {
        Some(signature) => Ok(vec![alphabet.decode(signature)?]),
        None => refuse(Failure::TextMissing, missing),
    }
}

/// Those of some signatures that can be read; it is refused when none can.
pub(crate) fn readable(texts: &[&str], alphabet: Alphabet) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut unreadable = None;
    let mut signatures = Vec::new();
    for text in texts {
        match alphabet.decode(text) {
            Ok(signature) => signatures.push(signature),
            Err(refusal) => unreadable = Some(refusal),
        }
    }
    match unreadable {
        Some(refusal) if signatures.is_empty() => Err(refusal),
        Some(_) | None => Ok(signatures),
    }
}

/// The file with a proof that stands under a name of the avatar's key (keybase, https, github). Its
/// other members are for people: what was signed is known here.
#[derive(Deserialize)]
struct File {
    persona: Option<String>,
    signature: Option<String>,
}

/// Name of that file.
pub(crate) fn file_name(claim: &Claimed<'_>) -> String {
    format!("{}.json", claim.avatar)
}

/// Reads that file.
///
/// # Errors
/// `TextMissing` when it is empty or has no signature, `BadSignature` when it names another avatar or
/// its signature is none, `Unreachable` when it is no JSON.
pub(crate) fn in_file(
    ask: &Ask<'_>,
    body: &[u8],
    claim: &Claimed<'_>,
) -> Result<Vec<Vec<u8>>, Refusal> {
    if body.trim_ascii().is_empty() {
        let reason = format!("{} not found or empty", file_name(claim));
        return refuse(Failure::TextMissing, reason);
    }
    signed(&ask.json(body)?, claim)
}

/// Reads that file as its owner wrote it, and nobody in between: what is no JSON is another text.
///
/// # Errors
/// As [`in_file`] does, and `TextMissing` when it is no JSON.
pub(crate) fn in_own_file(body: &[u8], claim: &Claimed<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let reason = || format!("{} not found or empty", file_name(claim));
    let file = serde_json::from_slice(body);
    signed(
        &file.map_err(|_| Refusal::new(Failure::TextMissing, reason()))?,
        claim,
    )
}

fn signed(file: &File, claim: &Claimed<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    if let Some(persona) = &file.persona
        && Avatar::parse(persona).as_ref() != Some(claim.avatar)
    {
        return refuse(Failure::BadSignature, "Persona mismatch");
    }
    match file.signature.as_deref() {
        Some(signature) if !signature.is_empty() => {
            Ok(vec![Alphabet::Base64OrEmoji.decode(signature)?])
        }
        Some(_) | None => {
            let reason = format!("there is no signature in {}", file_name(claim));
            refuse(Failure::TextMissing, reason)
        }
    }
}

/// What stands between a start and the first end behind it.
pub(crate) fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(start)?;
    after.split_once(end).map(|(inner, _)| inner)
}

/// What was found, where the chain says.
pub(crate) fn found(
    signatures: Vec<Vec<u8>>,
    alt_id: impl Into<String>,
    location: impl Into<String>,
) -> Found {
    Found {
        signatures,
        alt_id: alt_id.into(),
        location: location.into(),
    }
}

/// Whether two names of one account are the same but for capital letters.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Where the post is.
///
/// # Errors
/// `Malformed` when the claim does not say.
pub(crate) fn location<'c>(claim: &Claimed<'c>) -> Result<&'c str, Refusal> {
    match claim.location {
        Some(location) if !location.is_empty() => Ok(location),
        Some(_) | None => refuse(Failure::Malformed, "proof_location is missing"),
    }
}

/// The location of a service where it plays no part: kept as it was given.
pub(crate) fn any_location(claim: &Claimed<'_>) -> String {
    claim.location.unwrap_or_default().to_owned()
}

/// An identity in lower case, if it has at most `chars_max` characters and each of them fits.
///
/// # Errors
/// `Malformed`.
pub(crate) fn lower(
    identity: &str,
    who: &str,
    chars_max: usize,
    fits: fn(char) -> bool,
) -> Result<String, Refusal> {
    let lower = identity.to_lowercase();
    let count = lower.chars().take(chars_max.saturating_add(1)).count();
    if (1..=chars_max).contains(&count) && lower.chars().all(fits) {
        Ok(lower)
    } else {
        let reason = format!("{} is no name of {who}", shown(identity));
        refuse(Failure::Malformed, reason)
    }
}

/// A domain that is the account.
///
/// # Errors
/// `Malformed`.
pub(crate) fn domain(identity: &str) -> Result<Domain, Refusal> {
    Domain::parse(identity).ok_or_else(|| {
        let reason = format!("{} is no domain", shown(identity));
        Refusal::new(Failure::Malformed, reason)
    })
}

/// A domain that is the account, in lower case.
///
/// # Errors
/// `Malformed`.
pub(crate) fn lower_domain(identity: &str) -> Result<String, Refusal> {
    let lower = identity.to_lowercase();
    domain(&lower).map(|_| lower)
}
