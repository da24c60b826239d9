//! `/v1/proof` and below: one exchange for each thing a client may be told.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{AvatarClient, Exchange, default_settings};

use crate::door::{Door, message, reply, request, snapshot};

fn with(mut body: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        body[*name] = value.clone();
    }
    body
}

fn payload_request(avatar: &AvatarClient) -> Value {
    json!({
        "action": "create", "platform": "twitter", "identity": "Alice_A",
        "public_key": avatar.avatar().to_string(),
    })
}

#[tokio::test]
async fn payload_is_drafted_and_refused() {
    let door = Door::new().await;
    let avatar = AvatarClient::new(1);
    let good = payload_request(&avatar);
    for (case, body) in [
        ("drafted", good.clone()),
        (
            "for_delete",
            with(good.clone(), &[("action", "delete".into())]),
        ),
        (
            "for_a_wallet",
            with(
                good.clone(),
                &[
                    ("platform", "ethereum".into()),
                    ("identity", "0xABCD".into()),
                ],
            ),
        ),
        ("wrong_type", with(good.clone(), &[("identity", 5.into())])),
        (
            "param_invalid",
            with(good.clone(), &[("identity", "".into())]),
        ),
        (
            "unknown_action",
            with(good.clone(), &[("action", "add".into())]),
        ),
        (
            "no_key",
            with(good.clone(), &[("public_key", "0x02".into())]),
        ),
        (
            "unknown_platform",
            with(good.clone(), &[("platform", "facebook".into())]),
        ),
        (
            "no_account",
            with(good.clone(), &[("identity", "a b".into())]),
        ),
    ] {
        let drafted = door.post("/v1/proof/payload", &body).await;
        snapshot(&format!("proof__payload__{case}"), &drafted);
        reply(&drafted);
    }
}

#[tokio::test]
async fn create_stores_and_refuses() {
    let door = Door::new().await;
    let (alice, mallory) = (AvatarClient::new(1), AvatarClient::new(2));
    let good = door.signed(&alice, "Alice", "1").await;
    let other_key = mallory.avatar().to_string();
    for (case, body) in [
        (
            "wrong_type",
            with(good.clone(), &[("created_at", 5.into())]),
        ),
        ("no_key", with(good.clone(), &[("public_key", "".into())])),
        (
            "unknown_platform",
            with(good.clone(), &[("platform", "facebook".into())]),
        ),
        (
            "no_time",
            with(good.clone(), &[("created_at", "now".into())]),
        ),
        ("no_uuid", with(good.clone(), &[("uuid", "1".into())])),
        (
            "no_base64",
            with(good.clone(), &[("extra", json!({"signature": "%"}))]),
        ),
        (
            "unknown_action",
            with(good.clone(), &[("action", "add".into())]),
        ),
        (
            "wrong_author",
            with(good.clone(), &[("identity", "bob".into())]),
        ),
        (
            "wrong_key",
            with(good.clone(), &[("public_key", other_key.into())]),
        ),
        ("created", good.clone()),
        ("uuid_used", good.clone()),
    ] {
        let posted = door.post("/v1/proof", &body).await;
        snapshot(&format!("proof__create__{case}"), &posted);
        reply(&posted);
    }
}

#[tokio::test]
async fn a_post_that_is_not_there_is_looked_for_and_then_refused() {
    let door = Door::new().await;
    let body = door.signed(&AvatarClient::new(1), "alice", "1").await;
    door.twitter.remove("1");
    let posted = request("POST", "/v1/proof", body.to_string());
    let posted = door.send_patiently(posted).await;
    snapshot("proof__create__not_there", &posted);
    let chain = reply(
        &door
            .get(&format!(
                "/v1/proofchain?avatar={}",
                body["public_key"].as_str().unwrap()
            ))
            .await,
    );
    assert_eq!(chain["proof_chain"], json!([]));
}

#[tokio::test]
async fn delete_needs_the_avatar_s_signature_and_something_to_delete() {
    let door = Door::new().await;
    let (alice, mallory) = (AvatarClient::new(1), AvatarClient::new(2));
    door.create(&alice, "alice", "1").await;
    let good = door.deletion(&alice, "alice").await;
    let forged = mallory.sign("whatever");
    let not_bound = door.deletion(&alice, "bob").await;
    for (case, body) in [
        (
            "without_signature",
            with(good.clone(), &[("extra", json!({}))]),
        ),
        (
            "another_s_signature",
            with(good.clone(), &[("extra", json!({"signature": forged}))]),
        ),
        (
            "empty_identity",
            with(good.clone(), &[("identity", "".into())]),
        ),
        ("not_bound", not_bound),
        ("deleted", good.clone()),
        ("replayed", good),
    ] {
        let posted = door.post("/v1/proof", &body).await;
        snapshot(&format!("proof__delete__{case}"), &posted);
        reply(&posted);
    }
    let found = door
        .get("/v1/proof?platform=twitter&identity=alice&exact=true")
        .await;
    assert_eq!(reply(&found)["ids"], json!([]));
}

