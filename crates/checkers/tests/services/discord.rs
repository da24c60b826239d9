//! Discord.

use checkers::Discord;
use crypto::secret::Secret;
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::Case;
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const ASKED: &str = "GET discord_api /v9/channels/951016014150217809/messages/1024312190582390875";
const LINK: &str =
    "https://discord.com/channels/951016013038735410/951016014150217809/1024312190582390875";

fn checker() -> Discord {
    Discord {
        token: Secret::new("bot-token".to_owned()),
    }
}

fn case(checker: &Discord) -> Case<'_> {
    Case {
        checker,
        claim: Claim::of("discord").at(LINK),
        replies: vec![(ASKED, Reply::file("discord/message.json"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_message_shows_its_authors_avatar() {
    let checker = checker();
    let found = case(&checker).run().await;
    assert_eq!(found.alt_id, "82198898841029460");
    assert_eq!(found.location, LINK);
}

#[tokio::test]
async fn another_persons_message_shows_nothing() {
    let checker = checker();
    let case = case(&checker);
    let refusal = case
        .refusal(Reply::file("discord/message_of_another.json"))
        .await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(
        refusal.reason,
        "User name mismatch: expect Sannie#0250 - actual Mallory#0001"
    );
    // A webhook calls itself what it likes.
    let webhook = Reply::file("discord/message_of_webhook.json");
    assert_eq!(case.failure(webhook).await, Failure::WrongAuthor);
    let other = Reply::file("discord/message.json")
        .replaced("\"id\": \"1024312190582390875\"", "\"id\": \"1\"");
    assert_eq!(
        case.failure(other).await,
        Failure::Unreachable,
        "another message"
    );
    let other = Reply::file("discord/message_without_signature.json");
    assert_eq!(case.failure(other).await, Failure::TextMissing);
}

#[tokio::test]
async fn a_name_without_number_is_the_name_alone() {
    let checker = checker();
    let mut case = case(&checker);
    case.claim = case.claim.by("sannie");
    let found = case
        .with(ASKED, Reply::file("discord/message_new_name.json"))
        .await;
    assert!(found.is_ok());
    assert_eq!(
        case.failure(Reply::file("discord/message.json")).await,
        Failure::WrongAuthor
    );
    case.claim = case.claim.by("SANNIE");
    let other = Reply::file("discord/message_new_name.json");
    assert_eq!(case.failure(other).await, Failure::WrongAuthor);
}

#[tokio::test]
async fn what_discord_answers_instead() {
    let checker = checker();
    let case = case(&checker);
    for (file, status, failure) in [
        ("discord/not_found.json", 404, Failure::NotFound),
        ("discord/missing_access.json", 403, Failure::Unreachable),
        ("discord/rate_limited.json", 429, Failure::Limited),
    ] {
        assert_eq!(
            case.failure(Reply::file(file).status(status)).await,
            failure,
            "{file}"
        );
    }
}

#[tokio::test]
async fn any_name_is_taken_as_it_is() {
    let checker = checker();
    let web = Web::default();
    let world = world(&web, &NOBODY);
    for name in ["Sannie#0250", "sannie", "a<b>&c\u{2028}é🎭\"\\/", " "] {
        assert_eq!(checker.normalise(name, &world).await.unwrap(), name);
    }
    let long = "a".repeat(65);
    for name in ["", &long] {
        let refusal = checker.normalise(name, &world).await.unwrap_err();
        assert_eq!(refusal.failure, Failure::Malformed);
    }
}

#[tokio::test]
async fn the_bots_token_is_in_the_request_and_in_no_text() {
    let checker = checker();
    let web = Web::of(&[(
        ASKED,
        Reply::file("discord/missing_access.json").status(401),
    )]);
    let claim = Claim::of("discord").at(LINK);
    let refusal = checker
        .check(&claim.claimed(), &world(&web, &NOBODY))
        .await
        .unwrap_err();
    assert!(!refusal.reason.contains("bot-token"));
    let header = ("authorization".to_owned(), "Bot bot-token".to_owned());
    assert_eq!(web.requests()[0].headers, [header]);
}
