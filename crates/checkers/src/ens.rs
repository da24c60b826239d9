//! ENS: a text record of the name, asked of a node of Ethereum.
//!
//! Names are ASCII here: whether two names in other letters are the same takes tables that wallets do
//! not agree about, and one that looks like another may be anybody's.
//!
//! Who answers for a name is its own resolver, or that of the nearest name above it that has one, if it
//! answers for whole domains (ENSIP-10). A resolver that sends elsewhere for its answer (EIP-3668) is
//! not followed: it chooses any host there is, and only a contract of its own could say whether the
//! answer is right. Whoever claims such a name is told so.

mod abi;

use async_trait::async_trait;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::{Ask, refuse};
use crate::names::ETHEREUM_RPC;
use crate::post::{Alphabet, any_location, found, lower};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 255;
/// Parts of a name: each may be one more question.
const PARTS_MAX: usize = 8;
/// The registry of ENS.
const REGISTRY: &str = "0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e";
/// The text record.
const RECORD: &str = "id.next.proof";
/// How nodes say that a contract gave up: by a code, or by words.
const REVERTED: i64 = 3;
const GAVE_UP: [&str; 3] = ["revert", "invalid opcode", "invalid jump"];

/// Checks names of ENS.
pub struct Ens;

#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
    error: Option<Value>,
}

/// What came of calling a contract.
enum Called {
    /// The bytes it returned.
    Returned(Vec<u8>),
    /// It ended without a result, for this reason of its own.
    Reverted(Vec<u8>),
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
        let is_of_parts = (2..=PARTS_MAX).contains(&name.split('.').count());
        if is_of_parts && name.split('.').all(|label| !label.is_empty()) {
            Ok(name)
        } else {
            let reason = format!("that is no name of ENS: it has two to {PARTS_MAX} parts");
            refuse(Failure::Malformed, reason)
        }
    }

    /// Three calls, and one more for each part of the name that has no resolver.
    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let missing = format!("{} has no text record {RECORD}", claim.identity);
        let ask = Ask {
            world,
            who: "Ethereum",
            missing: &missing,
        };
        let record = record(&ask, claim.identity).await?;
        let signatures = posted(&record, claim)?;
        Ok(found(signatures, claim.identity, any_location(claim)))
    }
}

/// The text record of a name.
async fn record(ask: &Ask<'_>, name: &str) -> Result<String, Refusal> {
    let (resolver, of) = resolver(ask, name).await?;
    let question = abi::text_of(name, RECORD);
    let answer = if is_extended(ask, &resolver).await? {
        let wrapped = returned(ask, &resolver, &abi::resolve(name, &question), name).await?;
        abi::bytes(&wrapped).map(<[u8]>::to_vec)
    } else if of == name {
        Some(returned(ask, &resolver, &question, name).await?)
    } else {
        // It answers for its own name only.
        None
    };
    let record = answer.and_then(|answer| abi::text(&answer));
    record.ok_or_else(|| ask.not_found())
}

/// The resolver of a name or of the nearest one above it that has one, and whose it is.
async fn resolver<'n>(ask: &Ask<'_>, name: &'n str) -> Result<(String, &'n str), Refusal> {
    let mut of = name;
    loop {
        let Called::Returned(answer) = call(ask, REGISTRY, &abi::resolver_of(of)).await? else {
            return Err(ask.nonsense());
        };
        if let Some(resolver) = abi::address(&answer) {
            return Ok((resolver, of));
        }
        (_, of) = of.split_once('.').ok_or_else(|| ask.not_found())?;
    }
}

/// Whether a resolver answers for whole domains. One that has never heard of interfaces does not.
async fn is_extended(ask: &Ask<'_>, resolver: &str) -> Result<bool, Refusal> {
    Ok(match call(ask, resolver, &abi::is_extended()).await? {
        Called::Returned(answer) => abi::is_true(&answer),
        Called::Reverted(_) => false,
    })
}

/// What a resolver returns to a question about a name.
async fn returned(
    ask: &Ask<'_>,
    resolver: &str,
    question: &[u8],
    name: &str,
) -> Result<Vec<u8>, Refusal> {
    match call(ask, resolver, question).await? {
        Called::Returned(answer) => Ok(answer),
        Called::Reverted(with) if with.starts_with(&abi::OFFCHAIN_LOOKUP) => {
            let reason = format!(
                "{name} keeps its records off Ethereum (EIP-3668), where this server does not look"
            );
            refuse(Failure::ForbiddenAddress, reason)
        }
        Called::Reverted(_) => Err(ask.nonsense()),
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

/// Calls a contract.
async fn call(ask: &Ask<'_>, to: &str, question: &[u8]) -> Result<Called, Refusal> {
    let data = format!("0x{}", HEXLOWER.encode(question));
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
            let bytes = unhex(&result).ok_or_else(|| ask.nonsense())?;
            Ok(Called::Returned(bytes))
        }
        (None, Some(error)) if is_revert(&error) => Ok(Called::Reverted(revert_data(&error))),
        (_, _) => Err(ask.nonsense()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()
}

/// Whether the contract failed, and not the node: nodes have a code for that, or a word.
fn is_revert(error: &Value) -> bool {
    let says = |member: &str| error.get(member).and_then(Value::as_str);
    let has_word = |text: &str| {
        let text = text.to_ascii_lowercase();
        GAVE_UP.iter().any(|word| text.contains(word))
    };
    error.get("code").and_then(Value::as_i64) == Some(REVERTED)
        || says("message").is_some_and(has_word)
        || says("data").is_some_and(has_word)
}

/// What it reverted with; some nodes put a word before it. Empty where that cannot be read.
fn revert_data(error: &Value) -> Vec<u8> {
    let data = error.get("data").and_then(Value::as_str);
    let hex = data.and_then(|data| data.get(data.find("0x")?..));
    hex.and_then(unhex).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_say_in_several_ways_that_a_contract_reverted() {
        for (error, with) in [
            (
                json!({"code": 3, "message": "execution reverted", "data": "0x556F1830ab"}),
                Some(vec![0x55, 0x6f, 0x18, 0x30, 0xab]),
            ),
            (
                json!({"code": -32000, "message": "execution reverted"}),
                Some(vec![]),
            ),
            (
                json!({"code": -32015, "message": "VM execution error.", "data": "Reverted 0x08c379a0"}),
                Some(vec![0x08, 0xc3, 0x79, 0xa0]),
            ),
            (json!({"code": 3, "data": {"message": "x"}}), Some(vec![])),
            (json!({"code": 3, "data": "0xabc"}), Some(vec![])),
            (json!({"code": -32005, "message": "limit exceeded"}), None),
            (
                json!({"code": -32603, "message": "Internal error", "data": "0x"}),
                None,
            ),
            (
                json!({"code": -32000, "message": "invalid opcode: INVALID"}),
                Some(vec![]),
            ),
            (json!("reverted"), None),
            (json!(3), None),
        ] {
            let told = is_revert(&error).then(|| revert_data(&error));
            assert_eq!(told, with, "{error}");
        }
    }
}
