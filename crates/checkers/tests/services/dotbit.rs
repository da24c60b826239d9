//! .bit.

use checkers::DotBit;
use engine::ports::checker::{ClaimChecker, Failure};
use serde_json::{Value, json};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const ASKED: &str = "POST dotbit /v1/account/records";

fn case() -> Case<'static> {
    Case {
        checker: &DotBit,
        claim: Claim::of("dotbit"),
        replies: vec![(ASKED, Reply::file("dotbit/records.json"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_record_shows_the_accounts_avatar() {
    let found = case().run().await;
    assert_eq!(found.alt_id, "mitchatmask.bit");
}

#[tokio::test]
async fn records_of_others_show_nothing() {
    for file in [
        "dotbit/records_of_other_keys.json",
        "dotbit/no_records.json",
    ] {
        let refusal = case().refusal(Reply::file(file)).await;
        assert_eq!(
            (refusal.failure, refusal.reason.as_str()),
            (Failure::TextMissing, "no key found")
        );
    }
    let missing = Reply::file("dotbit/no_such_account.json");
    assert_eq!(case().failure(missing).await, Failure::NotFound);
    let good = || Reply::file("dotbit/records.json");
    let another_kind = good().replaced("\"type\": \"profile\"", "\"type\": \"custom_key\"");
    assert_eq!(case().failure(another_kind).await, Failure::TextMissing);
    let indexers = good().replaced("\"err_no\"", "\"errno\"");
    assert!(case().with(ASKED, indexers).await.is_ok());
    let damaged = good().replaced(":+H9p7PaN", ":*");
    assert_eq!(case().failure(damaged).await, Failure::BadSignature);
    let failed = good().replaced("\"err_no\": 0", "\"err_no\": 10002");
    assert_eq!(case().failure(failed).await, Failure::Unreachable);
}

#[tokio::test]
async fn the_account_is_asked_for_by_its_name() {
    let web = Web::of(&[(ASKED, Reply::file("dotbit/records.json"))]);
    DotBit
        .check(&case().claim.claimed(), &world(&web, &NOBODY))
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&web.requests()[0].body).unwrap();
    assert_eq!(body, json!({"account": "mitchatmask.bit"}));
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(
        normalised(&DotBit, "MitchAtMask.bit").await.unwrap(),
        "mitchatmask.bit"
    );
    for name in NO_NAMES {
        assert_eq!(normalised(&DotBit, name).await, None, "{name:?}");
    }
    for name in [".bit", "a.eth", "a"] {
        assert_eq!(normalised(&DotBit, name).await, None, "{name}");
    }
}
