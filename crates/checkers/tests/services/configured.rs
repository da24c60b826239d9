//! Services that an operator describes.

use checkers::configured::{Configured, PlatformKeys};
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::{Case, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::Claim;

const STORY: &str = "GET platform /s/abc123.json";
const PAGE: &str = "GET platform~nykma /about?v=1";

fn keys(name: &str, url: &str) -> PlatformKeys {
    PlatformKeys {
        name: name.into(),
        url: url.into(),
        ..PlatformKeys::default()
    }
}

/// JSON with the author and a text in HTML.
fn stories() -> Configured {
    let keys = PlatformKeys {
        author: Some("/submitter_user/username".into()),
        text: Some("/comment".into()),
        html: true,
        alt_id: Some("/submitter_user/id".into()),
        accept: Some("application/json".into()),
        identity_pattern: Some("[a-z0-9_]{1,20}".into()),
        location_pattern: Some("[a-z0-9]{6}".into()),
        ..keys("stories", "https://stories.example/s/{location}.json")
    };
    Configured::new(&keys, "platform").unwrap()
}

/// A page of the account's own, by patterns.
fn pages() -> Configured {
    let keys = PlatformKeys {
        author_pattern: Some("<h1 class=\"author\">([^<]+)</h1>".into()),
        text_pattern: Some("(?s)<article>(.*?)</article>".into()),
        html: true,
        signature_pattern: Some(r"^proof=\(([A-Za-z0-9+/=]+)\)$".into()),
        ..keys("pages", "https://{identity}.pages.example/about?v=1")
    };
    Configured::new(&keys, "platform").unwrap()
}

fn case<'c>(
    checker: &'c Configured,
    asked: &'c str,
    file: &str,
    location: Option<&str>,
) -> Case<'c> {
    // The vectors have no such claim; who signed what is not looked at here.
    let claim = Claim::of("discord").by("nykma");
    Case {
        checker,
        claim: location.map_or(claim.clone(), |location| claim.at(location)),
        replies: vec![(asked, Reply::file(file))],
        bases: Vec::new(),
        asked,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn members_of_json_are_found_by_pointer() {
    let checker = stories();
    let case = case(&checker, STORY, "configured/story.json", Some("abc123"));
    let found = case.run().await;
    assert_eq!(
        (found.alt_id.as_str(), found.location.as_str()),
        ("77", "abc123")
    );
    let good = || Reply::file("configured/story.json");
    let other = good().replaced("NykMa", "mallory");
    let refusal = case.refusal(other).await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(
        refusal.reason,
        "Username mismatch: expect nykma, got mallory"
    );
    let unsigned = good().replaced("Sig: ", "Sig ");
    assert_eq!(case.failure(unsigned).await, Failure::TextMissing);
    let damaged = good().replaced("Sig: ", "Sig: *");
    assert_eq!(case.failure(damaged).await, Failure::BadSignature);
    for (from, to) in [
        ("username", "name"),
        ("\"comment\"", "\"text\""),
        ("\"NykMa\"", "[]"),
    ] {
        assert_eq!(
            case.failure(good().replaced(from, to)).await,
            Failure::Unreachable,
            "{to}"
        );
    }
}

#[tokio::test]
async fn parts_of_a_page_are_found_by_patterns() {
    let checker = pages();
    let case = case(&checker, PAGE, "configured/page.html", None);
    let good = || Reply::file("configured/page.html");
    let found = case.with(PAGE, good()).await.unwrap();
    assert_eq!(
        found.signatures,
        std::slice::from_ref(&case.claim.signature)
    );
    let other = good().replaced("NykMa", "mallory");
    assert_eq!(case.failure(other).await, Failure::WrongAuthor);
    let unsigned = good().replaced("proof=", "x=");
    assert_eq!(case.failure(unsigned).await, Failure::TextMissing);
    let another = good().replaced("<article>", "<section>");
    assert_eq!(case.failure(another).await, Failure::Unreachable);
    let many = good().replaced("<p>I am here.</p>", &"<p>proof=(AAAA)</p>".repeat(30));
    assert_eq!(case.with(PAGE, many).await.unwrap().signatures.len(), 10);
    for (status, failure) in [
        (404, Failure::NotFound),
        (429, Failure::Limited),
        (500, Failure::Unreachable),
    ] {
        assert_eq!(case.failure(Reply::new(status, "")).await, failure);
    }
}

#[tokio::test]
async fn names_and_places_match_as_a_whole() {
    let checker = stories();
    assert_eq!(normalised(&checker, "NykMa").await.unwrap(), "nykma");
    for name in ["", "a b", "a/b", "nykma\nx", &"a".repeat(21)] {
        assert_eq!(normalised(&checker, name).await, None, "{name:?}");
    }
    let kept = PlatformKeys {
        author: Some("/a".into()),
        keep_case: true,
        ..keys("kept", "https://kept.example/{location}")
    };
    let kept = Configured::new(&kept, "platform").unwrap();
    assert_eq!(normalised(&kept, "NykMa").await.unwrap(), "NykMa");
    assert!(kept.needs().location);
    assert!(!pages().needs().location);
}

#[tokio::test]
async fn a_trial_tells_each_step() {
    let checker = stories();
    let steps = async |reply: Reply, location: &str| {
        let web = Web::of(&[(STORY, reply)]);
        checker
            .inspect("NykMa", location, &world(&web, &NOBODY))
            .await
    };
    let all = steps(Reply::file("configured/story.json"), "abc123").await;
    assert_eq!(all.status, Some(200));
    assert!(all.url.unwrap().ends_with("/s/abc123.json"));
    assert_eq!(all.author.as_deref(), Some("NykMa"));
    assert!(all.text.unwrap().starts_with("I am here.\nSig: "));
    assert_eq!((all.signatures.len(), all.refusal), (1, None));
    let missing = steps(Reply::new(404, ""), "abc123").await;
    assert_eq!((missing.status, missing.author), (Some(404), None));
    assert_eq!(missing.refusal.unwrap().failure, Failure::NotFound);
    let other = Reply::file("configured/story.json").replaced("NykMa", "mallory");
    let other = steps(other, "abc123").await;
    assert_eq!(
        (other.author.as_deref(), other.text),
        (Some("mallory"), None)
    );
    assert_eq!(other.refusal.unwrap().failure, Failure::WrongAuthor);
    let place = steps(Reply::new(200, ""), "../x").await;
    assert_eq!(
        (place.url, place.refusal.unwrap().failure),
        (None, Failure::Malformed)
    );
}

#[test]
fn the_fetcher_knows_hosts_and_no_paths() {
    assert_eq!(stories().root(), "https://stories.example");
    assert_eq!(pages().root(), "https://{identity}.pages.example");
}
