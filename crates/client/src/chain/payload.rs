//! What is signed: JSON with its members in the order of their names, without blanks, escaped as Go
//! does it.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::avatar::Avatar;
use crate::chain::Finding;
use crate::proofs::ChainItem;

/// Platforms whose payload names the avatar.
const NAMES_AVATAR: [&str; 3] = ["ethereum", "solana", "nextid"];

#[derive(Deserialize)]
struct Signed {
    prev: Option<String>,
}

/// The predecessor that a link's payload names, once the whole payload is known to be the text that
/// belongs to the link.
pub(super) fn prev(item: &ChainItem, avatar: &Avatar) -> Result<Option<String>, Finding> {
    let signed: Signed =
        serde_json::from_str(&item.signature_payload).map_err(|_| Finding::Payload)?;
    let expected = text(item, avatar, signed.prev.as_deref());
    if expected == item.signature_payload {
        Ok(signed.prev)
    } else {
        Err(Finding::Payload)
    }
}

/// The payload of a link.
fn text(item: &ChainItem, avatar: &Avatar, prev: Option<&str>) -> String {
    let persona = NAMES_AVATAR.contains(&item.platform.as_str());
    let mut text = format!(
        "{{\"action\":\"{}\",\"created_at\":{},\"identity\":{},",
        item.action.as_str(),
        quoted(&item.created_at),
        quoted(&item.identity)
    );
    if persona {
        let _ = write!(text, "\"persona\":\"{avatar}\",");
    }
    let prev = prev.map_or_else(|| "null".to_owned(), quoted);
    let (platform, uuid) = (quoted(&item.platform), quoted(&item.uuid));
    let _ = write!(
        text,
        "\"platform\":{platform},\"prev\":{prev},\"uuid\":{uuid}}}"
    );
    text
}

/// A JSON string. Besides what JSON wants, `<`, `>`, `&` and two ends of lines are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../engine/vectors/proofservice.json");

    fn vectors() -> Value {
        serde_json::from_str(VECTORS).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_in_the_vectors() {
        let vectors = vectors();
        let cases = vectors["json_escaping"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let identity = quoted(case["identity"].as_str().unwrap());
            let payload = case["sign_payload"].as_str().unwrap();
            let member = format!("\"identity\":{identity},\"platform\"");
            assert!(payload.contains(&member), "{payload}");
        }
    }

    #[test]
    fn a_chain_s_payloads_name_the_signature_before() {
        let vectors = vectors();
        let avatar = Avatar::parse(vectors["chain"]["avatar"].as_str().unwrap()).unwrap();
        let links = vectors["chain"]["links"].as_array().unwrap();
        for link in links {
            let item = item(link);
            let named = link["prev"].as_str().map(str::to_owned);
            assert_eq!(prev(&item, &avatar), Ok(named), "{link}");
            for wrong in [
                ChainItem {
                    created_at: "1".into(),
                    ..item.clone()
                },
                ChainItem {
                    identity: "x".into(),
                    ..item.clone()
                },
                ChainItem {
                    platform: "x".into(),
                    ..item.clone()
                },
                ChainItem {
                    uuid: "x".into(),
                    ..item.clone()
                },
                ChainItem {
                    signature_payload: format!("{} ", item.signature_payload),
                    ..item.clone()
                },
            ] {
                assert_eq!(prev(&wrong, &avatar), Err(Finding::Payload));
            }
        }
    }

    fn item(link: &Value) -> ChainItem {
        let mut link = link.clone();
        for (name, value) in [("alt_id", ""), ("proof_location", "")] {
            link[name] = value.into();
        }
        link["extra"] = serde_json::json!({});
        serde_json::from_value(link).unwrap()
    }
}
