//! The parsers of what strangers send, for fuzzing: functions that panic when a promise is broken, and
//! say whether they took the bytes.

use engine::nextid;
use engine::types::{Avatar, ClaimAction};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::body::{Members, Shape};
use crate::post_text::{self, Draft};
use crate::proof::{payload, restore, submit};
use crate::query::Query;
use crate::subkey::{self, add};

/// Parameters of all requests.
const PARAMETERS: [&str; 12] = [
    "algorithm",
    "avatar",
    "count",
    "exact",
    "id",
    "identity",
    "last_id",
    "order",
    "page",
    "platform",
    "public_key",
    "sort",
];

/// Reads the body of a request and all that can be read of it without the directory.
pub type Body = fn(&[u8]) -> bool;

/// For each request that has a body.
pub const BODIES: [Body; 5] = [proof_payload, proof, restore_pubkey, subkey_payload, subkey];

fn proof_payload(bytes: &[u8]) -> bool {
    let Some(members) = read(bytes, &payload::SHAPE) else {
        return false;
    };
    let [service, identity] = ["platform", "identity"].map(|name| members.text(name));
    let texts = post_text::texts(&Draft {
        service,
        given: identity,
        identity,
        avatar: members.text("public_key"),
        payload: members.text("action"),
        uuid: "",
        created_at: 0,
        prev: None,
    });
    assert!(texts.contains_key("default"));
    true
}

fn proof(bytes: &[u8]) -> bool {
    let Some(members) = read(bytes, &submit::SHAPE) else {
        return false;
    };
    let is_read = submit::number(&members).is_ok() && submit::extra(&members).is_ok();
    is_read
        && Avatar::parse(members.text("public_key")).is_some()
        && ClaimAction::parse(members.text("action")).is_some()
}

fn restore_pubkey(bytes: &[u8]) -> bool {
    let members = read(bytes, &restore::SHAPE);
    members.is_some_and(|members| match restore::restoring(&members) {
        Ok(claim) => nextid::restore_avatar(&nextid::Restoring {
            action: claim.action,
            platform: claim.platform,
            identity: claim.identity,
            uuid: claim.uuid,
            created_at: claim.created_at,
            previous: claim.previous,
            signature: claim.signature,
        })
        .is_ok(),
        Err(_) => false,
    })
}

fn subkey_payload(bytes: &[u8]) -> bool {
    signable(bytes, &subkey::payload::SHAPE)
}

fn subkey(bytes: &[u8]) -> bool {
    signable(bytes, &add::SHAPE)
}

/// What an avatar signs of a subkey is JSON that says the same.
fn signable(bytes: &[u8], shape: &'static Shape) -> bool {
    let members = read(bytes, shape);
    let draft = members.and_then(|members| subkey::draft(&members).ok());
    let Some(draft) = draft else { return false };
    let (key, rp_id) = (&draft.public_key, &draft.rp_id);
    let signed = nextid::subkey_payload(&draft.avatar, draft.algorithm, key, rp_id);
    let signed: Value = serde_json::from_str(&signed).expect("what is signed is JSON");
    assert_eq!(signed.get("rp_id"), Some(&Value::from(rp_id.as_str())));
    assert_eq!(signed.get("public_key"), Some(&Value::from(key.as_str())));
    true
}

/// Reads a body. What was read is read again of JSON that says it plainly, and whatever stands behind
/// the body changes nothing.
fn read(bytes: &[u8], shape: &'static Shape) -> Option<Members> {
    let members = Members::read(bytes, shape).ok()?;
    let plain = plain(&members, shape).to_string();
    let more = [bytes, b" }"].concat();
    for same in [plain.as_bytes(), &more] {
        let again = Members::read(same, shape).expect("the same is read again");
        assert_eq!(texts(&again, shape), texts(&members, shape));
    }
    Some(members)
}

fn plain(members: &Members, shape: &Shape) -> Value {
    let text = |name: &&str| ((*name).to_owned(), Value::from(members.text(name)));
    let mut all: Map<String, Value> = shape.texts.iter().map(text).collect();
    for (object, inner) in shape.objects {
        let text = |name: &&str| {
            let text = members.text_in(object, name);
            ((*name).to_owned(), Value::from(text))
        };
        all.insert((*object).to_owned(), inner.texts.iter().map(text).collect());
    }
    Value::Object(all)
}

/// Every text a request may have, with the object it is in.
fn texts(members: &Members, shape: &Shape) -> Vec<(Option<&'static str>, &'static str, String)> {
    let own = shape.texts.iter();
    let own = own.map(|name| (None, *name, members.text(name).to_owned()));
    let inner = shape.objects.iter().flat_map(|(object, inner)| {
        let names = inner.texts.iter();
        names.map(|name| {
            let text = members.text_in(object, name);
            (Some(*object), *name, text.to_owned())
        })
    });
    own.chain(inner).collect()
}

/// Reads the parameters of an address, each as text, number and truth value. What was read is read
/// again of an address that has it escaped.
#[must_use]
pub fn query(text: &str) -> bool {
    let query = Query::parse(Some(text));
    let mut found = PARAMETERS
        .iter()
        .filter_map(|name| Some((*name, query.first(name)?)))
        .peekable();
    let has_any = found.peek().is_some();
    for (name, value) in found {
        let escaped = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let again = Query::parse(Some(&format!("{name}={escaped}")));
        assert_eq!(again.first(name), Some(value));
        assert_eq!(again.integer(name), query.integer(name));
        assert_eq!(again.truth(name), query.truth(name));
        if let Ok(number) = query.integer(name) {
            assert!(value.is_empty() || value.parse() == Ok(number));
        }
    }
    has_any
}
