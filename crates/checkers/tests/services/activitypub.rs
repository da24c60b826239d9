//! ActivityPub: Mastodon, Pleroma, Misskey.

use checkers::ActivityPub;
use engine::ports::checker::Failure;
use engine::ports::fetch::Upstream;
use engine::types::Domain;

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::Reply;
use crate::vectors::Claim;

const LINKS: &str = "GET activitypub@social.example /.well-known/nodeinfo";
const INFO: &str = "GET activitypub@social.example /nodeinfo/2.0";
const MASTODON: &str = "GET activitypub@social.example /api/v1/statuses/109372843234";
const OBJECT: &str = "GET activitypub@social.example /users/alice/statuses/109372843234";
const PLEROMA: &str = "GET activitypub@social.example /api/v1/statuses/AUWxIOBB4KWlDmPVaK";
const PLEROMA_OBJECT: &str =
    "GET activitypub@social.example /users/alice/statuses/AUWxIOBB4KWlDmPVaK";
const MISSKEY: &str = "POST activitypub@social.example /api/notes/show";

/// A claim on a server of this software; `asked` answers with `file`.
fn case(software: &str, asked: &'static str, id: &str, file: &str) -> Case<'static> {
    let nodeinfo = format!("activitypub/nodeinfo_{software}.json");
    let host = Domain::parse("social.example").unwrap();
    // No server of this kind shows its posts without the API, unless a test says so.
    let shut = Reply::new(401, "");
    Case {
        checker: &ActivityPub,
        claim: Claim::of("activitypub").at(id),
        replies: vec![
            (LINKS, Reply::file("activitypub/nodeinfo_links.json")),
            (INFO, Reply::file(&nodeinfo)),
            (OBJECT, shut.clone()),
            (PLEROMA_OBJECT, shut),
            (asked, Reply::file(file)),
        ],
        bases: vec![("https://social.example", Upstream::At("activitypub", host))],
        asked,
        empty: Failure::Unreachable,
    }
}

fn mastodon() -> Case<'static> {
    let file = "activitypub/mastodon_status.json";
    case("mastodon", MASTODON, "109372843234", file)
}

fn misskey() -> Case<'static> {
    let file = "activitypub/misskey_note.json";
    case("misskey", MISSKEY, "9h1m2xv3ab", file)
}

#[tokio::test]
async fn a_post_at_mastodon_shows_its_authors_avatar() {
    let found = mastodon().run().await;
    assert_eq!(found.alt_id, "1089");
    assert_eq!(found.location, "109372843234");
}

#[tokio::test]
async fn a_post_at_pleroma_shows_it() {
    let file = "activitypub/pleroma_status.json";
    let found = case("pleroma", PLEROMA, "AUWxIOBB4KWlDmPVaK", file)
        .run()
        .await;
    assert_eq!(found.alt_id, "9xO4fPzb6Qxu9kRHdY");
}

#[tokio::test]
async fn a_note_at_misskey_shows_it() {
    let found = misskey().run().await;
    assert_eq!(found.alt_id, "9h1kq0z0aa");
}

#[tokio::test]
async fn an_author_of_another_host_is_not_the_hosts_own() {
    let copied = Reply::file("activitypub/mastodon_status_of_another_host.json");
    let refusal = mastodon().refusal(copied).await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    let expected = "Username mismatch: expect @alice@social.example, got @alice@evil.example";
    assert_eq!(refusal.reason, expected);
    let copied = Reply::file("activitypub/misskey_note_of_another_host.json");
    let refusal = misskey().refusal(copied).await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(refusal.reason, expected);
}

#[tokio::test]
async fn another_persons_post_shows_nothing() {
    let other = Reply::file("activitypub/mastodon_status_of_another.json");
    let refusal = mastodon().refusal(other).await;
    let expected = "Username mismatch: expect @alice@social.example, got @mallory@social.example";
    assert_eq!(
        (refusal.failure, refusal.reason.as_str()),
        (Failure::WrongAuthor, expected)
    );
    let other = Reply::file("activitypub/misskey_note_of_another.json");
    assert_eq!(misskey().failure(other).await, Failure::WrongAuthor);
    // What somebody repeats is not what he says.
    let boost = Reply::file("activitypub/mastodon_boost.json");
    assert_eq!(mastodon().failure(boost).await, Failure::WrongAuthor);
    let renote = Reply::file("activitypub/misskey_renote.json");
    assert_eq!(misskey().failure(renote).await, Failure::TextMissing);
    let other = Reply::file("activitypub/mastodon_status.json")
        .replaced("\"id\": \"109372843234\"", "\"id\": \"1\"");
    assert_eq!(
        mastodon().failure(other).await,
        Failure::Unreachable,
        "another post"
    );
}

#[tokio::test]
async fn a_post_may_be_gone_or_say_something_else() {
    let gone = Reply::file("activitypub/mastodon_not_found.json").status(404);
    assert_eq!(mastodon().failure(gone).await, Failure::NotFound);
    let gone = Reply::file("activitypub/misskey_no_such_note.json").status(400);
    assert_eq!(misskey().failure(gone.clone()).await, Failure::NotFound);
    let hidden = gone.replaced("NO_SUCH_NOTE", "CONTENT_RESTRICTED_BY_USER");
    assert_eq!(misskey().failure(hidden.clone()).await, Failure::NotFound);
    // That the server shows notes to nobody says nothing of this one.
    let closed = hidden.replaced("_BY_USER", "_BY_SERVER");
    assert_eq!(misskey().failure(closed).await, Failure::Unreachable);
    let other = Reply::file("activitypub/mastodon_status_without_signature.json");
    assert_eq!(mastodon().failure(other).await, Failure::TextMissing);
}

