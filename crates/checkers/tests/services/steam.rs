//! Steam.

use checkers::Steam;
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::{Claim, vectors};

const ASKED: &str = "GET steam /profiles/76561198092541763/?xml=1";
const BY_NAME: &str = "GET steam /id/menyk/?xml=1";

fn case() -> Case<'static> {
    Case {
        checker: &Steam,
        claim: Claim::of("steam"),
        replies: vec![(ASKED, Reply::file("steam/profile.xml"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_summary_shows_the_accounts_avatar() {
    let found = case().run().await;
    assert_eq!(found.alt_id, "menyk");
}

#[tokio::test]
async fn names_and_groups_are_no_summary() {
    let refusal = case()
        .refusal(Reply::file("steam/profile_without_proof.xml"))
        .await;
    assert_eq!(refusal.failure, Failure::TextMissing);
    assert_eq!(refusal.reason, "proof not found in user summary");
}

#[tokio::test]
async fn other_profiles_show_nothing() {
    let other = Reply::file("steam/profile_of_another.xml");
    assert_eq!(case().failure(other).await, Failure::Unreachable);
    let missing = Reply::file("steam/not_found.xml");
    assert_eq!(case().failure(missing).await, Failure::NotFound);
    let bomb = "<!DOCTYPE profile [<!ENTITY a \"aaaa\">]><profile>&a;</profile>";
    assert_eq!(
        case().failure(Reply::new(200, bomb)).await,
        Failure::Unreachable
    );
    let many = format!("<profile>{}</profile>", "<a/>".repeat(30_000));
    assert_eq!(
        case().failure(Reply::new(200, many)).await,
        Failure::Unreachable
    );
    let deep = format!(
        "{}{}",
        "<profile>".repeat(15_000),
        "</profile>".repeat(15_000)
    );
    assert_eq!(
        case().failure(Reply::new(200, deep)).await,
        Failure::Unreachable
    );
}

#[tokio::test]
async fn at_most_ten_signatures_are_looked_at() {
    let many = "NextID proof: AAAA:1:x:null<br>".repeat(20);
    let profile =
        Reply::file("steam/profile_without_proof.xml").replaced("No information given.", &many);
    assert_eq!(
        case().with(ASKED, profile).await.unwrap().signatures.len(),
        10
    );
    let bad = Reply::file("steam/profile_without_proof.xml")
        .replaced("No information given.", "NextID proof: ***:1:x:null");
    assert_eq!(case().failure(bad).await, Failure::BadSignature);
}

#[tokio::test]
async fn a_name_stands_for_the_id_it_has_now() {
    let web = Web::of(&[(BY_NAME, Reply::file("steam/profile.xml"))]);
    let found = Steam
        .normalise("menyk", &world(&web, &NOBODY))
        .await
        .unwrap();
    assert_eq!(found, "76561198092541763");
    for (reply, failure) in [
        (Reply::file("steam/not_found.xml"), Failure::NotFound),
        (Reply::new(200, "<html>"), Failure::Unreachable),
        (Reply::new(429, ""), Failure::Limited),
        (
            Reply::new(200, "<profile><steamID64>1</steamID64></profile>"),
            Failure::Unreachable,
        ),
        (Reply::new(200, "<profile/>"), Failure::Unreachable),
    ] {
        let web = Web::of(&[(BY_NAME, reply)]);
        let refusal = Steam
            .normalise("menyk", &world(&web, &NOBODY))
            .await
            .unwrap_err();
        assert_eq!(refusal.failure, failure);
    }
}

#[tokio::test]
async fn ids_are_those_of_persons() {
    for vector in vectors()["steam_id"].as_array().unwrap() {
        let id = vector["id"].as_str().unwrap();
        if id.bytes().all(|byte| byte.is_ascii_digit()) {
            let is_ok = normalised(&Steam, id).await.is_some();
            assert_eq!(is_ok, vector["ok"].as_bool().unwrap(), "{id}");
        }
    }
    let zeros = normalised(&Steam, "00076561198092541763").await;
    assert_eq!(zeros.as_deref(), Some("76561198092541763"));
    for name in NO_NAMES {
        assert_eq!(normalised(&Steam, name).await, None, "{name:?}");
    }
}
