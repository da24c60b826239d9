//! What servers answer, seen by the client.

use std::sync::OnceLock;

use client::avatar::Avatar;
use client::bundle::{AvatarBundle, BUNDLE_BYTES_MAX, NameBundle};
use engine::types::Name;
use merkle::note::VerifierKey;
use outbound::remote_names::parse_reply;

use crate::fixture::fixture;

/// Replies of a toxme server.
pub(crate) fn toxme(data: &[u8]) {
    // The promises are checked inside.
    let _is_reply = client::parsers::toxme_reply(data);
}

/// Bundles: one that was made up proves nothing with a key that its maker does not have.
pub(crate) fn bundle(data: &[u8]) {
    bundle_of_an_avatar(data);
    let Ok(bundle) = NameBundle::parse(data) else {
        return;
    };
    assert!(data.len() <= BUNDLE_BYTES_MAX);
    let note = bundle.checkpoint_note();
    assert!(merkle::note::Note::parse(note.as_bytes()).is_ok());
    let real = fixture();
    if let Ok(verified) = bundle.verify("alice", &real.key) {
        assert_eq!(verified, real.verified);
    }
    let claimed: Option<VerifierKey> = bundle.claimed_key().cloned();
    if let Some(key) = claimed {
        let text = key.to_string();
        assert_eq!(VerifierKey::parse(&text).as_ref(), Ok(&key));
    }
}

/// The avatar of the bundles: it has signed nothing.
const AVATAR: &str = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";

fn bundle_of_an_avatar(data: &[u8]) {
    let Ok(bundle) = AvatarBundle::parse(data) else {
        return;
    };
    let avatar = Avatar::parse(AVATAR).expect("an avatar");
    if let Ok(head) = bundle.verify(&avatar, &fixture().key) {
        assert_eq!(head.newest, None, "a link of nobody");
    }
}

/// The file of a remembered checkpoint: its note is signed by the key beside it.
pub(crate) fn remembered(data: &[u8]) {
    if let Some(kept) = client::parsers::remembered_file(data) {
        let checkpoint = client::checkpoint::verify(kept.note.as_bytes(), &kept.key);
        let checkpoint = checkpoint.expect("what is remembered was verified");
        assert_eq!(checkpoint.origin, kept.key.name().as_str());
    }
}

/// Who is asked for at another domain.
static ASKED: OnceLock<Name> = OnceLock::new();

/// What another domain's server says of a name, behind the status in two bytes.
pub(crate) fn remote(data: &[u8]) {
    let Some((status, body)) = data.split_first_chunk() else {
        return;
    };
    let asked = ASKED.get_or_init(|| Name::parse("zo\u{eb}").expect("a name"));
    let read = parse_reply(u16::from_be_bytes(*status), body, asked);
    if let Ok(Some(tox_id)) = read {
        // It is in the answer, whatever else is.
        let text = String::from_utf8_lossy(body).to_ascii_uppercase();
        assert!(text.contains(&tox_id.to_string()) || text.contains('\\'));
    }
}

/// An answer to the fetcher: the length of its parts, its headers and its body.
pub(crate) fn answer(data: &[u8]) {
    if let Some((part, answer)) = data.split_first() {
        // The promises are checked inside.
        let _is_taken = outbound::parsers::answer(answer, usize::from(*part));
    }
}