#[tokio::test]
async fn a_wallet_signs_for_itself() {
    let door = Door::new().await;
    let (alice, wallet) = (AvatarClient::new(1), AvatarClient::new(9));
    let whose = format!(
        "ethereum:{}",
        wallet.address().to_uppercase().replace("0X", "0x")
    );
    for (action, extra) in [("create", "both"), ("delete", "wallet")] {
        let draft = door.draft(action, &alice, &whose).await;
        let payload = draft["sign_payload"].as_str().unwrap();
        let mut signatures = json!({"wallet_signature": wallet.sign(payload)});
        if extra == "both" {
            signatures["signature"] = alice.sign(payload).into();
        }
        let body = json!({
            "action": action, "platform": "ethereum", "identity": wallet.address(),
            "public_key": alice.avatar().to_string(), "extra": signatures,
            "uuid": draft["uuid"], "created_at": draft["created_at"],
        });
        let posted = door.post("/v1/proof", &body).await;
        assert_eq!(posted.status, 201, "{}", posted.text);
    }
}

#[tokio::test]
async fn a_stale_draft_is_told_what_it_was_signed_over() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    let first = door.signed(&alice, "alice", "1").await;
    let second = door.signed(&alice, "alice2", "2").await;
    assert_eq!(door.post("/v1/proof", &first).await.status, 201);
    let stale = door.post("/v1/proof", &second).await;
    snapshot("proof__create__stale", &stale);
    assert!(
        message(&stale).starts_with("bad signature"),
        "{}",
        stale.text
    );
}

#[tokio::test]
async fn of_two_links_for_one_predecessor_one_wins() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    let bodies = [
        door.signed(&alice, "alice", "1").await,
        door.signed(&alice, "alice2", "2").await,
        door.signed(&alice, "alice3", "3").await,
    ];
    let post = |body: &Value| door.send(request("POST", "/v1/proof", body.to_string()));
    let (a, b, c) = tokio::join!(post(&bodies[0]), post(&bodies[1]), post(&bodies[2]));
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400]);
    for loser in [a, b, c].iter().filter(|it| it.status == 400) {
        assert!(
            message(loser).starts_with("bad signature"),
            "{}",
            loser.text
        );
    }
}

#[tokio::test]
async fn attempts_are_limited() {
    let door = Door::with(default_settings(), door_proofservice::Settings::default()).await;
    let body = payload_request(&AvatarClient::new(1));
    let mut limited: Option<Exchange> = None;
    for _ in 0..5_000 {
        let answer = door.post("/v1/proof/payload", &body).await;
        if answer.status != 200 {
            limited = Some(answer);
            break;
        }
    }
    snapshot("proof__payload__limited", &limited.unwrap());
}

#[tokio::test]
async fn find_pages_and_refuses() {
    let settings = door_proofservice::Settings {
        page_size: 2,
        ..door_proofservice::Settings::default()
    };
    let mut unlimited = default_settings();
    unlimited.limits_enabled = false;
    let door = Door::with(unlimited, settings).await;
    for (byte, identity, location) in [(1, "Alice", "1"), (2, "alicia", "2"), (3, "bob_x", "3")] {
        door.create(&AvatarClient::new(byte), identity, location)
            .await;
        door.world.clock.advance(Duration::from_secs(1));
    }
    let key = AvatarClient::new(1)
        .avatar()
        .to_string()
        .replace("0x", "")
        .to_uppercase();
    for (case, query) in [
        (
            "exact",
            "platform=twitter&identity=aLICE&exact=true".to_owned(),
        ),
        ("first_page", "identity=alic,bob&page=1".to_owned()),
        ("last_page", "identity=alic,bob&page=2".to_owned()),
        ("beyond", "identity=alic,bob&page=7".to_owned()),
        ("by_avatar", format!("platform=nextid&identity={key}")),
        (
            "by_alt_id",
            "identity=ID-of-alice&exact=T&sort=activated_at&order=asc".to_owned(),
        ),
        ("nothing", "platform=facebook&identity=alice".to_owned()),
        ("literal", "identity=b%25b,_".to_owned()),
        ("missing", "platform=twitter".to_owned()),
        ("empty", "identity=,,".to_owned()),
        ("no_number", "identity=alice&page=one".to_owned()),
        ("no_truth", "identity=alice&exact=yes".to_owned()),
    ] {
        let found = door.get(&format!("/v1/proof?{query}")).await;
        snapshot(&format!("proof__find__{case}"), &found);
        reply(&found);
    }
}

#[tokio::test]
async fn exists_says_so_and_refuses() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    door.create(&alice, "alice", "1").await;
    let key = alice.avatar().to_string();
    for (case, query) in [
        (
            "found",
            format!("platform=twitter&identity=ALICE&public_key={key}"),
        ),
        (
            "by_alt_id",
            format!("platform=twitter&identity=id-of-alice&public_key={key}"),
        ),
        (
            "not_found",
            format!("platform=twitter&identity=Bob&public_key={key}"),
        ),
        ("missing", format!("platform=twitter&public_key={key}")),
        (
            "no_key",
            "platform=twitter&identity=alice&public_key=0x".to_owned(),
        ),
        (
            "other_key",
            "platform=twitter&identity=alice&public_key=0x00".to_owned(),
        ),
    ] {
        let found = door.get(&format!("/v1/proof/exists?{query}")).await;
        snapshot(&format!("proof__exists__{case}"), &found);
        reply(&found);
    }
}
