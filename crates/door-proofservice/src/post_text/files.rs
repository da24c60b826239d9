//! Texts that are files: JSON, indented with tabs.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::{Draft, SIGNATURE};

const HOW: &str = "To validate, base64.decode the signature, and recover pubkey from it using \
                   sign_payload with ethereum personal_sign algo.";

/// The members, in the order of the file.
#[derive(Serialize)]
struct File<'f> {
    version: &'static str,
    comment: &'static str,
    comment2: &'static str,
    persona: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    github_username: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keybase_username: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    https_host: Option<&'f str>,
    sign_payload: &'f str,
    signature: &'static str,
    created_at: String,
    uuid: &'f str,
}

/// The file `0x<avatar>.json` of a gist.
pub(super) fn github(draft: &Draft<'_>) -> String {
    let comment = "Here's an NextID proof of this Github account.";
    text(&File {
        github_username: Some(draft.identity),
        ..file(draft, comment)
    })
}

/// The file `NextID/0x<avatar>.json` of a Keybase account.
pub(super) fn keybase(draft: &Draft<'_>) -> String {
    let comment = "Here's an NextID proof of this Keybase account.";
    text(&File {
        keybase_username: Some(draft.identity),
        ..file(draft, comment)
    })
}

/// The file `/.well-known/nextid/0x<avatar>.json` of a web site.
pub(super) fn https(draft: &Draft<'_>) -> String {
    let comment = "Here's an NextID proof of this web site.";
    text(&File {
        https_host: Some(draft.identity),
        ..file(draft, comment)
    })
}

fn file<'f>(draft: &Draft<'f>, comment: &'static str) -> File<'f> {
    File {
        version: "1",
        comment,
        comment2: HOW,
        persona: draft.avatar,
        github_username: None,
        keybase_username: None,
        https_host: None,
        sign_payload: draft.payload,
        signature: SIGNATURE,
        created_at: draft.created_at.to_string(),
        uuid: draft.uuid,
    }
}

fn text(file: &File<'_>) -> String {
    let mut bytes = Vec::with_capacity(1024);
    let tabs = PrettyFormatter::with_indent(b"\t");
    file.serialize(&mut Serializer::with_formatter(&mut bytes, tabs))
        .expect("texts always serialise");
    String::from_utf8(bytes).expect("JSON of texts is UTF-8")
}
