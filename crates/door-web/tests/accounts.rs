//! Accounts elsewhere: how they are found, and the page of the avatar that claims them.

use std::sync::Arc;
use std::time::Duration;

use engine::reconcile::Reconciler;
use engine::types::{Avatar, ClaimAction};
use testkit::{AvatarClient, FakeService, MemoryStore, World, faulty};

use crate::door::{Door, request, settings, snapshot};

const DAY: Duration = Duration::from_secs(86_400);

async fn claim(door: &Door, byte: u8, service: &FakeService, identity: &str) {
    let key = AvatarClient::new(byte);
    let create = (ClaimAction::Create, identity);
    door.world.claim(&key, service, create).await;
    door.world.sequence().await;
}

async fn give_up(door: &Door, byte: u8, service: &FakeService, identity: &str) {
    let key = AvatarClient::new(byte);
    let delete = (ClaimAction::Delete, identity);
    door.world.claim(&key, service, delete).await;
    door.world.sequence().await;
}

/// Lets days pass and has checked what is due.
async fn recheck(door: &Door, days: u32) {
    door.world.clock.advance(days * DAY);
    Reconciler::Recheck.tick(&door.world.engine).await.unwrap();
}

fn path(byte: u8) -> String {
    format!("/avatars/{}", AvatarClient::new(byte).avatar())
}

