//! What an avatar signs to claim an account or to take the claim back.

use serde_json::{Map, Value};

use super::push_json_text;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::types::{Avatar, ClaimAction, Uuid};

/// Everything a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadFields<'a> {
    /// What the link does.
    pub action: ClaimAction,
    /// Seconds since 1970.
    pub created_at: i64,
    /// The account, in the form its service's checker gives it.
    pub identity: &'a str,
    /// The claiming avatar, on the services whose payload names it: ethereum, solana and nextid.
    pub persona: Option<&'a Avatar>,
    /// The service.
    pub platform: &'a str,
    /// The stored signature of the avatar's newest link; `None` before the first.
    pub prev: Option<&'a str>,
    /// The link's id.
    pub uuid: Uuid,
}

/// The bytes that are signed: a JSON object without blanks, its members in the order of their names, the
/// time as text, `prev` text or `null`, `persona` only where there is one. Text is escaped as
/// [`push_json_text`] says.
#[must_use]
pub fn sign_payload(fields: &PayloadFields<'_>) -> String {
    let mut out = String::from("{");
    member(&mut out, "action", fields.action.as_str());
    member(&mut out, "created_at", &fields.created_at.to_string());
    member(&mut out, "identity", fields.identity);
    if let Some(persona) = fields.persona {
        member(&mut out, "persona", &persona.to_string());
    }
    member(&mut out, "platform", fields.platform);
    match fields.prev {
        Some(prev) => member(&mut out, "prev", prev),
        None => out.push_str("\"prev\":null,"),
    }
    out.push_str("\"uuid\":");
    push_json_text(&mut out, &fields.uuid.to_string());
    out.push('}');
    out
}

fn member(out: &mut String, name: &str, value: &str) {
    out.extend(["\"", name, "\":"]);
    push_json_text(out, value);
    out.push(',');
}

/// A payload that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// As in [`PayloadFields`].
    pub action: ClaimAction,
    /// As in [`PayloadFields`].
    pub created_at: i64,
    /// As in [`PayloadFields`].
    pub identity: String,
    /// As in [`PayloadFields`].
    pub persona: Option<Avatar>,
    /// As in [`PayloadFields`].
    pub platform: String,
    /// As in [`PayloadFields`].
    pub prev: Option<String>,
    /// As in [`PayloadFields`].
    pub uuid: Uuid,
}

/// The text is not one that [`sign_payload`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a payload as this server writes it")]
pub struct PayloadFault;

impl Payload {
    /// Reads a payload. Only the one text that [`sign_payload`] writes is read, so that a signature over
    /// what was read is a signature over nothing else. The payloads of before March 2022, without time
    /// and uuid, are refused.
    ///
    /// # Errors
    /// [`PayloadFault`].
    pub fn parse(text: &str) -> Result<Self, PayloadFault> {
        Self::read(text)
            .filter(|payload| sign_payload(&payload.fields()) == text)
            .ok_or(PayloadFault)
    }

    /// Its members.
    #[must_use]
    pub fn fields(&self) -> PayloadFields<'_> {
        PayloadFields {
            action: self.action,
            created_at: self.created_at,
            identity: &self.identity,
            persona: self.persona.as_ref(),
            platform: &self.platform,
            prev: self.prev.as_deref(),
            uuid: self.uuid,
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let mut members: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_),
            )
            | None => None,
        };
        // Members that are of another kind are taken for absent: then the text written anew differs.
        Some(Self {
            action: ClaimAction::parse(&text("action")?)?,
            created_at: super::parse_created_at(&text("created_at")?)?,
            identity: text("identity")?,
            persona: text("persona").and_then(|it| Avatar::parse(&it)),
            platform: text("platform")?,
            prev: text("prev"),
            uuid: Uuid::parse(&text("uuid")?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"{"action":"create","created_at":"5","identity":"a","platform":"dns","prev":null,"uuid":"26de5ec2-889e-4f59-9fac-dfa8d99e7ce7"}"#;

    #[test]
    fn only_its_one_form_is_read() {
        assert!(Payload::parse(TEXT).is_ok());
        for bad in [
            &TEXT.replace("\"5\"", "5"),
            &TEXT.replace("\"5\"", "\"+5\""),
            &TEXT.replace("null", "0"),
            &TEXT.replace(":null", ": null"),
            &TEXT.replace("\"a\"", "\"\\u0061\""),
            &TEXT.replace("26de", "26DE"),
            &TEXT.replace("\"identity\"", "\"persona\":null,\"identity\""),
            &TEXT.replace("\"identity\"", "\"identity\":\"b\",\"identity\""),
            &TEXT.replace("create", "add"),
            &TEXT.replace("}", ",\"x\":1}"),
            &format!("{TEXT}\n"),
            "[]",
            r#"{"action":"create","identity":"yeiwb","platform":"twitter","prev":null}"#,
            &format!("{{\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000)),
            &TEXT.replace("\"a\"", &format!("\"{}\"", "a".repeat(PAYLOAD_BYTES_MAX))),
        ] {
            assert_eq!(
                Payload::parse(bad),
                Err(PayloadFault),
                "{:?}",
                bad.get(..200)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            is_delete: bool,
            created_at: i64,
            identity: String,
            is_named: bool,
            platform: String,
            prev: Option<String>,
            uuid: [u8; 16],
        ) {
            let action = if is_delete { ClaimAction::Delete } else { ClaimAction::Create };
            let key = "02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
            let persona = is_named.then(|| Avatar::parse(key).unwrap());
            let uuid = Uuid::from_bytes(uuid);
            let payload = Payload { action, created_at, identity, persona, platform, prev, uuid };
            prop_assert_eq!(Payload::parse(&sign_payload(&payload.fields())), Ok(payload));
        }
    }
}
