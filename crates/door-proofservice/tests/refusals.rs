//! Every refusal of the specification's lists: its status, its words, and the order of the checks.

use serde_json::{Value, json};
use testkit::AvatarClient;

use crate::door::{Door, message, reply, request};

const PAYLOAD: &str = "/v1/proof/payload";
const PROOF: &str = "/v1/proof";
const RESTORE: &str = "/v1/proof/restore_pubkey";
const SUBKEY: &str = "/v1/subkey";
const SUBKEY_PAYLOAD: &str = "/v1/subkey/payload";

fn with(of: &Value, changes: &[(&str, &str)]) -> Value {
    let mut body = of.clone();
    for (name, value) in changes {
        body[*name] = (*value).into();
    }
    body
}

/// Posts a body that is refused with these words; those that end with `…` go on.
async fn refused(door: &Door, path: &str, body: &Value, said: &str) {
    let answer = door.post(path, body).await;
    let found = message(&answer);
    let fits = match said.strip_suffix('…') {
        Some(start) => found.starts_with(start) && found != start,
        None => found == said,
    };
    assert!(answer.status == 400 && fits, "{said}: {}", answer.text);
}

fn draft() -> Value {
    json!({
        "action": "create", "platform": "twitter", "identity": "alice",
        "public_key": AvatarClient::new(1).avatar().to_string(),
    })
}

#[tokio::test]
async fn of_a_draft_in_the_order_of_the_checks() {
    let door = Door::new().await;
    let all_wrong = [
        ("identity", ""),
        ("public_key", "0x"),
        ("platform", "facebook"),
    ];
    for (good, said) in [
        (0, "param invalid"),
        (1, "public key not recognized"),
        (2, "unknown platform"),
    ] {
        let body = with(&draft(), &all_wrong[good..]);
        refused(&door, PAYLOAD, &body, said).await;
    }
    for name in ["action", "platform", "identity", "public_key"] {
        refused(
            &door,
            PAYLOAD,
            &with(&draft(), &[(name, "")]),
            "param invalid",
        )
        .await;
        let mut without = draft();
        without.as_object_mut().unwrap().remove(name);
        refused(&door, PAYLOAD, &without, "param invalid").await;
        let mut wrong = draft();
        wrong[name] = 5.into();
        let said = format!("when parsing body: {name}: …");
        refused(&door, PAYLOAD, &wrong, &said).await;
    }
    assert_eq!(door.post(PAYLOAD, &draft()).await.status, 200);
}

#[tokio::test]
async fn of_a_link_in_the_order_of_the_checks() {
    let door = Door::new().await;
    let good = door.signed(&AvatarClient::new(1), "alice", "1").await;
    let mut all_wrong = with(
        &good,
        &[
            ("public_key", "0x02"),
            ("platform", "facebook"),
            ("created_at", ""),
            ("uuid", ""),
            ("action", "add"),
            ("identity", "al ice"),
        ],
    );
    all_wrong["extra"] = json!({"signature": "%"});
    for (mended, said) in [
        ("", "invalid public key"),
        ("public_key", "platform not supported: facebook"),
        ("platform", "error when parsing created_at:  not recognized"),
        ("created_at", "error when parsing uuid:  not recognized"),
        ("uuid", "error when decoding persona signature: …"),
        ("extra", "unknown action: add"),
        ("action", "an account has no blanks"),
    ] {
        if !mended.is_empty() {
            all_wrong[mended] = good[mended].clone();
        }
        refused(&door, PROOF, &all_wrong, said).await;
    }
    let chain = format!(
        "/v1/proofchain?avatar={}",
        good["public_key"].as_str().unwrap()
    );
    assert_eq!(reply(&door.get(&chain).await)["proof_chain"], json!([]));
    assert_eq!(door.post(PROOF, &good).await.status, 201);
}

#[tokio::test]
async fn of_signatures_that_are_none() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    door.create(&alice, "alice", "1").await;
    let good = door.deletion(&alice, "alice").await;
    let text = |bytes: &[u8]| engine::nextid::encode_signature(bytes);
    let shape = |v: u8| text(&[&[1; 64][..], &[v]].concat());
    for (signature, said) in [
        (
            text(&[1; 64]),
            "Error: Signature length invalid: 64 instead of 65",
        ),
        (
            text(&[1; 66]),
            "Error: Signature length invalid: 66 instead of 65",
        ),
        (shape(2), "Error: Signature Recovery ID not supported: 2"),
        (shape(26), "Error: Signature Recovery ID not supported: 26"),
        (shape(29), "Error: Signature Recovery ID not supported: 29"),
        (
            shape(255),
            "Error: Signature Recovery ID not supported: 255",
        ),
        (shape(0), "bad signature"),
        (text(&[0; 65]), "bad signature"),
        (text(&[&[0xff; 64][..], &[0]].concat()), "bad signature"),
        (
            String::new(),
            "bad signature: a delete needs extra.signature by the avatar",
        ),
    ] {
        let mut body = good.clone();
        body["extra"] = json!({"signature": signature});
        refused(&door, PROOF, &body, said).await;
    }
    // Ethereum's v, and nothing of it is lost.
    let mut body = good.clone();
    let signature = good["extra"]["signature"].as_str().unwrap();
    let mut bytes = engine::nextid::decode_base64(signature).unwrap();
    bytes[64] += 27;
    body["extra"] = json!({"signature": text(&bytes)});
    assert_eq!(door.post(PROOF, &body).await.status, 201);
    let chain = format!("/v1/proofchain?avatar={}", alice.avatar());
    let chain = reply(&door.get(&chain).await);
    assert_eq!(chain["proof_chain"][1]["signature"], signature);
}

