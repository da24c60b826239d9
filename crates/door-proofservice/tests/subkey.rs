//! `/v1/subkey` and below.

use serde_json::{Value, json};
use testkit::AvatarClient;

use crate::door::{Door, reply, snapshot};

/// The generator of P-256.
const PASSKEY: &str = "0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";

fn draft(avatar: &AvatarClient) -> Value {
    json!({
        "avatar": avatar.avatar().to_string(), "algorithm": "es256", "public_key": PASSKEY,
        "rp_id": "mastodon.example",
    })
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = value.into();
    body
}

#[tokio::test]
async fn payload_is_drafted_and_refused() {
    let door = Door::new().await;
    let good = draft(&AvatarClient::new(1));
    for (case, body) in [
        ("drafted", good.clone()),
        ("no_rp_id", with(good.clone(), "rp_id", "")),
        ("no_avatar", with(good.clone(), "avatar", "0x02")),
        ("no_key", with(good.clone(), "public_key", "0x02")),
        ("no_algorithm", with(good.clone(), "algorithm", "rs256")),
        ("wrong_type", json!({"rp_id": 1})),
    ] {
        let drafted = door.post("/v1/subkey/payload", &body).await;
        snapshot(&format!("subkey__payload__{case}"), &drafted);
        reply(&drafted);
    }
}

#[tokio::test]
async fn a_subkey_is_added_once_and_found() {
    let door = Door::new().await;
    let (alice, mallory) = (AvatarClient::new(1), AvatarClient::new(2));
    let drafted = reply(&door.post("/v1/subkey/payload", &draft(&alice)).await);
    let payload = drafted["sign_payload"].as_str().unwrap();
    let named = with(draft(&alice), "name", "phone");
    let good = with(named.clone(), "signature", &alice.sign(payload));
    for (case, body) in [
        ("no_base64", with(named.clone(), "signature", "%")),
        (
            "another_s_signature",
            with(named, "signature", &mallory.sign(payload)),
        ),
        ("added", good.clone()),
        ("bound_already", good),
    ] {
        let added = door.post("/v1/subkey", &body).await;
        snapshot(&format!("subkey__add__{case}"), &added);
        reply(&added);
    }
    let key = alice.avatar().to_string().replace("0x", "");
    for (case, query) in [
        ("of_avatar", format!("avatar={key}")),
        (
            "of_key",
            format!("algorithm=es256&public_key={}", PASSKEY.to_lowercase()),
        ),
        ("none", format!("avatar={}", mallory.avatar())),
        ("missing", String::new()),
        ("no_algorithm", format!("public_key={PASSKEY}")),
        (
            "unknown_algorithm",
            format!("algorithm=x&public_key={PASSKEY}"),
        ),
        ("no_avatar", "avatar=0x02".to_owned()),
        ("no_key", "algorithm=secp256k1&public_key=0x02".to_owned()),
    ] {
        let found = door.get(&format!("/v1/subkey?{query}")).await;
        snapshot(&format!("subkey__find__{case}"), &found);
        reply(&found);
    }
}
