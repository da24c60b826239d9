//! What avatars sign.

use engine::nextid::{
    Payload, PayloadFields, Restoring, SubkeyAlgorithm, SubkeyKey, parse_created_at,
    restore_avatar, sign_payload, subkey_payload, twitter_post,
};
use engine::types::{Avatar, ClaimAction, Uuid};
use serde_json::Value;

use crate::{entries, is_signed, key_of, list, public_key, section, text};

/// The form of an identity that payloads have, as the services' checkers make it.
fn normalised(platform: &str, identity: &str) -> String {
    match platform {
        "discord" | "solana" => identity.to_owned(),
        "nextid" => Avatar::parse(identity).unwrap().to_string(),
        _ => identity.to_lowercase(),
    }
}

#[test]
fn sign_payloads() {
    for case in list("sign_payloads", 52) {
        let platform = text(&case["platform"]);
        let identity = normalised(platform, text(&case["identity"]));
        let avatar = Avatar::parse(text(&case["public_key"])).unwrap();
        let is_named = ["ethereum", "solana", "nextid"].contains(&platform);
        let payload = sign_payload(&PayloadFields {
            action: ClaimAction::parse(text(&case["action"])).unwrap(),
            created_at: parse_created_at(text(&case["created_at"])).unwrap(),
            identity: &identity,
            persona: is_named.then_some(&avatar),
            platform,
            prev: case["prev"].as_str(),
            uuid: Uuid::parse(text(&case["uuid"])).unwrap(),
        });
        assert_eq!(payload, text(&case["sign_payload"]));
        let read = Payload::parse(&payload).unwrap();
        assert_eq!(sign_payload(&read.fields()), payload);
        assert_eq!(read.persona, is_named.then_some(avatar));
        let signature = text(&case["avatar_signature_base64"]);
        assert!(is_signed(avatar.key(), &payload, signature), "{case}");
        let own = key_of("avatar-1").sign_personal(payload.as_bytes());
        assert_eq!(engine::nextid::encode_signature(own.as_bytes()), signature);
    }
}

#[test]
fn json_escaping() {
    for case in list("json_escaping", 1) {
        let payload = Payload::parse(text(&case["sign_payload"])).unwrap();
        assert_eq!(payload.identity, text(&case["identity"]));
        assert_eq!(payload.platform, text(&case["platform"]));
        assert_eq!(sign_payload(&payload.fields()), text(&case["sign_payload"]));
    }
}

#[test]
fn real_world() {
    let mut unreadable = 0;
    for case in list("real_world", 5) {
        let (payload, signature) = (text(&case["sign_payload"]), text(&case["signature_base64"]));
        let signer = public_key(&case["recovered_public_key"]);
        assert!(is_signed(&signer, payload, signature), "{case}");
        if !case["stated_public_key"].is_null() {
            assert_eq!(public_key(&case["stated_public_key"]), signer);
        }
        match Payload::parse(payload) {
            Ok(read) => assert_eq!(read.platform, text(&case["platform"])),
            Err(_) => unreadable += 1,
        }
    }
    assert_eq!(unreadable, 1, "the payload of before March 2022");
}

#[test]
fn real_world_negative() {
    for case in list("real_world_negative", 1) {
        let (payload, signature) = (text(&case["sign_payload"]), text(&case["signature_base64"]));
        let signed = |key: &Value| is_signed(&public_key(key), payload, signature);
        assert!(signed(&case["recovered_public_key"]));
        assert!(!signed(&case["stated_public_key"]));
    }
}

#[test]
fn uuid_forms() {
    let forms = section("uuid_forms", &["canonical", "accepted", "rejected"]);
    for form in entries(&forms["accepted"], 5) {
        let uuid = Uuid::parse(text(form)).unwrap();
        assert_eq!(uuid.to_string(), text(&forms["canonical"]));
    }
    for form in entries(&forms["rejected"], 3) {
        assert_eq!(Uuid::parse(text(form)), None, "{form}");
    }
}

#[test]
fn created_at_forms() {
    let forms = section("created_at_forms", &["accepted", "rejected"]);
    for form in entries(&forms["accepted"], 4) {
        let number = parse_created_at(text(&form[0])).unwrap();
        assert_eq!(number.to_string(), text(&form[1]));
    }
    for form in entries(&forms["rejected"], 5) {
        assert_eq!(parse_created_at(text(form)), None, "{form}");
    }
}

#[test]
fn restore_pubkey() {
    for case in list("restore_pubkey", 6) {
        let request = &case["request"];
        let member = |name: &str| request[name].as_str().unwrap_or_default();
        let post = request["proof_post"]
            .as_str()
            .map(|it| twitter_post(it).unwrap());
        let identity = normalised(member("platform"), member("identity"));
        let restored = restore_avatar(&Restoring {
            action: ClaimAction::parse(member("action")).unwrap(),
            platform: member("platform"),
            identity: &identity,
            uuid: post.map_or(member("uuid"), |it| it.uuid),
            created_at: post.map_or(member("created_at"), |it| it.created_at),
            previous: post.map_or(member("previous"), |it| it.previous),
            signature: post.map_or(member("signature"), |it| it.signature),
        });
        match case["status"].as_u64() {
            Some(200) => assert_eq!(restored.unwrap().to_string(), text(&case["public_key"])),
            Some(400) => {
                let message = restored.unwrap_err().to_string();
                assert!(
                    message.contains(text(&case["message_contains"])),
                    "{message}"
                );
            }
            other => unreachable!("status {other:?}"),
        }
    }
}

#[test]
fn subkey() {
    let forms = section("subkey", &["note", "code_form", "documented_form"]);
    let cases = entries(&forms["code_form"], 2)
        .iter()
        .map(|case| (case, false));
    let documented = entries(&forms["documented_form"], 1)
        .iter()
        .map(|case| (case, true));
    for (case, is_ours) in cases.chain(documented) {
        let request = &case["request"];
        let avatar = Avatar::parse(text(&request["avatar"])).unwrap();
        let algorithm = SubkeyAlgorithm::parse(text(&request["algorithm"])).unwrap();
        let public_key = text(&request["public_key"]);
        let key = SubkeyKey::parse(algorithm, public_key).unwrap();
        assert_eq!(key.to_string(), public_key.to_lowercase());
        let own = subkey_payload(&avatar, algorithm, public_key, text(&request["rp_id"]));
        // Ours is the documented form; the other one has no `0x` before the avatar.
        let expected = text(&case["sign_payload"]);
        assert_eq!(
            own.replacen("0x", if is_ours { "0x" } else { "" }, 1),
            expected
        );
        let signature = text(&case["avatar_signature_base64"]);
        assert!(is_signed(avatar.key(), expected, signature), "{case}");
    }
}