#[tokio::test]
async fn of_avatars_that_cannot_be_restored() {
    let door = Door::new().await;
    let text = |bytes: &[u8]| engine::nextid::encode_signature(bytes);
    let good = json!({
        "action": "create", "platform": "twitter", "identity": "alice", "created_at": "1",
        "uuid": "cd04a475-4498-406d-b5a1-3c5f371f1f04", "signature": AvatarClient::new(1).sign("x"),
    });
    assert_eq!(door.post(RESTORE, &good).await.status, 200);
    for name in [
        "action",
        "platform",
        "identity",
        "uuid",
        "created_at",
        "signature",
    ] {
        refused(&door, RESTORE, &with(&good, &[(name, "")]), "param missing").await;
        let mut wrong = good.clone();
        wrong[name] = json!([]);
        refused(&door, RESTORE, &wrong, "Param type error").await;
    }
    let (short, zeros) = (text(&[1; 64]), text(&[0; 65]));
    let high = text(&[&[1; 64][..], &[4]].concat());
    for (name, value, said) in [
        ("uuid", "1", "UUID parse error: …"),
        ("created_at", "now", "created_at parse error: …"),
        ("signature", "%", "signature parse error: …"),
        (
            "signature",
            short.as_str(),
            "signature length error: expect 65, got 64",
        ),
        ("signature", high.as_str(), "restoring pubkey from sig: …"),
        ("signature", zeros.as_str(), "restoring pubkey from sig: …"),
        ("previous", "%", "previous signature parse error: …"),
        (
            "previous",
            short.as_str(),
            "previous signature length error: expect 65, got 64",
        ),
        ("proof_post", "Sig: AA==", "param missing"),
        ("platform", "facebook", "platform not supported: facebook"),
        (
            "platform",
            "ethereum",
            "the payload of this platform names the key, so it cannot be restored",
        ),
    ] {
        refused(&door, RESTORE, &with(&good, &[(name, value)]), said).await;
    }
    let posted = with(&good, &[("proof_post", "x"), ("platform", "discord")]);
    refused(
        &door,
        RESTORE,
        &posted,
        "only platform:twitter is supported",
    )
    .await;
}

#[tokio::test]
async fn of_subkeys() {
    let door = Door::new().await;
    let key = AvatarClient::new(2).avatar().to_string();
    let good = json!({
        "avatar": AvatarClient::new(1).avatar().to_string(), "algorithm": "secp256k1",
        "public_key": key, "rp_id": "rp.example", "signature": "AA==",
    });
    for path in [SUBKEY, SUBKEY_PAYLOAD] {
        for (name, value, said) in [
            ("rp_id", "", "rp_id is empty"),
            ("avatar", "0x02", "when parsing avatar public key: …"),
            ("public_key", "0x02", "when parsing subkey public key: …"),
            ("algorithm", "rs256", "when parsing subkey public key: …"),
            ("algorithm", "es256", "when parsing subkey public key: …"),
        ] {
            refused(&door, path, &with(&good, &[(name, value)]), said).await;
        }
        let said = "when parsing body: avatar: …";
        refused(&door, path, &json!({"avatar": {}}), said).await;
    }
    let text = |bytes: &[u8]| engine::nextid::encode_signature(bytes);
    let recovery_id = text(&[&[1; 64][..], &[2]].concat());
    let zeros = text(&[0; 65]);
    for (signature, said) in [
        ("%", "when decoding signature: …"),
        ("AA==", "Error: Signature length invalid: 1 instead of 65"),
        ("", "Error: Signature length invalid: 0 instead of 65"),
        (
            recovery_id.as_str(),
            "Error: Signature Recovery ID not supported: 2",
        ),
        (zeros.as_str(), "bad signature"),
    ] {
        refused(
            &door,
            SUBKEY,
            &with(&good, &[("signature", signature)]),
            said,
        )
        .await;
    }
}

#[tokio::test]
async fn of_queries() {
    let door = Door::new().await;
    let key = AvatarClient::new(1).avatar();
    for (path, said) in [
        ("/v1/proof", "Param missing"),
        ("/v1/proof?identity=", "Param missing"),
        ("/v1/proof?identity=&identity=alice", "Param missing"),
        ("/v1/proof?identity=a&page=+1", "Param error"),
        (
            "/v1/proof?identity=a&page=9223372036854775808",
            "Param error",
        ),
        ("/v1/proof?identity=a&exact=2", "Param error"),
        ("/v1/proof?page=x", "Param error"),
        ("/v1/proofchain", "Param missing"),
        ("/v1/proofchain?avatar=&public_key=", "Param missing"),
        ("/v1/proofchain?avatar=x&page=1.0", "Param error"),
        ("/v1/proofchain/changes?id=x", "Param error"),
        ("/v1/proofchain/changes?last_id=1&count=1e2", "Param error"),
        ("/v1/subkey", "Avatar or public_key should be given"),
        (
            "/v1/subkey?public_key=x",
            "One of avatar or algorighm should be given.",
        ),
    ] {
        let answer = door.send(request("GET", path, "")).await;
        let found = (answer.status, message(&answer));
        assert_eq!(found, (400, said.to_owned()), "{path}");
    }
    let whole = [
        ("platform", "twitter".to_owned()),
        ("identity", "alice".to_owned()),
        ("public_key", key.to_string()),
    ];
    for left_out in 0..3 {
        let some = whole.iter().enumerate().filter(|(at, _)| *at != left_out);
        let query: Vec<String> = some
            .map(|(_, (name, value))| format!("{name}={value}"))
            .collect();
        let answer = door
            .get(&format!("/v1/proof/exists?{}", query.join("&")))
            .await;
        assert_eq!(
            (answer.status, message(&answer).as_str()),
            (400, "Param missing")
        );
    }
}