#[tokio::test]
async fn a_server_that_hides_its_api_may_show_the_post() {
    let mut case = mastodon();
    let object = Reply::file("activitypub/mastodon_object.json");
    case.replies.retain(|(key, _)| *key != OBJECT);
    case.replies.push((OBJECT, object.clone()));
    let hidden = Reply::file("activitypub/mastodon_unauthorised.json").status(401);
    let found = case.with(MASTODON, hidden.clone()).await.unwrap();
    assert_eq!(
        found.signatures,
        std::slice::from_ref(&case.claim.signature)
    );
    assert_eq!(found.alt_id, "");
    // Those who may not ask are told nothing of a post that is gone, or that few may see.
    case.replies.retain(|(key, _)| *key != OBJECT);
    case.replies.push((OBJECT, Reply::new(404, "")));
    assert_eq!(case.failure(hidden.clone()).await, Failure::NotFound);
    let akkoma = Reply::file("activitypub/nodeinfo_mastodon.json");
    case.replies
        .retain(|(key, _)| ![INFO, MASTODON].contains(key));
    case.replies.push((MASTODON, hidden.clone()));
    let elsewhere = akkoma.replaced("\"mastodon\"", "\"akkoma\"");
    let refusal = case.with(INFO, elsewhere).await.unwrap_err();
    assert_eq!(refusal.failure, Failure::Unreachable);
    case.replies
        .push((INFO, Reply::file("activitypub/nodeinfo_mastodon.json")));
    for (from, to) in [
        (
            "\"attributedTo\": \"https://social.example/users/alice\"",
            "\"attributedTo\": \"https://evil.example/users/alice\"",
        ),
        (
            "\"id\": \"https://social.example/users/alice",
            "\"id\": \"https://social.example/users/mallory",
        ),
        ("\"type\": \"Note\"", "\"type\": \"Announce\""),
    ] {
        case.replies.retain(|(key, _)| *key != OBJECT);
        case.replies
            .push((OBJECT, object.clone().replaced(from, to)));
        assert_eq!(
            case.failure(hidden.clone()).await,
            Failure::Unreachable,
            "{to}"
        );
    }
}

#[tokio::test]
async fn descriptions_are_followed_on_the_same_host_only() {
    let case = mastodon();
    let good = || Reply::file("activitypub/nodeinfo_links.json");
    for href in [
        "https://evil.example/nodeinfo/2.0",
        "http://127.0.0.1:9000/nodeinfo/2.0",
        "https://social.example.evil.example/nodeinfo/2.0",
        "/nodeinfo/2.0",
    ] {
        let links = good().replaced("https://social.example/nodeinfo/2.0", href);
        let refused = case.with(LINKS, links).await;
        assert_eq!(
            refused.unwrap_err().failure,
            Failure::ForbiddenAddress,
            "{href}"
        );
    }
    for (reply, failure) in [
        (Reply::new(200, "{\"links\":[]}"), Failure::Unreachable),
        (Reply::new(200, "<html>"), Failure::Unreachable),
        (Reply::new(404, ""), Failure::Unreachable),
        (Reply::new(500, ""), Failure::Unreachable),
    ] {
        let refused = case.with(LINKS, reply).await;
        assert_eq!(refused.unwrap_err().failure, failure);
    }
}

#[tokio::test]
async fn software_is_known_by_its_name() {
    let case = mastodon();
    let good = || Reply::file("activitypub/nodeinfo_mastodon.json");
    for name in ["Akkoma", "gotosocial", "hometown"] {
        let info = good().replaced("\"mastodon\"", &format!("\"{name}\""));
        assert!(case.with(INFO, info).await.is_ok(), "{name}");
    }
    let sharkey = good().replaced("\"mastodon\"", "\"sharkey\"");
    assert!(misskey().with(INFO, sharkey).await.is_ok());
    let lemmy = Reply::file("activitypub/nodeinfo_lemmy.json");
    let refusal = case.with(INFO, lemmy).await.unwrap_err();
    assert_eq!(refusal.failure, Failure::Unreachable);
    assert_eq!(refusal.reason, "lemmy is software that cannot be asked");
}

#[tokio::test]
async fn accounts_are_user_and_host() {
    let normal = async |text| normalised(&ActivityPub, text).await;
    assert_eq!(
        normal("@alice@social.example").await.unwrap(),
        "alice@social.example"
    );
    assert_eq!(
        normal("alice@social.example@").await.unwrap(),
        "alice@social.example"
    );
    // A host is written one way; the rest stays as it is.
    for (given, is) in [
        ("Alice@Social.Example", "Alice@Social.Example"),
        ("Alice@B\u{fc}cher.example", "Alice@xn--bcher-kva.example"),
        ("\u{e4}lice@social.example", "\u{e4}lice@social.example"),
    ] {
        assert_eq!(normal(given).await.unwrap(), is);
    }
    for name in NO_NAMES {
        assert_eq!(normal(name).await, None, "{name:?}");
    }
    for name in [
        "alice",
        "alice@localhost",
        "alice@127.0.0.1",
        "alice@a.example:8443",
        "a/b@a.example",
        "a@b@c.example",
    ] {
        assert_eq!(normal(name).await, None, "{name}");
    }
    let mut case = mastodon();
    case.claim = case.claim.by("Alice@Social.Example");
    assert!(
        case.with(MASTODON, Reply::file("activitypub/mastodon_status.json"))
            .await
            .is_ok()
    );
}
