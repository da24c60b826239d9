//! Keybase and web sites: a file named after the avatar's key.

use checkers::{ActivityPub, Https, Keybase};
use engine::ports::checker::{ClaimChecker, Failure};

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::Reply;
use crate::vectors::Claim;

const KEYBASE: &str = "GET keybase_pub~nykma /NextID/0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24.json";
const HTTPS: &str = "GET https@testcase.example.com /.well-known/nextid/0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24.json";

fn keybase() -> Case<'static> {
    Case {
        checker: &Keybase,
        claim: Claim::of("keybase"),
        replies: vec![(KEYBASE, Reply::file("keybase/proof.json"))],
        bases: Vec::new(),
        asked: KEYBASE,
        empty: Failure::TextMissing,
    }
}

fn https() -> Case<'static> {
    Case {
        checker: &Https,
        // The vectors have no web site; who signed what is not looked at here.
        claim: Claim::of("dns"),
        replies: vec![(HTTPS, Reply::file("https/proof.json"))],
        bases: Vec::new(),
        asked: HTTPS,
        empty: Failure::TextMissing,
    }
}

#[tokio::test]
async fn a_file_at_keybase_shows_the_accounts_avatar() {
    let found = keybase().run().await;
    assert_eq!(found.alt_id, "nykma");
    let path = KEYBASE.rsplit(' ').next().unwrap();
    assert_eq!(found.location, format!("https://nykma.keybase.pub{path}"));
}

#[tokio::test]
async fn a_file_at_a_web_site_shows_the_sites_avatar() {
    let found = https().run().await;
    assert_eq!(found.alt_id, "testcase.example.com");
    let path = HTTPS.rsplit(' ').next().unwrap();
    assert_eq!(
        found.location,
        format!("https://testcase.example.com{path}")
    );
}

#[tokio::test]
async fn a_site_is_asked_by_its_ascii_form_and_found_in_unicode() {
    let asked = HTTPS.replace("testcase.example.com", "xn--bcher-kva.example");
    let case = Case {
        claim: Claim {
            identity: "xn--bcher-kva.example".into(),
            ..Claim::of("dns")
        },
        ..https()
    };
    let found = case.with(&asked, Reply::file("https/proof.json")).await;
    let found = found.unwrap();
    assert_eq!(found.alt_id, "bücher.example");
    let location = "https://xn--bcher-kva.example/.well-known/nextid/";
    assert!(found.location.starts_with(location), "{}", found.location);
}

#[tokio::test]
async fn a_page_where_the_file_should_be_is_told_from_what_cannot_be_read() {
    let case = https();
    let html = "text/html; charset=utf-8";
    for (reply, failure) in [
        // One page for all addresses, and a site that is being mended.
        (
            Reply::file("https/single_page_app.html").header("content-type", html),
            Failure::PageInstead,
        ),
        (
            Reply::file("https/maintenance.html").header("content-type", "Text/HTML"),
            Failure::PageInstead,
        ),
        // Whatever type it says to be of.
        (
            Reply::file("https/single_page_app.html").header("content-type", "application/json"),
            Failure::PageInstead,
        ),
        (
            Reply::new(200, "\u{feff}\r\n <HTML lang=en>"),
            Failure::PageInstead,
        ),
        (
            Reply::new(200, "<?xml version=\"1.0\"?><html/>")
                .header("content-type", "application/xhtml+xml"),
            Failure::PageInstead,
        ),
        (
            Reply::new(200, "Not Found").header("content-type", html),
            Failure::PageInstead,
        ),
        // The status says more than the page.
        (
            Reply::file("https/single_page_app.html").status(404),
            Failure::NotFound,
        ),
        (
            Reply::file("https/maintenance.html").status(503),
            Failure::Unreachable,
        ),
        // What is no page is not read as one.
        (Reply::new(200, "Not Found"), Failure::Unreachable),
        (
            Reply::new(200, "<htm").header("content-type", "text/plain"),
            Failure::Unreachable,
        ),
        (Reply::new(200, "<svg/>"), Failure::Unreachable),
        (
            Reply::new(200, "{}").header("content-type", html),
            Failure::TextMissing,
        ),
    ] {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(case.failure(reply).await, failure, "{text}");
    }
    let refusal = case
        .refusal(Reply::file("https/single_page_app.html"))
        .await;
    assert_eq!(
        refusal.reason,
        format!(
            "{} not found: testcase.example.com answers with a web page",
            HTTPS.rsplit('/').next().unwrap()
        )
    );
    // A file is a file, even of the wrong type.
    let file = Reply::file("https/proof.json").header("content-type", html);
    assert!(case.with(HTTPS, file).await.is_ok());
}

#[tokio::test]
async fn a_file_of_another_avatar_shows_nothing() {
    for (case, file) in [
        (keybase(), "keybase/proof.json"),
        (https(), "https/proof.json"),
    ] {
        let good = || Reply::file(file);
        let key = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
        let other = "0x039dec6131b0f3f0b8dccf7d0b83e8696f24eb9e00e929561a48af057aa9ba9c21";
        let refusal = case.refusal(good().replaced(key, other)).await;
        assert_eq!(refusal.failure, Failure::BadSignature);
        assert_eq!(refusal.reason, "Persona mismatch");
        // The key in its other forms.
        let upper = key.to_uppercase();
        let found = case
            .with(
                case.asked,
                good().replaced(key, upper.trim_start_matches("0X")),
            )
            .await;
        assert_eq!(
            found.unwrap().signatures,
            std::slice::from_ref(&case.claim.signature)
        );
        let unsigned = good().replaced("\"signature\"", "\"no\"");
        assert_eq!(case.failure(unsigned).await, Failure::TextMissing);
        let blank = Reply::new(200, "{\"signature\": \"\"}");
        assert_eq!(case.failure(blank).await, Failure::TextMissing);
        let damaged = good().replaced("\"signature\": \"", "\"signature\": \"*");
        assert_eq!(case.failure(damaged).await, Failure::BadSignature);
    }
}

#[test]
fn hosts_that_people_name_are_asked_each_for_itself() {
    for (checker, user) in [(&Https as &dyn ClaimChecker, ""), (&ActivityPub, "alice@")] {
        let at = |host: &str| checker.upstream(&format!("{user}{host}"));
        assert_ne!(at("a.example"), at("b.example"));
        assert_eq!(at("B\u{fc}cher.example"), at("xn--bcher-kva.example"));
        assert_eq!(at("what is no host"), checker.service());
    }
    assert_eq!(
        ActivityPub.upstream("bob@a.example"),
        "activitypub@a.example"
    );
    assert_eq!(Keybase.upstream("alice"), "keybase");
}

#[tokio::test]
async fn names_are_folded() {
    assert_eq!(normalised(&Keybase, "NYKma").await.unwrap(), "nykma");
    for (name, normal) in [
        ("Names.Example", "names.example"),
        ("names.example.", "names.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.EXAMPLE", "xn--bcher-kva.example"),
    ] {
        assert_eq!(normalised(&Https, name).await.as_deref(), Some(normal));
    }
    for name in NO_NAMES {
        assert_eq!(normalised(&Keybase, name).await, None, "{name:?}");
        assert_eq!(normalised(&Https, name).await, None, "{name:?}");
    }
    for host in ["localhost", "127.0.0.1", "a.example:8443", "a@b.example"] {
        assert_eq!(normalised(&Https, host).await, None, "{host}");
    }
}