fn uncompressed(avatar: &Avatar) -> String {
    let bytes = avatar.key().uncompressed();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn pages_of_two_avatars() {
    let (door, twitter) = Door::checking().await;
    door.register(1, "alice", 2, "hello").await;
    door.world.sequence().await;
    claim(&door, 1, &twitter, "alice").await;
    claim(&door, 1, &twitter, "bob").await;
    give_up(&door, 1, &twitter, "bob").await;
    claim(&door, 2, &twitter, "malice").await;
    let own = path(1);
    for (name, path) in [
        ("home__get__proving", "/"),
        ("search__get__accounts", "/search?q=alice"),
        ("search__get__at_service", "/search?q=Twitter/alice"),
        ("search__get__no_account", "/search?q=github:alice"),
        ("search__get__neither", "/search?q=nobody"),
        ("avatars__get__page", own.as_str()),
        ("avatars__get__no_number", &format!("{own}?page=-1")),
        ("avatars__get__unknown", &path(9)),
        ("avatars__get__no_key", "/avatars/alice"),
        ("avatars__get__moved", &own.replace("0x0", "0")),
    ] {
        snapshot(name, &door.get(path).await);
    }
}

#[tokio::test]
async fn every_form_of_a_key_leads_to_its_page() {
    let (door, twitter) = Door::checking().await;
    claim(&door, 1, &twitter, "alice").await;
    let (avatar, own) = (AvatarClient::new(1).avatar(), path(1));
    let canonical = avatar.to_string();
    let long = uncompressed(&avatar);
    for form in [
        canonical[2..].to_owned(),
        canonical.to_uppercase(),
        canonical[2..].to_uppercase(),
        format!("0x{long}"),
        long,
    ] {
        let moved = door.get(&format!("/avatars/{form}")).await;
        assert_eq!(moved.status, 308, "{form}");
        assert_eq!(moved.headers["location"], own.as_str());
        let found = door.get(&format!("/search?q={form}")).await.text;
        assert!(found.contains("The avatar with this key"), "{found}");
        assert!(found.contains(&format!("href=\"{own}\"")), "{found}");
    }
    let query = format!("/search?q=nextid/{canonical}");
    assert!(door.get(&query).await.text.contains("The avatar with this"));
    let none = door.get(&format!("/search?q={}", &path(9)[9..])).await;
    assert_eq!(none.status, 200);
    assert!(none.text.contains("No such avatar"), "{}", none.text);
    // Not a point of the curve.
    let other = canonical.replace("0x0", "0x1");
    assert_eq!(door.get(&format!("/avatars/{other}")).await.status, 404);
}

#[tokio::test]
async fn a_claim_is_shown_to_hold_to_be_contradicted_or_unchecked() {
    let (door, twitter) = Door::checking().await;
    claim(&door, 1, &twitter, "alice").await;
    let pages = ["/search?q=alice".to_owned(), path(1)];
    let say = async |expected: &[&str]| {
        for path in &pages {
            let page = door.get(path).await;
            assert_eq!(page.status, 200);
            for words in expected {
                assert!(page.text.contains(words), "{path}: {words}: {}", page.text);
            }
        }
    };
    say(&["mark holds\">holds", "checked <time", "just now</time>"]).await;
    recheck(&door, 2).await;
    say(&["mark holds\">holds", "2 days ago</time>"]).await;
    twitter.set_away(true);
    recheck(&door, 2).await;
    say(&[
        "not checked lately",
        "held when last checked, <time",
        "4 days ago",
    ])
    .await;
    twitter.set_away(false);
    twitter.object("it is somebody else's");
    recheck(&door, 1).await;
    say(&[
        "mark contradicted\">contradicted",
        "Why not: <bdi>it is somebody else&#39;s",
    ])
    .await;
    twitter.set_away(true);
    recheck(&door, 4).await;
    say(&[
        "not checked lately",
        "did not hold when last checked, <time",
    ])
    .await;
}

/// Names, reasons and places that strangers choose, in every place where there is any.
#[tokio::test]
async fn what_strangers_claim_is_text() {
    let (door, twitter) = Door::checking().await;
    let hostile = "<script>alert(1)</script>\"onload='x'&amp;{{7}}\u{202e}\u{200f}";
    claim(&door, 1, &twitter, hostile).await;
    twitter.object(&format!("{hostile} said no"));
    recheck(&door, 4).await;
    for path in [
        path(1),
        "/search?q=script".to_owned(),
        "/search?q=twitter/%3Cscript%3E".to_owned(),
    ] {
        let page = door.get(&path).await;
        let body = String::from_utf8(page.body).unwrap();
        assert_eq!(page.status, 200, "{path}");
        for raw in ["<script", "onload='", "\"onload"] {
            assert!(!body.contains(raw), "{path} has {raw}: {body}");
        }
        assert!(body.contains("said no</bdi>"), "{path}: {body}");
        // Each direction mark is inside of an element that ends its effect.
        for before in body
            .split('\u{202e}')
            .take(body.matches('\u{202e}').count())
        {
            let (opened, closed) = (before.rfind("<bdi"), before.rfind("</bdi>"));
            assert!(opened > closed, "{path}: {before}");
        }
    }
}

#[tokio::test]
async fn the_longest_name_fits() {
    let (door, twitter) = Door::checking().await;
    // The service puts six letters before it for its other name.
    let long = "w".repeat(engine::limits::IDENTITY_BYTES_MAX - 6);
    claim(&door, 1, &twitter, &long).await;
    for path in [
        path(1),
        format!("/search?q={long}"),
        "/search?q=wwww".to_owned(),
    ] {
        let page = door.get(&path).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(&long), "{path}");
    }
    let longer = "w".repeat(2000);
    let page = door.get(&format!("/search?q={longer}")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Nobody found"));
}

#[tokio::test]
async fn accounts_chains_and_results_have_pages() {
    let (door, twitter) = Door::checking().await;
    for number in 0..31 {
        claim(&door, 1, &twitter, &format!("name{number:02}")).await;
        door.world.clock.advance(Duration::from_secs(1));
    }
    let own = path(1);
    let first = door.get(&own).await.text;
    assert!(
        first.contains("name30") && !first.contains(">name00</bdi></a>\n"),
        "{first}"
    );
    assert!(first.contains("?accounts=2\"") && first.contains("?page=2\""));
    assert!(first.contains("entry #1</a>") && !first.contains("rel=\"prev\""));
    let accounts = door.get(&format!("{own}?accounts=2")).await.text;
    assert!(accounts.contains("Accounts, page 2") && accounts.contains("name00"));
    assert!(!accounts.contains("entry #") && !accounts.contains("rel=\"next\""));
    let chain = door.get(&format!("{own}?page=2")).await.text;
    assert!(chain.contains("Why believe it, page 2") && chain.contains(">16</span>"));
    assert!(!chain.contains("id=\"accounts\"") && chain.contains("?page=3\">"));
    let last = door.get(&format!("{own}?page=3")).await.text;
    assert!(
        last.contains(">31</span>") && !last.contains("rel=\"next\""),
        "{last}"
    );
    for (beyond, last) in [
        ("page=99", "page=3\">"),
        ("accounts=99", "accounts=2\">"),
        ("page=18446744073709551615", "page=3\">"),
    ] {
        let page = door.get(&format!("{own}?{beyond}")).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("No more"), "{beyond}: {}", page.text);
        assert!(page.text.contains(last), "back to the last page: {beyond}");
    }

    for byte in 2..24 {
        claim(&door, byte, &twitter, &format!("other{byte}")).await;
        door.world.clock.advance(Duration::from_secs(1));
    }
    let first = door.get("/search?q=other").await.text;
    assert!(
        first.contains("/search?q=other&#38;accounts=2\""),
        "{first}"
    );
    assert!(first.contains("other23") && !first.contains(">other2<"));
    let second = door.get("/search?q=other&accounts=2").await.text;
    assert!(
        second.contains(">other2<") && second.contains("page 2"),
        "{second}"
    );
    assert!(!second.contains("rel=\"next\"") && second.contains("rel=\"prev\""));
    assert!(!second.contains("No name"), "names have pages of their own");
    let beyond = door
        .get("/search?q=other&accounts=18446744073709551615")
        .await;
    assert_eq!(beyond.status, 200);
    assert!(beyond.text.contains("No more accounts"), "{}", beyond.text);
    let bad = door.get("/search?q=other&accounts=x").await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn who_has_exactly_the_name_comes_first() {
    let (door, twitter) = Door::checking().await;
    claim(&door, 1, &twitter, "alice").await;
    for byte in 2..30 {
        door.world.clock.advance(Duration::from_secs(1));
        claim(&door, byte, &twitter, &format!("alice{byte}")).await;
    }
    let page = door.get("/search?q=Alice").await.text;
    let own = page.find(&path(1)).unwrap();
    assert!(own < page.find("More accounts with").unwrap(), "{page}");
    assert_eq!(page.matches(&path(1)).count(), 1);
    for q in ["@", "@@", "/", ":", "github/", "https://", "%20@%20"] {
        assert_eq!(door.get(&format!("/search?q={q}")).await.status, 200, "{q}");
    }
}

/// Only plain addresses of the web are linked, and without a word for the other side.
#[tokio::test]
async fn links_lead_to_the_web_only() {
    let (door, twitter) = Door::checking().await;
    for identity in [
        "alice",
        "javascript:alert(1)",
        "//evil.example/",
        "\u{202e}moc",
    ] {
        claim(&door, 1, &twitter, identity).await;
    }
    let page = door.get(&path(1)).await.text;
    let links = page.split("href=\"").skip(1);
    for link in links {
        let (address, rest) = link.split_once('"').unwrap();
        let is_own = address.starts_with('/') && !address.starts_with("//");
        let is_fragment = address.starts_with('#');
        if is_own || is_fragment {
            continue;
        }
        assert!(address.starts_with("https://twitter.com/"), "{address}");
        assert!(
            rest.starts_with(" rel=\"nofollow noopener noreferrer\""),
            "{rest}"
        );
    }
    assert!(page.contains("https://twitter.com/alice\""), "{page}");
    assert!(
        page.contains("https://twitter.com/alice/status/1\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_a_page_with_503() {
    let (twitter, clock) = (FakeService::new("twitter"), World::start_clock());
    let (store, faults) = faulty(MemoryStore::new());
    let mut engine = testkit::default_settings();
    engine.merge_delay = Duration::ZERO;
    let services = [twitter.clone()];
    let world = World::checking_over(Arc::new(store), clock, &services, engine).await;
    let door = Door::over(world, settings());
    claim(&door, 1, &twitter, "alice").await;
    for path in [path(1), "/search?q=twitter/alice".to_owned()] {
        faults.fail_reads(1);
        let page = door.get(&path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(page.text.contains("<h1>The directory is out of reach</h1>"));
        assert_eq!(door.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn accounts_of_exactly_the_name_are_found_while_the_index_is_loading() {
    let (before, twitter) = Door::checking().await;
    claim(&before, 1, &twitter, "alice").await;
    let (store, clock) = (before.world.store.clone(), before.world.clock.clone());
    let engine = World::open(store.clone(), clock.clone(), testkit::default_settings()).await;
    let engine = engine.unwrap();
    engine.load_names().await.unwrap();
    let door = Door::over(
        World {
            engine,
            clock,
            store,
        },
        settings(),
    );
    let page = door.get("/search?q=alice").await;
    snapshot("search__get__accounts_loading", &page);
    assert_eq!(page.status, 200);
    assert!(page.text.contains(&path(1)), "{}", page.text);
    assert!(page.text.contains("being read after a start"));
    let part = door.get("/search?q=lic").await;
    assert!(
        part.text.contains("being read after a start"),
        "{}",
        part.text
    );
    assert_eq!(door.get(&path(1)).await.status, 200);
}

#[tokio::test]
async fn who_reads_a_page_has_an_overdue_claim_checked_behind_the_answer() {
    let (door, twitter) = Door::checking().await;
    claim(&door, 1, &twitter, "alice").await;
    twitter.object("gone");
    door.world.clock.advance(3 * DAY + Duration::from_secs(60));
    assert!(door.get(&path(1)).await.text.contains("mark holds"));
    Reconciler::Recheck.tick(&door.world.engine).await.unwrap();
    assert!(door.get(&path(1)).await.text.contains("mark contradicted"));
}

#[tokio::test]
async fn head_and_other_methods_are_answered_as_on_other_pages() {
    let (door, twitter) = Door::checking().await;
    claim(&door, 1, &twitter, "alice").await;
    let head = request("HEAD", &path(1)).body(Vec::new()).unwrap();
    let head = door.send(head).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let post = request("POST", &path(1)).body(Vec::new()).unwrap();
    assert_eq!(door.send(post).await.status, 405);
    let page = door.get(&path(1)).await;
    assert!(page.text.contains("content=\"noindex\""));
    assert!(page.headers.contains_key("content-security-policy"));
    assert!(!page.text.contains("style=") && !page.text.contains("<script"));
}
