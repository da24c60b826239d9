//! Minds.

use checkers::Minds;
use engine::ports::checker::Failure;

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::Reply;
use crate::vectors::Claim;

const ASKED: &str = "GET minds /api/v2/entities/?urns=urn%3Aactivity%3A1421043369127153668\
                     &as_activities=0&export_user_counts=false";

fn case() -> Case<'static> {
    Case {
        checker: &Minds,
        claim: Claim::of("minds").at("1421043369127153668"),
        replies: vec![(ASKED, Reply::file("minds/entities.json"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_post_shows_its_authors_avatar() {
    let found = case().run().await;
    assert_eq!(found.alt_id, "1376203938342866957");
    assert_eq!(found.location, "1421043369127153668");
}

#[tokio::test]
async fn other_posts_show_nothing() {
    let refusal = case()
        .refusal(Reply::file("minds/entities_of_another.json"))
        .await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(
        refusal.reason,
        "Username mismatch: expect @nykma, got @mallory"
    );
    let other = Reply::file("minds/entities_without_signature.json");
    assert_eq!(case().failure(other).await, Failure::TextMissing);
    let missing = Reply::file("minds/no_entities.json");
    assert_eq!(case().failure(missing).await, Failure::NotFound);
    let other = Reply::file("minds/entities.json")
        .replaced("\"guid\": \"1421043369127153668\"", "\"guid\": \"1\"");
    assert_eq!(
        case().failure(other).await,
        Failure::NotFound,
        "another post"
    );
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(normalised(&Minds, "NykMa").await.unwrap(), "nykma");
    for name in NO_NAMES {
        assert_eq!(normalised(&Minds, name).await, None, "{name:?}");
    }
}
