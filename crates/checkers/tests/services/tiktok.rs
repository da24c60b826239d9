//! TikTok.

use checkers::TikTok;
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const LINK: &str = "https://www.tiktok.com/@scout2015/video/6718335390845095173";
const ASKED: &str = "GET tiktok /oembed?url=https%3A%2F%2Fwww.tiktok.com%2F%40scout2015%2Fvideo%2F6718335390845095173";
const ID: &str = "6718335390845095173";

fn case() -> Case<'static> {
    Case {
        checker: &TikTok,
        claim: Claim::of("tiktok").at(LINK),
        replies: vec![(ASKED, Reply::file("tiktok/oembed.json"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_title_shows_the_accounts_avatar() {
    let found = case().run().await;
    assert_eq!(found.location, ID);
    // What the chain keeps leads there again.
    let again = Case {
        claim: case().claim.at(ID),
        ..case()
    };
    let found = again
        .with(ASKED, Reply::file("tiktok/oembed.json"))
        .await
        .unwrap();
    assert_eq!(found.location, ID);
    let other = Reply::file("tiktok/oembed.json").replaced(
        &format!("\"embed_product_id\": \"{ID}\""),
        "\"embed_product_id\": \"1\"",
    );
    assert_eq!(
        again.failure(other).await,
        Failure::Unreachable,
        "another video"
    );
}

#[tokio::test]
async fn other_videos_show_nothing() {
    let refusal = case()
        .refusal(Reply::file("tiktok/oembed_of_another.json"))
        .await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(
        refusal.reason,
        "Username mismatch: expect @scout2015, got @mallory"
    );
    let other = Reply::file("tiktok/oembed_without_signature.json");
    assert_eq!(case().failure(other).await, Failure::TextMissing);
    let failed = Reply::file("tiktok/failed.json");
    assert_eq!(case().failure(failed.clone()).await, Failure::Unreachable);
    assert_eq!(
        case().failure(failed.status(400)).await,
        Failure::NotFound,
        "gone, or not for everybody"
    );
}

#[tokio::test]
async fn links_lead_to_tiktok() {
    for good in [
        "https://vm.tiktok.com/ZMNabcdef/",
        "https://www.tiktok.com/t/ZTRabcdef/",
    ] {
        let escaped = good.replace(':', "%3A").replace('/', "%2F");
        let key = format!("GET tiktok /oembed?url={escaped}");
        let web = Web::of(&[(&key, Reply::file("tiktok/oembed.json"))]);
        let claim = Claim::of("tiktok").at(good);
        let found = TikTok.check(&claim.claimed(), &world(&web, &NOBODY)).await;
        assert_eq!(found.unwrap().location, ID);
    }
    for bad in [
        "https://tiktok.com.evil.example/@a/video/1",
        "https://evil.example/",
        "ftp://tiktok.com/1",
        "tiktok",
    ] {
        let web = Web::default();
        let claim = Claim::of("tiktok").at(bad);
        let refused = TikTok.check(&claim.claimed(), &world(&web, &NOBODY)).await;
        assert_eq!(refused.unwrap_err().failure, Failure::Malformed, "{bad}");
    }
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(normalised(&TikTok, "Scout2015").await.unwrap(), "scout2015");
    for name in NO_NAMES {
        assert_eq!(normalised(&TikTok, name).await, None, "{name:?}");
    }
}
