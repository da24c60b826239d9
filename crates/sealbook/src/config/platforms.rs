//! `[[platform]]`: services that the operator describes. They stand in the file only.

use std::collections::BTreeMap;

use checkers::configured::{Configured, PlatformKeys};
use outbound::fetch::UpstreamUrl;
use serde_json::{Map, Value};

use super::sources::Raw;

/// Services that one file may describe.
pub(super) const PLATFORMS_MAX: usize = 64;
/// What a section of them is called.
pub(super) const SECTION: &str = "platform";
/// The name of the upstream while a description is checked.
const SOME_UPSTREAM: &str = "platform";

/// A key of such a section.
pub(super) struct Member {
    pub(super) name: &'static str,
    /// What a value looks like.
    pub(super) kind: &'static str,
    /// A line of its description.
    pub(super) about: &'static str,
    /// A value, as an example.
    pub(super) example: &'static str,
    slot: Slot,
}

/// Where a value goes.
enum Slot {
    Text(fn(&mut PlatformKeys) -> &mut String),
    Optional(fn(&mut PlatformKeys) -> &mut Option<String>),
    Flag(fn(&mut PlatformKeys) -> &mut bool),
}

const TEXT: &str = "a text";
const POINTER: &str = "a JSON Pointer (RFC 6901)";
const GROUP: &str = "a regular expression with one group";
const PATTERN: &str = "a regular expression";
const FLAG: &str = "true or false";

macro_rules! members {
    ($($name:ident: $slot:ident, $kind:expr, $about:literal, $example:literal;)+) => {
        /// The keys, in the order of the reference.
        pub(super) const MEMBERS: &[Member] = &[$(Member {
            name: stringify!($name),
            kind: $kind,
            about: $about,
            example: $example,
            slot: Slot::$slot(|keys| &mut keys.$name),
        },)+];
    };
}

members! {
    name: Text, TEXT,
        "The word clients use for it: up to 32 of a-z, 0-9, \"-\" and \"_\". No name of a built-in \
         service.", "\"forum\"";
    url: Text, TEXT,
        "URL of a post, https or, for a host of your own, http. `{identity}` and `{location}` stand \
         for the account and for what clients give as the place of the post; `{identity}` may also be \
         the first label of the host.", "\"https://forum.example/posts/{location}.json\"";
    accept: Optional, TEXT,
        "Header Accept of the request.", "\"application/json\"";
    author: Optional, POINTER,
        "Where the answer names the author. It must be the account, but for capital letters. Without \
         author and author_pattern, `url` must have `{identity}`: the page is the account's then.",
        "\"/user/name\"";
    author_pattern: Optional, GROUP,
        "The same in an answer that is no JSON: the group is the author's name. Only the first match \
         counts; it must be something that nobody can write into a post.",
        "\"by <a href=\\\"/u/([^\\\"]+)\\\"\"";
    text: Optional, POINTER,
        "Where the answer has the text of the post. Without text and text_pattern it is all of it.",
        "\"/text\"";
    text_pattern: Optional, GROUP,
        "The same in an answer that is no JSON.", "\"(?s)<article>(.*?)</article>\"";
    html: Flag, FLAG,
        "Whether the text is HTML: tags are left out, `<br>` and `</p>` end a line.", "false";
    signature_pattern: Optional, GROUP,
        "Where the text has the signature; `^` and `$` are the ends of a line. Unset takes the first \
         line that is `Sig: ` and the signature.", "\"^Sig: (.+)$\"";
    alt_id: Optional, POINTER,
        "Where the answer has another name of the account, such as a number that stays.",
        "\"/user/id\"";
    identity_pattern: Optional, PATTERN,
        "What accounts may be called; all of a name must match.", "\"[a-z0-9_]{1,20}\"";
    location_pattern: Optional, PATTERN,
        "What the place of a post may look like; all of it must match.", "\"[0-9]+\"";
    keep_case: Flag, FLAG,
        "Whether capital letters of an account's name are kept; otherwise they are made small.",
        "false";
}

/// A value of the file and where it is.
pub(super) struct Placed<P> {
    pub(super) raw: Raw,
    pub(super) place: P,
}

/// Reads one section; `at` is its own place.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub(super) fn read<P: Clone>(
    values: &BTreeMap<String, Placed<P>>,
    at: &P,
) -> Result<PlatformKeys, Vec<(P, String)>> {
    let mut keys = PlatformKeys::default();
    let mut wrong = Vec::new();
    for (name, value) in values {
        let said = match MEMBERS.iter().find(|member| member.name == name) {
            Some(member) => member.set(&mut keys, &value.raw).err(),
            None => Some("unknown key".to_owned()),
        };
        let said = said.map(|said| format!("{SECTION}.{name}: {said}"));
        wrong.extend(said.map(|said| (value.place.clone(), said)));
    }
    if wrong.is_empty()
        && let Err((key, said)) = check(&keys)
    {
        let place = values.get(key).map_or(at, |value| &value.place);
        wrong.push((place.clone(), format!("{SECTION}.{key}: {said}")));
    }
    if wrong.is_empty() {
        Ok(keys)
    } else {
        Err(wrong)
    }
}

fn check(keys: &PlatformKeys) -> Result<(), (&'static str, String)> {
    let configured = Configured::new(keys, SOME_UPSTREAM).map_err(|bad| (bad.key, bad.said))?;
    let url = UpstreamUrl::parse(configured.root());
    url.map(|_| ())
        .ok_or_else(|| ("url", "expected an https URL".to_owned()))
}

impl Member {
    fn set(&self, keys: &mut PlatformKeys, raw: &Raw) -> Result<(), String> {
        match (&self.slot, raw) {
            (Slot::Text(slot), Raw::Text(text)) => slot(keys).clone_from(text),
            (Slot::Optional(slot), Raw::Text(text)) => {
                *slot(keys) = (!text.is_empty()).then(|| text.clone());
            }
            (Slot::Flag(slot), Raw::Flag(flag)) => *slot(keys) = *flag,
            (Slot::Text(_) | Slot::Optional(_) | Slot::Flag(_), _) => {
                return Err(format!("expected {}", self.kind));
            }
        }
        Ok(())
    }

    fn show(&self, keys: &PlatformKeys) -> Value {
        // Slots give what can be written; what is shown is a copy.
        let mut keys = keys.clone();
        match self.slot {
            Slot::Text(slot) => slot(&mut keys).clone().into(),
            Slot::Optional(slot) => slot(&mut keys).clone().map_or(Value::Null, Value::from),
            Slot::Flag(slot) => (*slot(&mut keys)).into(),
        }
    }
}

/// The keys that are set, in the order of the reference.
pub(super) fn shown(keys: &PlatformKeys) -> Map<String, Value> {
    let values = MEMBERS
        .iter()
        .map(|member| (member.name.to_owned(), member.show(keys)));
    values
        .filter(|(_, value)| !value.is_null() && *value != Value::Bool(false))
        .collect()
}
