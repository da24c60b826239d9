//! ENS: a text record of the name, asked of a node of Ethereum.
//!
//! Names are ASCII here: whether two names in other letters are the same takes tables that wallets do
//! not agree about, and one that looks like another may be anybody's. Resolvers that answer for
//! whole domains (ENSIP-10) or send elsewhere (EIP-3668) are not asked.

use async_trait::async_trait;
use crypto::digest::keccak256;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::ask::{Ask, refuse};
use crate::names::ETHEREUM_RPC;
use crate::post::{Alphabet, any_location, found, lower};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 255;
/// The registry of ENS.
const REGISTRY: &str = "0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e";
/// The text record.
const RECORD: &str = "id.next.proof";
/// `resolver(bytes32)` and `text(bytes32,string)`: the first four bytes of their Keccak-256.
const RESOLVER: &str = "0178b8bf";
const TEXT: &str = "59d1d43c";
/// Bytes of a word of the ABI.
const WORD: usize = 32;
/// Longest record.
const RECORD_BYTES_MAX: usize = 4096;

/// Checks names of ENS.
pub struct Ens;

#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
    error: Option<IgnoredAny>,
}

#[async_trait]
impl ClaimChecker for Ens {
    fn service(&self) -> &'static str {
        "ens"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = lower(identity, "ENS", NAME_CHARS_MAX, fits)?;
        if name.contains('.') && name.split('.').all(|label| !label.is_empty()) {
            Ok(name)
        } else {
            refuse(
                Failure::Malformed,
                "that is no name of ENS: it has two parts or more",
            )
        }
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let missing = format!("{} has no text record {RECORD}", claim.identity);
        let ask = Ask {
            world,
            who: "Ethereum",
            missing: &missing,
        };
        let node = HEXLOWER.encode(&namehash(claim.identity));
        let resolver = call(&ask, REGISTRY, format!("0x{RESOLVER}{node}")).await?;
        let resolver = address(&resolver).ok_or_else(|| ask.not_found())?;
        let data = format!("0x{TEXT}{node}{}", text_argument());
        let answer = call(&ask, &resolver, data).await?;
        let record = text(&answer).ok_or_else(|| ask.not_found())?;
        let signatures = posted(&record, claim)?;
        Ok(found(signatures, claim.identity, any_location(claim)))
    }
}

/// The signature of the record, if it is about this claim.
fn posted(record: &str, claim: &Claimed<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    match nextid::parse_dns_txt(record) {
        Some(post) if post.uuid == claim.uuid => {
            Ok(vec![Alphabet::Base64.decode(&post.signature)?])
        }
        Some(_) | None => {
            let reason = format!("the text record {RECORD} is not about this claim");
            refuse(Failure::TextMissing, reason)
        }
    }
}

/// Calls a contract; the bytes it returns.
async fn call(ask: &Ask<'_>, to: &str, data: String) -> Result<Vec<u8>, Refusal> {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_call",
        "params": [{ "to": to, "data": data }, "latest"],
    });
    let upstream = Upstream::Named(ETHEREUM_RPC);
    let request = Request::post_json(upstream, "", body.to_string());
    let fetched = match ask.get(request).await {
        // It is the node that is missing, not the record.
        Err(refusal) if refusal.failure == Failure::NotFound => return Err(ask.nonsense()),
        other => other?,
    };
    let answer: Answer = ask.json(&fetched.body)?;
    match (answer.result, answer.error) {
        (Some(result), None) => {
            let digits = result.strip_prefix("0x").ok_or_else(|| ask.nonsense())?;
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
            bytes.map_err(|_| ask.nonsense())
        }
        (_, _) => Err(ask.nonsense()),
    }
}

/// The node of a name (EIP-137).
fn namehash(name: &str) -> [u8; WORD] {
    name.rsplit('.').fold([0; WORD], |node, label| {
        let label = keccak256(&[label.as_bytes()]);
        keccak256(&[&node, &label])
    })
}

/// The record's name as the second argument: where it starts, its length, its bytes.
fn text_argument() -> String {
    let mut bytes = RECORD.as_bytes().to_vec();
    bytes.resize(WORD, 0);
    format!(
        "{:064x}{:064x}{}",
        2 * WORD,
        RECORD.len(),
        HEXLOWER.encode(&bytes)
    )
}

/// The address in a word; `None` for none.
fn address(word: &[u8]) -> Option<String> {
    let (zeros, address) = word.get(..WORD)?.split_at_checked(12)?;
    let is_address = zeros.iter().all(|byte| *byte == 0) && address.iter().any(|byte| *byte != 0);
    is_address.then(|| format!("0x{}", HEXLOWER.encode(address)))
}

/// The text in an answer: where it starts, its length, its bytes. `None` for an empty one.
fn text(answer: &[u8]) -> Option<String> {
    let at = number(answer, 0)?;
    let length = number(answer, at)?;
    let start = at.checked_add(WORD)?;
    let bytes = answer.get(start..start.checked_add(length)?)?;
    let fits = (1..=RECORD_BYTES_MAX).contains(&length);
    fits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// A word as a number of bytes.
fn number(answer: &[u8], at: usize) -> Option<usize> {
    let word = answer.get(at..at.checked_add(WORD)?)?;
    let (zeros, low) = word.split_at_checked(WORD.checked_sub(8)?)?;
    let low = u64::from_be_bytes(low.try_into().ok()?);
    zeros
        .iter()
        .all(|byte| *byte == 0)
        .then_some(usize::try_from(low).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_those_of_the_standard() {
        for (name, node) in [
            (
                "eth",
                "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae",
            ),
            (
                "foo.eth",
                "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f",
            ),
        ] {
            assert_eq!(HEXLOWER.encode(&namehash(name)), node, "{name}");
        }
        let selector = |signature: &str| {
            let hash = HEXLOWER.encode(&keccak256(&[signature.as_bytes()]));
            hash.get(..8).map(str::to_owned)
        };
        assert_eq!(selector("resolver(bytes32)").as_deref(), Some(RESOLVER));
        assert_eq!(selector("text(bytes32,string)").as_deref(), Some(TEXT));
    }

    #[test]
    fn answers_of_contracts_are_read_within_their_bounds() {
        let mut answer = vec![0; 96];
        answer[31] = 32;
        answer[63] = 3;
        answer[64..67].copy_from_slice(b"abc");
        assert_eq!(text(&answer).as_deref(), Some("abc"));
        answer[63] = 0;
        assert_eq!(text(&answer), None);
        answer[63] = 33;
        assert_eq!(text(&answer), None);
        answer[56..64].fill(0xff);
        assert_eq!(text(&answer), None);
        answer[24..32].fill(0xff);
        assert_eq!(text(&answer), None);
        assert_eq!(text(&[]), None);
        assert_eq!(address(&[0; 32]), None);
        assert_eq!(address(&[1; 32]), None);
        assert_eq!(address(&[0; 31]), None);
    }
}
