//! Our own failures, and what clients see of them.

use http::Request;
use httpkit::fault::Fault;
use serde_json::json;
use testkit::{AvatarClient, Mode};
use tower::ServiceExt as _;

use crate::door::{Door, message, request, snapshot};

#[tokio::test]
async fn a_store_that_is_away_is_503_and_its_reason_stays_here() {
    let (door, faults) = Door::failing().await;
    let alice = AvatarClient::new(1);
    let key = alice.avatar();
    for (case, path) in [
        ("chain", format!("/v1/proofchain?avatar={key}")),
        ("changes", "/v1/proofchain/changes".to_owned()),
        (
            "exists",
            format!("/v1/proof/exists?platform=twitter&identity=a&public_key={key}"),
        ),
        ("subkey", format!("/v1/subkey?avatar={key}")),
    ] {
        faults.fail_reads(u64::MAX);
        let asked = request("GET", &path, "").map(axum::body::Body::from);
        let answer = door.router.clone().oneshot(asked).await.unwrap();
        faults.clear();
        assert_eq!(answer.status(), 503, "{case}");
        assert!(answer.extensions().get::<Fault>().is_some(), "{case}");
    }
    let draft = json!({
        "action": "create", "platform": "twitter", "identity": "alice", "public_key": key.to_string(),
        "uuid": "cd04a475-4498-406d-b5a1-3c5f371f1f04", "created_at": "1", "proof_location": "1",
    });
    for path in ["/v1/proof/payload", "/v1/proof"] {
        faults.fail_reads(u64::MAX);
        let answer =
            testkit::exchange(&door.router, request("POST", path, draft.to_string())).await;
        faults.clear();
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert!(!message(&answer).contains("store"), "{}", answer.text);
    }
    faults.fail_reads(u64::MAX);
    let asked: Request<Vec<u8>> = request("GET", &format!("/v1/proofchain?avatar={key}"), "");
    let answer = testkit::exchange(&door.router, asked).await;
    faults.clear();
    snapshot("chain__read__store_away", &answer);
}

#[tokio::test]
async fn a_create_that_was_not_stored_leaves_nothing_and_can_be_sent_again() {
    let (door, faults) = Door::failing().await;
    let alice = AvatarClient::new(1);
    let body = door.signed(&alice, "alice", "1").await;
    faults.fail_commit(1, Mode::Fail);
    let failed = request("POST", "/v1/proof", body.to_string());
    let failed = testkit::exchange(&door.router, failed).await;
    assert_eq!(failed.status, 503, "{}", failed.text);
    let said = message(&failed);
    assert!(
        !said.contains("store") && !said.contains("commit"),
        "{said}"
    );
    let again = door.post("/v1/proof", &body).await;
    assert_eq!(again.status, 201, "{}", again.text);
}
