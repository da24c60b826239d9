//! What avatars sign, what stands in their posts, and what is archived of it.

use crypto::arweave_key::{self, ArweaveKey};
use engine::ans104::{read_bundle, read_tags, write_tags};
use engine::nextid::{
    Payload, SteamId, SubkeyAlgorithm, SubkeyKey, decode_base64, decode_base1024, decode_signature,
    encode_base1024, encode_signature, line_signature, parse_created_at, parse_dns_txt,
    push_json_text, sign_payload, steam_signatures, text_of_html, title_signature, twitter_post,
};
use engine::types::{Avatar, Uuid};

/// Runs a check on input that is text.
fn of_text(data: &[u8], check: impl FnOnce(&str)) {
    if let Ok(text) = str::from_utf8(data) {
        check(text);
    }
}

/// A sign payload: what is read has one form, and any parser of JSON reads the same.
pub(crate) fn payload(data: &[u8]) {
    of_text(data, |text| {
        if let Ok(payload) = Payload::parse(text) {
            assert_eq!(sign_payload(&payload.fields()), text);
        }
        let mut written = String::new();
        push_json_text(&mut written, text);
        let read: String = serde_json::from_str(&written).expect("a JSON string");
        assert_eq!(read, text);
    });
}

/// The text of a signature.
pub(crate) fn signature_text(data: &[u8]) {
    of_text(data, |text| {
        let (base64, any) = (decode_base64(text), decode_signature(text));
        assert!(base64.is_none() || base64 == any);
        if let Some(bytes) = any {
            assert!(bytes.len() <= text.len());
            assert_eq!(decode_base64(&encode_signature(&bytes)), Some(bytes));
        }
    });
}

/// Emoji: what is read has one form. As bytes, they come back.
pub(crate) fn base1024(data: &[u8]) {
    of_text(data, |text| {
        if let Ok(bytes) = decode_base1024(text) {
            assert_eq!(encode_base1024(&bytes), text);
        }
    });
    // So many bytes as the longest text stands for.
    let bytes = data.get(..1024).unwrap_or(data);
    assert_eq!(
        decode_base1024(&encode_base1024(bytes)).as_deref(),
        Ok(bytes)
    );
}

/// A TXT record of a domain.
pub(crate) fn dns_txt(data: &[u8]) {
    of_text(data, |text| {
        if let Some(post) = parse_dns_txt(text) {
            assert_eq!(parse_dns_txt(&post.to_string()), Some(post));
        }
    });
}

/// Keys, ids and numbers of requests: each has one form that is kept.
pub(crate) fn key_forms(data: &[u8]) {
    of_text(data, |text| {
        if let Some(avatar) = Avatar::parse(text) {
            assert_eq!(Avatar::parse(&avatar.to_string()), Some(avatar));
            assert_eq!(Avatar::from_bytes(avatar.as_bytes()), Some(avatar));
        }
        if let Some(uuid) = Uuid::parse(text) {
            assert_eq!(Uuid::parse(&uuid.to_string()), Some(uuid));
        }
        if let Some(seconds) = parse_created_at(text) {
            assert_eq!(parse_created_at(&seconds.to_string()), Some(seconds));
        }
        if let Ok(id) = SteamId::parse(text) {
            assert_eq!(SteamId::parse(&id.to_string()), Ok(id));
        }
        for algorithm in [SubkeyAlgorithm::Es256, SubkeyAlgorithm::Secp256k1] {
            if let Some(key) = SubkeyKey::parse(algorithm, text) {
                assert_eq!(SubkeyKey::parse(algorithm, &key.to_string()), Some(key));
            }
        }
        if let Some(bytes) = crypto::base58::decode::<32>(text) {
            assert_eq!(crypto::base58::encode(&bytes), text);
        }
    });
}

/// The text of a post: what is found is part of one line of it.
pub(crate) fn post(data: &[u8]) {
    of_text(data, |text| {
        let plain = text_of_html(text);
        assert!(plain.len() <= text.len());
        for post in [text, &plain] {
            let steam = steam_signatures(post);
            assert!(steam.len() <= 10);
            let line = line_signature(post, "Sig: ");
            let found = steam.into_iter().chain(line).chain(title_signature(post));
            for signature in found {
                assert!(!signature.is_empty() && !signature.contains('\n'));
            }
            if let Some(members) = twitter_post(post) {
                assert_eq!(Some(members.signature), line);
            }
        }
    });
}

/// The tags of an archived item: both forms that are read stand for the one that is written.
pub(crate) fn tags(data: &[u8]) {
    if let Ok(tags) = read_tags(data) {
        let written = write_tags(&tags).expect("what was read can be written");
        assert!(written.len() <= data.len());
        assert_eq!(read_tags(&written), Ok(tags));
    }
}

/// A bundle of items: none is read whose end was changed.
pub(crate) fn bundle(data: &[u8]) {
    let Ok(items) = read_bundle(data) else {
        return;
    };
    let mut changed = data.to_vec();
    if let Some(last) = changed.last_mut().filter(|_| !items.is_empty()) {
        *last ^= 1;
        assert!(read_bundle(&changed).is_err());
    }
}

/// A key file: what is read is a key that can sign.
pub(crate) fn jwk(data: &[u8]) {
    if let Ok(key) = ArweaveKey::from_jwk(data) {
        let signature = key.sign(data).expect("a key signs");
        assert_eq!(arweave_key::verify(key.owner(), data, &signature), Ok(()));
    }
}
