//! Telegram.

use checkers::Telegram;
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const ASKED: &str = "GET telegram /nextidproofs/42?embed=1&mode=tme";

fn case() -> Case<'static> {
    Case {
        checker: &Telegram,
        // The vectors have no claim of Telegram; who signed what is not looked at here.
        claim: Claim::of("discord")
            .by("nykma")
            .at("https://t.me/nextidproofs/42"),
        replies: vec![(ASKED, Reply::file("telegram/message.html"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_message_shows_its_authors_avatar() {
    let found = case().run().await;
    assert_eq!(found.location, "nextidproofs/42");
    let again = Case {
        claim: case().claim.at("nextidproofs/42"),
        ..case()
    };
    assert!(
        again
            .with(ASKED, Reply::file("telegram/message.html"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn other_messages_show_nothing() {
    for (file, failure) in [
        ("telegram/message_of_another.html", Failure::WrongAuthor),
        ("telegram/message_without_name.html", Failure::WrongAuthor),
        ("telegram/message_forwarded.html", Failure::WrongAuthor),
        ("telegram/message_reply.html", Failure::TextMissing),
        (
            "telegram/message_without_signature.html",
            Failure::TextMissing,
        ),
        ("telegram/not_found.html", Failure::NotFound),
    ] {
        assert_eq!(case().failure(Reply::file(file)).await, failure, "{file}");
    }
    let other = Reply::file("telegram/message.html").replaced(
        "data-post=\"nextidproofs/42\"",
        "data-post=\"nextidproofs/421\"",
    );
    assert_eq!(
        case().failure(other).await,
        Failure::Unreachable,
        "another message"
    );
    let elsewhere = Reply::file("telegram/message.html").replaced(
        "owner_name\" href=\"https://t.me/NykMa\"",
        "owner_name\" href=\"https://evil.example/NykMa\"",
    );
    assert_eq!(case().failure(elsewhere).await, Failure::WrongAuthor);
}

#[tokio::test]
async fn places_are_read() {
    for good in [
        "t.me/nextidproofs/42",
        "https://t.me/s/nextidproofs/42",
        "nextidproofs/42",
    ] {
        let web = Web::of(&[(ASKED, Reply::file("telegram/message.html"))]);
        let claim = case().claim.at(good);
        assert!(
            Telegram
                .check(&claim.claimed(), &world(&web, &NOBODY))
                .await
                .is_ok(),
            "{good}"
        );
    }
    for bad in [
        "https://t.me/nextidproofs",
        "https://evil.example/nextidproofs/42",
        "https://t.me/c/123/42",
        "https://t.me/+abc/1",
        "https://t.me/nextidproofs/42?x=1",
    ] {
        let web = Web::default();
        let claim = case().claim.at(bad);
        let refused = Telegram
            .check(&claim.claimed(), &world(&web, &NOBODY))
            .await;
        assert_eq!(refused.unwrap_err().failure, Failure::Malformed, "{bad}");
    }
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(normalised(&Telegram, "@NykMa").await.unwrap(), "nykma");
    for name in NO_NAMES {
        assert_eq!(normalised(&Telegram, name).await, None, "{name:?}");
    }
}
