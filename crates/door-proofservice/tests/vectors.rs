//! Truth from outside: the vectors of the specification, by way of the door.

use serde_json::Value;

use crate::door::{Door, message, reply, snapshot};

const VECTORS: &str = include_str!("../../engine/vectors/proofservice.json");

#[tokio::test]
async fn avatars_are_restored_from_signatures() {
    let door = Door::new().await;
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["restore_pubkey"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let answer = door
            .post("/v1/proof/restore_pubkey", &case["request"])
            .await;
        assert_eq!(answer.status, case["status"], "{}", answer.text);
        match case["message_contains"].as_str() {
            Some(said) => assert!(message(&answer).contains(said), "{}", answer.text),
            None => assert_eq!(reply(&answer)["public_key"], case["public_key"]),
        }
    }
}

#[tokio::test]
async fn restore_answers_and_refuses() {
    let door = Door::new().await;
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let good = vectors["restore_pubkey"][0]["request"].clone();
    let posted = vectors["restore_pubkey"][1]["request"].clone();
    let with = |of: &Value, name: &str, value: Value| {
        let mut body = of.clone();
        body[name] = value;
        body
    };
    for (case, body) in [
        ("restored", good.clone()),
        ("from_post", posted.clone()),
        ("wrong_type", with(&good, "uuid", 1.into())),
        ("no_uuid", with(&good, "uuid", "x".into())),
        ("no_action", with(&good, "action", "".into())),
        ("unknown_action", with(&good, "action", "add".into())),
        (
            "unknown_platform",
            with(&good, "platform", "facebook".into()),
        ),
        ("for_a_wallet", with(&good, "platform", "ethereum".into())),
        (
            "post_elsewhere",
            with(&posted, "platform", "ethereum".into()),
        ),
        (
            "post_without_lines",
            with(&posted, "proof_post", "hello".into()),
        ),
    ] {
        let answer = door.post("/v1/proof/restore_pubkey", &body).await;
        snapshot(&format!("proof__restore__{case}"), &answer);
        reply(&answer);
    }
}

#[tokio::test]
async fn every_form_of_a_key_is_accepted() {
    let door = Door::new().await;
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let forms = &vectors["public_key_forms"];
    for (list, status) in [("accepted", 200), ("rejected", 400)] {
        for key in forms[list].as_array().unwrap() {
            let body = serde_json::json!({
                "action": "create", "platform": "twitter", "identity": "a", "public_key": key,
            });
            let answer = door.post("/v1/proof/payload", &body).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
    }
}
