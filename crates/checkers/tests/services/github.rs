//! GitHub.

use checkers::GitHub;
use crypto::secret::Secret;
use engine::ports::checker::{ClaimChecker, Failure};
use engine::ports::fetch::{FetchError, Upstream};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const GIST: &str = "GET github_api /gists/aa5a315d61ae9438b18d";
const ID: &str = "aa5a315d61ae9438b18d";
const KEY: &str = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
const RAW: &str = "https://gist.githubusercontent.com";
const CHECKER: GitHub = GitHub { token: None };

fn raw() -> String {
    format!("GET github_gist_raw /nykma/{ID}/raw/{KEY}.json")
}

fn raw_of_api() -> String {
    let revision = "db9c55113504e46fa076e7df3a04ce592e2e86d8";
    format!("GET github_gist_raw /NykMa/{ID}/raw/{revision}/{KEY}.json")
}

fn case() -> Case<'static> {
    Case {
        checker: &CHECKER,
        claim: Claim::of("github").at(ID),
        replies: vec![(GIST, Reply::file("github/gist.json"))],
        bases: vec![(RAW, Upstream::Named("github_gist_raw"))],
        asked: GIST,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_gist_shows_its_owners_avatar() {
    let found = case().run().await;
    assert_eq!(found.alt_id, "2248292");
    assert_eq!(found.location, ID);
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(normalised(&CHECKER, "NykMa").await.unwrap(), "nykma");
    assert_eq!(normalised(&CHECKER, "a-B-9").await.unwrap(), "a-b-9");
    for name in NO_NAMES {
        assert_eq!(normalised(&CHECKER, name).await, None, "{name:?}");
    }
    assert_eq!(normalised(&CHECKER, &"a".repeat(65)).await, None);
}

#[tokio::test]
async fn another_persons_gist_shows_nothing() {
    let gist = Reply::file("github/gist.json");
    let other = gist
        .clone()
        .replaced("\"login\": \"NykMa\"", "\"login\": \"Mallory\"");
    let refusal = case().refusal(other).await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(
        refusal.reason,
        "gist owner mismatch: should be nykma, but got Mallory"
    );
    // Longer and shorter names, and those that only look alike.
    for login in ["NykMa2", "NykM", "nуkma", ""] {
        let other = gist
            .clone()
            .replaced("\"login\": \"NykMa\"", &format!("\"login\": \"{login}\""));
        assert_eq!(case().failure(other).await, Failure::WrongAuthor, "{login}");
    }
    let nobodys = r#"{"id": "aa5a315d61ae9438b18d", "owner": null, "files": {}}"#;
    assert_eq!(
        case().failure(Reply::new(200, nobodys)).await,
        Failure::WrongAuthor
    );
}

#[tokio::test]
async fn a_gist_without_the_avatars_file_shows_nothing() {
    let refusal = case()
        .refusal(Reply::file("github/gist_without_file.json"))
        .await;
    assert_eq!(refusal.failure, Failure::TextMissing);
    assert_eq!(refusal.reason, format!("{KEY}.json not found or empty"));
}

#[tokio::test]
async fn the_file_is_read_and_not_believed() {
    let gist = Reply::file("github/gist.json");
    // What it says was signed is for people.
    let other = gist.clone().replaced(
        "\\\"action\\\\\\\":\\\\\\\"create",
        "\\\"action\\\\\\\":\\\\\\\"delete",
    );
    let found = case().with(GIST, other).await.unwrap();
    assert_eq!(found.signatures, [case().claim.signature]);
    let persona = format!("\\\"persona\\\": \\\"{KEY}");
    let other =
        "\\\"persona\\\": \\\"0x039dec6131b0f3f0b8dccf7d0b83e8696f24eb9e00e929561a48af057aa9ba9c21";
    let refusal = case().refusal(gist.clone().replaced(&persona, other)).await;
    assert_eq!(refusal.failure, Failure::BadSignature);
    assert_eq!(refusal.reason, "Persona mismatch");
    let unsigned = gist.clone().replaced("\\\"signature\\\"", "\\\"no\\\"");
    assert_eq!(case().failure(unsigned).await, Failure::TextMissing);
    // What its owner made of it is known: the claim does not hold any more.
    for content in ["removed", "<html>", "[]", "\\n"] {
        let file = format!(
            r#"{{"owner": {{"login": "nykma", "id": 1}}, "files": {{"{KEY}.json": {{"content": "{content}"}}}}}}"#
        );
        let refusal = case().refusal(Reply::new(200, file)).await;
        assert_eq!(refusal.failure, Failure::TextMissing, "{content}");
        assert_eq!(refusal.reason, format!("{KEY}.json not found or empty"));
    }
    let damaged = gist.replaced("73w/t8yi", "*not base64*");
    assert_eq!(case().failure(damaged).await, Failure::BadSignature);
}

#[tokio::test]
async fn there_may_be_no_such_gist() {
    let missing = Reply::file("github/not_found.json").status(404);
    let refusal = case().refusal(missing).await;
    assert_eq!(refusal.failure, Failure::NotFound);
    assert!(refusal.failure.may_appear());
}

#[tokio::test]
async fn a_spent_allowance_is_told() {
    let limited = Reply::file("github/rate_limited.json").status(403);
    let refusal = case()
        .refusal(limited.header("x-ratelimit-remaining", "0"))
        .await;
    assert_eq!(refusal.failure, Failure::Limited);
    assert!(!refusal.failure.is_definite());
    let second = r#"{"message": "You have exceeded a secondary rate limit."}"#;
    assert_eq!(
        case().failure(Reply::new(403, second)).await,
        Failure::Limited
    );
    let message = Reply::file("github/rate_limited.json");
    assert_eq!(case().failure(message).await, Failure::Unreachable);
}

#[tokio::test]
async fn a_long_file_is_read_where_the_api_says_if_that_is_githubs() {
    let raw_key = raw_of_api();
    let mut case = case();
    case.replies
        .push((&raw_key, Reply::file("github/raw.json")));
    let found = case
        .with(GIST, Reply::file("github/gist_truncated.json"))
        .await
        .unwrap();
    assert_eq!(
        found.signatures,
        std::slice::from_ref(&case.claim.signature)
    );
    for url in [
        "https://evil.example",
        "https://gist.githubusercontent.com.evil.example",
        "http://127.0.0.1:9000",
        "file:///etc/passwd?",
    ] {
        let reply = Reply::file("github/gist_truncated.json").replaced(RAW, url);
        assert_eq!(
            case.failure(reply).await,
            Failure::ForbiddenAddress,
            "{url}"
        );
    }
}

#[tokio::test]
async fn in_the_background_the_file_alone_will_do() {
    let raw_key = raw();
    let claim = Claim::of("github").at(ID);
    let check = async |api: Reply, raw: Reply| {
        let web = Web::of(&[(GIST, api), (&raw_key, raw)]);
        let mut world = world(&web, &NOBODY);
        world.is_background = true;
        CHECKER.check(&claim.claimed(), &world).await
    };
    let limited = Reply::new(429, "").retry_after(3600);
    let found = check(limited.clone(), Reply::file("github/raw.json"))
        .await
        .unwrap();
    assert_eq!(found.signatures, std::slice::from_ref(&claim.signature));
    assert_eq!(found.alt_id, "", "it was not learned");
    // Both ways are shut: the claim stays what it was.
    let shut = check(limited.clone(), Reply::failed(FetchError::Unreachable)).await;
    assert_eq!(shut.unwrap_err().failure, Failure::Limited);
    let gone = check(limited, Reply::new(404, "404: Not Found")).await;
    assert_eq!(gone.unwrap_err().failure, Failure::NotFound);
    // What the API says for certain is not asked for again.
    let web = Web::of(&[(GIST, Reply::new(404, ""))]);
    let mut world = world(&web, &NOBODY);
    world.is_background = true;
    let gone = CHECKER.check(&claim.claimed(), &world).await;
    assert_eq!(gone.unwrap_err().failure, Failure::NotFound);
}

#[tokio::test]
async fn ids_are_letters_and_digits() {
    let good = "a".repeat(64);
    let key = format!("GET github_api /gists/{good}");
    let web = Web::of(&[(&key, Reply::file("github/gist.json"))]);
    let claim = Claim::of("github").at(&good);
    assert!(
        CHECKER
            .check(&claim.claimed(), &world(&web, &NOBODY))
            .await
            .is_ok()
    );
    for bad in [
        "a".repeat(65),
        "a-b".into(),
        "a_b".into(),
        "nykma/aa5a".into(),
    ] {
        let claim = Claim::of("github").at(&bad);
        let web = Web::default();
        let refused = CHECKER.check(&claim.claimed(), &world(&web, &NOBODY)).await;
        assert_eq!(refused.unwrap_err().failure, Failure::Malformed, "{bad}");
    }
}

#[tokio::test]
async fn a_token_goes_to_the_api_alone() {
    let checker = GitHub {
        token: Some(Secret::new("ghp_secret".to_owned())),
    };
    let raw_key = raw_of_api();
    let truncated = Reply::file("github/gist_truncated.json");
    let web = Web::of(&[
        (GIST, truncated),
        (&raw_key, Reply::file("github/raw.json")),
    ]);
    let web = web.with_base(RAW, Upstream::Named("github_gist_raw"));
    let claim = Claim::of("github").at(ID);
    checker
        .check(&claim.claimed(), &world(&web, &NOBODY))
        .await
        .unwrap();
    let secrets = web.requests().into_iter().map(|request| {
        let headers = request.headers.into_iter();
        headers.filter(|(name, _)| name == "authorization").count()
    });
    assert_eq!(secrets.collect::<Vec<_>>(), [1, 0]);
}
