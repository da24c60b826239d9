//! What the specification says of answers, where no snapshot shows it.

use serde_json::{Value, json};
use testkit::{AvatarClient, default_settings};

use crate::door::{Door, reply};

/// Numbers and uuids are signed in one form, however the client writes them.
#[tokio::test]
async fn times_and_uuids_may_be_written_otherwise_than_they_are_signed() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    let uuids = [
        "CD04A475-4498-406D-B5A1-3C5F371F1F01",
        "cd04a4754498406db5a13c5f371f1f02",
        "{cd04a475-4498-406d-b5a1-3c5f371f1f03}",
        "urn:uuid:cd04a475-4498-406d-b5a1-3c5f371f1f04",
    ];
    let times = [
        ("+5", "5"),
        ("-5", "-5"),
        ("007", "7"),
        ("9223372036854775807", "9223372036854775807"),
    ];
    let mut prev = Value::Null;
    for (at, (uuid, (time, signed_time))) in uuids.into_iter().zip(times).enumerate() {
        let signed_uuid = format!("cd04a475-4498-406d-b5a1-3c5f371f1f0{}", at + 1);
        let identity = format!("alice{at}");
        let payload = json!({
            "action": "create", "created_at": signed_time, "identity": identity,
            "platform": "twitter", "prev": prev, "uuid": signed_uuid,
        });
        let signature = alice.sign(&payload.to_string());
        door.twitter.post(&at.to_string(), &identity, &signature);
        let body = json!({
            "action": "create", "platform": "twitter", "identity": identity,
            "public_key": alice.avatar().to_string(), "proof_location": at.to_string(),
            "uuid": uuid, "created_at": time, "extra": {"signature": "", "wallet_signature": null},
        });
        let posted = door.post("/v1/proof", &body).await;
        assert_eq!(posted.status, 201, "{}", posted.text);
        prev = signature.into();
    }
    let chain = format!("/v1/proofchain?avatar={}", alice.avatar());
    let chain = reply(&door.get(&chain).await);
    let links = chain["proof_chain"].as_array().unwrap();
    let stored: Vec<&str> = links
        .iter()
        .map(|it| it["created_at"].as_str().unwrap())
        .collect();
    assert_eq!(stored, times.map(|(_, signed)| signed));
    assert_eq!(links[2]["uuid"], "cd04a475-4498-406d-b5a1-3c5f371f1f03");
}

#[tokio::test]
async fn a_wallets_signatures_are_in_the_chain() {
    let door = Door::new().await;
    let (alice, wallet) = (AvatarClient::new(1), AvatarClient::new(9));
    let mut signatures = Vec::new();
    for (action, by_avatar) in [("create", true), ("delete", false)] {
        let draft = door
            .draft(action, &alice, &format!("ethereum:{}", wallet.address()))
            .await;
        let payload = draft["sign_payload"].as_str().unwrap();
        let mut extra = json!({"wallet_signature": wallet.sign(payload)});
        if by_avatar {
            extra["signature"] = alice.sign(payload).into();
        }
        let body = json!({
            "action": action, "platform": "ethereum", "identity": wallet.address(),
            "public_key": alice.avatar().to_string(), "extra": extra,
            "uuid": draft["uuid"], "created_at": draft["created_at"],
        });
        assert_eq!(door.post("/v1/proof", &body).await.status, 201);
        signatures.push(extra);
    }
    let chain = format!("/v1/proofchain?avatar={}", alice.avatar());
    let chain = reply(&door.get(&chain).await);
    let (create, delete) = (&chain["proof_chain"][0], &chain["proof_chain"][1]);
    assert_eq!(create["signature"], signatures[0]["signature"]);
    assert_eq!(delete["signature"], signatures[1]["wallet_signature"]);
    for (link, signed) in [(create, &signatures[0]), (delete, &signatures[1])] {
        let wallet_signature = &signed["wallet_signature"];
        assert_eq!(link["extra"], json!({"wallet_signature": wallet_signature}));
        let payload: Value =
            serde_json::from_str(link["signature_payload"].as_str().unwrap()).unwrap();
        assert_eq!(payload["persona"], alice.avatar().to_string());
    }
}

