//! .bit: a record of the account.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use engine::types::Avatar;
use serde::Deserialize;
use serde_json::json;

use crate::ask::{Ask, refuse};
use crate::names::DOTBIT;
use crate::post::{Alphabet, SIGNATURES_MAX, any_location, found, lower, readable};

/// Characters of an account's name.
const NAME_CHARS_MAX: usize = 255;
/// What the record is called, in one field or in two.
const KEYS: [&str; 2] = ["nextid", "profile.nextid"];
/// The kind of a record that says something of the owner.
const PROFILE: &str = "profile";
/// Codes of the API: done, no such account.
const DONE: i64 = 0;
const NO_SUCH_ACCOUNT: [i64; 2] = [20007, 30003];

/// Checks .bit accounts.
pub struct DotBit;

#[derive(Deserialize)]
struct Answer {
    /// Indexers, which have the same records, call it otherwise.
    #[serde(alias = "errno")]
    err_no: i64,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
struct Record {
    key: String,
    #[serde(rename = "type", default)]
    kind: String,
    value: String,
}

#[async_trait]
impl ClaimChecker for DotBit {
    fn service(&self) -> &'static str {
        "dotbit"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| !c.is_control() && !c.is_whitespace();
        let name = lower(identity, ".bit", NAME_CHARS_MAX, fits)?;
        match name.strip_suffix(".bit") {
            Some(label) if !label.is_empty() => Ok(name),
            Some(_) | None => refuse(Failure::Malformed, "a .bit account ends with .bit"),
        }
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let ask = Ask {
            world,
            who: ".bit",
            missing: "there is no such account",
        };
        let body = json!({ "account": claim.identity }).to_string();
        let request = Request::post_json(Upstream::Named(DOTBIT), "/v1/account/records", body);
        let fetched = ask.get(request).await?;
        let answer: Answer = ask.json(&fetched.body)?;
        let data = match (answer.err_no, answer.data) {
            (DONE, Some(data)) => data,
            (code, _) if NO_SUCH_ACCOUNT.contains(&code) => return Err(ask.not_found()),
            (_, _) => return Err(ask.nonsense()),
        };
        let records = data.records.unwrap_or_default();
        let signatures = posted(&records, claim.avatar)?;
        Ok(found(signatures, claim.identity, any_location(claim)))
    }
}

/// The signatures of records `KEY:SIGNATURE` with the avatar's key.
fn posted(records: &[Record], avatar: &Avatar) -> Result<Vec<Vec<u8>>, Refusal> {
    let is_ours = |record: &&Record| {
        let kind_fits = record.kind == PROFILE || record.kind.is_empty();
        KEYS.contains(&record.key.as_str()) && kind_fits
    };
    let texts: Vec<&str> = records
        .iter()
        .filter(is_ours)
        .filter_map(|record| record.value.split_once(':'))
        .filter(|(key, _)| Avatar::parse(key).as_ref() == Some(avatar))
        .map(|(_, signature)| signature)
        .take(SIGNATURES_MAX)
        .collect();
    if texts.is_empty() {
        return refuse(Failure::TextMissing, "no key found");
    }
    readable(&texts, Alphabet::Base64OrEmoji)
}
