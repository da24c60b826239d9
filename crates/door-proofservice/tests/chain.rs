//! `/v1/proofchain` and below.

use serde_json::{Value, json};
use testkit::{AvatarClient, Exchange, default_settings};

use crate::door::{Door, reply, snapshot};

/// What opens commitments is random.
fn masked(mut exchange: Exchange) -> Exchange {
    let mut value: Value = serde_json::from_slice(&exchange.body).unwrap();
    for list in ["proof_chain", "links"] {
        for item in value[list].as_array_mut().into_iter().flatten() {
            for name in ["salt", "link"] {
                assert!(!item["log"][name].as_str().unwrap().is_empty());
                item["log"][name] = "…".into();
            }
        }
    }
    if value["proof_chain"].is_null() && value["links"].is_null() {
        return exchange;
    }
    let members = value.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    let (head, _) = exchange.text.rsplit_once("\n\n").unwrap();
    exchange.text = format!(
        "{head}\n\n{}",
        serde_json::to_string_pretty(&value).unwrap()
    );
    exchange
}

#[tokio::test]
async fn a_chain_is_read_oldest_first() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    door.create(&alice, "alice", "1").await;
    let deletion = door.deletion(&alice, "alice").await;
    assert_eq!(door.post("/v1/proof", &deletion).await.status, 201);
    let key = alice.avatar().to_string();
    let plain = key.replace("0x", "").to_uppercase();
    for (case, query) in [
        ("read", format!("avatar={key}")),
        ("by_public_key", format!("public_key={plain}&page=1")),
        ("beyond", format!("avatar={key}&page=2")),
        (
            "nobody",
            format!("avatar={}", AvatarClient::new(2).avatar()),
        ),
        ("no_key", "avatar=0x0".to_owned()),
        ("missing", "page=1".to_owned()),
        ("no_number", format!("avatar={key}&page=x")),
    ] {
        let chain = door.get(&format!("/v1/proofchain?{query}")).await;
        reply(&chain);
        snapshot(&format!("chain__read__{case}"), &masked(chain));
    }
}

#[tokio::test]
async fn each_link_names_the_one_before_and_its_place_in_the_log() {
    let door = Door::new().await;
    let alice = AvatarClient::new(1);
    for at in 0..3 {
        door.create(&alice, &format!("alice{at}"), &at.to_string())
            .await;
    }
    let path = format!("/v1/proofchain?avatar={}", alice.avatar());
    let chain = reply(&door.get(&path).await);
    let mut before = Value::Null;
    for (at, link) in chain["proof_chain"].as_array().unwrap().iter().enumerate() {
        let payload = link["signature_payload"].as_str().unwrap();
        let signed: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(signed["prev"], before);
        before = link["signature"].clone();
        assert_eq!(link["log"]["seqno"], at + 1);
        let index = link["log"]["leaf_index"].as_u64().unwrap();
        assert_eq!(
            link["log"]["inclusion"],
            format!("/log/inclusion?leaf={index}")
        );
        let size = door.world.engine.log().head().size;
        let proof = door.world.engine.log().inclusion(index, size).await;
        assert!(proof.is_ok(), "{index} of {size}");
    }
}

#[tokio::test]
async fn changes_are_dense_and_shown_at_once() {
    let door = Door::new().await;
    for at in 1..=12_u8 {
        let avatar = AvatarClient::new(at);
        door.create(&avatar, &format!("alice{at}"), &at.to_string())
            .await;
        // Who has the answer sees the link.
        let path = format!("/v1/proofchain/changes?last_id={}", at - 1);
        let links = reply(&door.get(&path).await);
        assert_eq!(links["links"][0]["id"], at);
        assert_eq!(links["links"][0]["avatar"], avatar.avatar().to_string());
    }
    for (query, first, count) in [
        ("", 1, 10),
        ("?count=0", 1, 10),
        ("?count=-5&last_id=-5", 1, 10),
        ("?count=3&last_id=2", 3, 3),
        ("?id=4&count=2", 5, 2),
        ("?count=1000", 1, 12),
        ("?last_id=12", 0, 0),
    ] {
        let links = reply(&door.get(&format!("/v1/proofchain/changes{query}")).await);
        let links = links["links"].as_array().unwrap();
        assert_eq!(links.len(), count, "{query}");
        let ids: Vec<_> = links.iter().map(|link| link["id"].clone()).collect();
        let expected: Vec<_> = (first..first + count).map(|id| json!(id)).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[tokio::test]
async fn changes_answer_and_refuse() {
    let door = Door::new().await;
    door.create(&AvatarClient::new(1), "alice", "1").await;
    for (case, query) in [
        ("listed", "last_id=0&count=10"),
        ("none_after", "last_id=9223372036854775807"),
        ("no_number", "last_id=null"),
        ("no_count", "count=ten"),
    ] {
        let changes = door.get(&format!("/v1/proofchain/changes?{query}")).await;
        reply(&changes);
        snapshot(&format!("chain__changes__{case}"), &masked(changes));
    }
}

#[tokio::test]
async fn a_long_chain_has_pages() {
    let mut unlimited = default_settings();
    unlimited.limits_enabled = false;
    let settings = door_proofservice::Settings {
        page_size: 2,
        ..door_proofservice::Settings::default()
    };
    let door = Door::with(unlimited, settings).await;
    let alice = AvatarClient::new(1);
    for at in 0..3 {
        door.create(&alice, &format!("alice{at}"), &at.to_string())
            .await;
    }
    for (page, links, next) in [(0, 2, 2), (1, 2, 2), (2, 1, 0), (3, 0, 0)] {
        let path = format!("/v1/proofchain?avatar={}&page={page}", alice.avatar());
        let chain = reply(&door.get(&path).await);
        assert_eq!(
            chain["proof_chain"].as_array().unwrap().len(),
            links,
            "{page}"
        );
        let current = page.max(1);
        let expected = json!({"total": 3, "per": 2, "current": current, "next": next});
        assert_eq!(chain["pagination"], expected);
    }
}