#[tokio::test]
async fn a_key_that_is_named_twice_is_the_avatar() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    door.create(&alice, "alice", "1").await;
    let (key, other) = (alice.avatar(), AvatarClient::new(2).avatar());
    for (query, links) in [
        (format!("avatar={key}&public_key={other}"), 1),
        (format!("avatar={other}&public_key={key}"), 0),
        (format!("avatar=&public_key={key}"), 1),
        (format!("avatar=x&public_key={key}"), 0),
        (format!("avatar={key}&page="), 1),
        (format!("avatar={key}&page=-1"), 1),
    ] {
        let chain = reply(&door.get(&format!("/v1/proofchain?{query}")).await);
        let found = chain["proof_chain"].as_array().unwrap().len();
        assert_eq!(found, links, "{query}");
    }
}

/// The API document's parameters of a list, one by one.
#[tokio::test]
async fn lists_are_sorted_and_cut_as_asked() {
    let mut unlimited = default_settings();
    unlimited.limits_enabled = false;
    let door = Door::with(unlimited, door_proofservice::Settings::default()).await;
    for (byte, identity) in [(1, "bob"), (2, "carol"), (3, "alice")] {
        let avatar = AvatarClient::new(byte);
        door.create(&avatar, identity, &byte.to_string()).await;
        door.world.clock.advance(std::time::Duration::from_secs(1));
    }
    let names = async |query: &str| -> Vec<String> {
        let path = format!("/v1/proof?identity=o,alice&{query}");
        let found = reply(&door.get(&path).await);
        let ids = found["ids"].as_array().unwrap().iter();
        let name = |id: &Value| id["proofs"][0]["identity"].as_str().unwrap().to_owned();
        ids.map(name).collect()
    };
    let (newest, oldest) = (["alice", "carol", "bob"], ["bob", "carol", "alice"]);
    let by_name = ["carol", "bob", "alice"];
    for (query, expected) in [
        ("", newest),
        ("order=desc", newest),
        ("order=asc", oldest),
        ("order=ASC", newest),
        ("sort=id&order=asc", oldest),
        ("sort=nothing", newest),
        ("sort=last_arweave_id", newest),
        ("sort=created_at", newest),
        ("sort=created_at&order=asc", oldest),
        ("sort=last_checked_at", newest),
        ("sort=proof_chain_id&order=asc", oldest),
        ("sort=activated_at", newest),
        ("sort=activated_at&order=asc", oldest),
        ("sort=identity", by_name),
        ("sort=alt_id", by_name),
        ("sort=identity&order=asc", ["alice", "bob", "carol"]),
        ("page=&exact=&sort=&order=", newest),
        ("page=0", newest),
        ("page=-3", newest),
        ("platform=", newest),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    // The platform is that of every identity, and repeated parameters count once.
    assert!(names("platform=ethereum").await.is_empty());
    assert!(names("exact=t").await == ["alice"]);
    let first = reply(&door.get("/v1/proof?identity=bob&identity=alice").await);
    assert_eq!(first["pagination"]["total"], 1);
}

#[tokio::test]
async fn a_hundred_changes_at_most() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    for at in 0..101 {
        door.create(&alice, &format!("alice{at}"), &at.to_string())
            .await;
    }
    for (count, expected) in [
        ("100", 100),
        ("101", 100),
        ("9223372036854775807", 100),
        ("99", 99),
    ] {
        let links = reply(
            &door
                .get(&format!("/v1/proofchain/changes?count={count}"))
                .await,
        );
        assert_eq!(
            links["links"].as_array().unwrap().len(),
            expected,
            "{count}"
        );
    }
    let last = reply(&door.get("/v1/proofchain/changes?last_id=100").await);
    assert_eq!(last["links"][0]["id"], 101);
}

/// Keys of subkeys are compared, and not their texts.
#[tokio::test]
async fn a_subkey_is_found_by_each_form_of_its_key() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    let vectors: Value =
        serde_json::from_str(include_str!("../../engine/vectors/proofservice.json")).unwrap();
    let forms = vectors["public_key_forms"]["accepted"].as_array().unwrap();
    let mut body = json!({
        "avatar": alice.avatar().to_string(), "algorithm": "secp256k1",
        "public_key": forms[0], "rp_id": "rp.example",
    });
    let payload = reply(&door.post("/v1/subkey/payload", &body).await);
    let payload = payload["sign_payload"].as_str().unwrap();
    body["signature"] = alice.sign(payload).into();
    assert_eq!(door.post("/v1/subkey", &body).await.status, 200);
    for form in forms {
        let key = form.as_str().unwrap();
        let path = format!("/v1/subkey?algorithm=secp256k1&public_key={key}");
        let found = reply(&door.get(&path).await);
        assert_eq!(
            found["subkeys"][0]["avatar"],
            alice.avatar().to_string(),
            "{key}"
        );
    }
}
