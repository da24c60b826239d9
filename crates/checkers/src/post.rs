//! Signatures in what people post.

use engine::limits::IDENTITY_BYTES_MAX;
use engine::nextid;
use engine::ports::checker::{Claimed, Failure, Found, Refusal};
use engine::types::{Avatar, Domain};
use serde::Deserialize;
use url::quirks::domain_to_unicode;

use crate::ask::{Ask, refuse, shown};

/// Signatures of one post that are handed on: some services show several posts as one text.
pub(crate) const SIGNATURES_MAX: usize = 10;
/// Characters a signature may have: base64 of 65 bytes has 88, base1024 fewer.
const SIGNATURE_CHARS_MAX: usize = 512;
/// What stands between the labels of a domain, and behind the last one for the root (UTS 46).
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
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
        dnssec: None,
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

/// A domain that is the account. However it is written, it is one: in Unicode or in ASCII (UTS 46), in
/// any case, with the dot of the root at its end or without.
///
/// # Errors
/// `Malformed`.
pub(crate) fn domain(identity: &str) -> Result<Domain, Refusal> {
    let name = identity.strip_suffix(DOTS).unwrap_or(identity);
    Domain::parse(name).ok_or_else(|| {
        let reason = format!("{} is no domain", shown(identity));
        Refusal::new(Failure::Malformed, reason)
    })
}

/// Who is asked about accounts at a host: one that is silent is none of the others' business.
pub(crate) fn upstream_at(service: &str, host: Result<Domain, Refusal>) -> String {
    match host {
        Ok(host) => format!("{service}@{host}"),
        Err(_) => service.to_owned(),
    }
}

/// A domain as people write it: the other name of an account that is one, by which it is found too.
/// The same in ASCII where that is longer than another name may be.
pub(crate) fn in_unicode(domain: &Domain) -> String {
    let unicode = domain_to_unicode(domain.as_str());
    if (1..=IDENTITY_BYTES_MAX).contains(&unicode.len()) {
        unicode
    } else {
        domain.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_domain_has_one_form_for_machines_and_one_for_people() {
        let names = |text: &str| {
            let domain = domain(text).ok()?;
            Some((domain.to_string(), in_unicode(&domain)))
        };
        let pair = |ascii: &str, unicode: &str| Some((ascii.to_owned(), unicode.to_owned()));
        for text in [
            "b\u{fc}cher.example",
            "bu\u{308}cher.example",
            "B\u{dc}CHER.Example",
            "B\u{dc}CHER.example.",
            "xn--bcher-kva.example",
            "XN--BCHER-KVA.EXAMPLE.",
            "b\u{fc}cher\u{3002}example\u{3002}",
        ] {
            let one = pair("xn--bcher-kva.example", "b\u{fc}cher.example");
            assert_eq!(names(text), one, "{text}");
        }
        assert_eq!(names("Example.ORG."), pair("example.org", "example.org"));
        for text in ["", ".", "..", "example.org..", "localhost.", "127.0.0.1."] {
            assert_eq!(names(text), None, "{text}");
        }
        // Letters of three bytes each in Unicode, and fewer in ASCII.
        let long = vec!["\u{4f8b}".repeat(45); 3].join(".");
        let domain = domain(&long).unwrap();
        assert!(long.len() > IDENTITY_BYTES_MAX && domain.as_str().is_ascii());
        assert_eq!(in_unicode(&domain), domain.as_str());
    }
}
