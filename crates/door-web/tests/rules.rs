//! What holds for every page.

use crate::door::{Door, request};

const PAGES: [&str; 9] = [
    "/",
    "/search?q=alice",
    "/u/alice",
    "/u/nobody",
    "/friends/0",
    "/barcode/alice.svg",
    "/add_ui",
    "/edit_ui?name=alice",
    "/static/style.css",
];

#[tokio::test]
async fn every_answer_is_confined_to_itself() {
    let door = Door::of_two().await;
    for path in PAGES {
        let answer = door.get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
        assert_eq!(answer.headers["referrer-policy"], "same-origin", "{path}");
    }
    let missing = request("GET", "/nowhere").header("accept", "text/html");
    let missing = door.send(missing.body(Vec::new()).unwrap()).await;
    assert!(missing.headers.contains_key("content-security-policy"));
}

/// Text of strangers in every place where there is any.
#[tokio::test]
async fn what_strangers_write_is_text() {
    let door = Door::new().await;
    let bio = r#"<script>alert(1)</script>"onload='x' &amp; {{ 7 }}"#;
    door.register(1, "<b>&x", 2, bio).await;
    door.world.sequence().await;
    let name = "%3Cb%3E%26x";
    for path in [
        format!("/u/{name}"),
        format!("/search?q={name}"),
        "/search?q=x".to_owned(),
        "/search?q=%3Cscript%3E%22%27".to_owned(),
        "/friends/0".to_owned(),
        format!("/edit_ui?name={name}"),
    ] {
        let answer = door.get(&path).await;
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        for raw in ["<script", "<b>", "onload='", "\"onload"] {
            assert!(!body.contains(raw), "{path} has {raw}: {body}");
        }
    }
    let fields = "name=%3Cb%3E+%22&tox_id=%22%3E%3Cscript%3E&bio=%3C/textarea%3E%3Cscript%3E";
    let body = String::from_utf8(door.post("/add_ui", fields).await.body).unwrap();
    assert!(!body.contains("<script") && !body.contains("<b>"), "{body}");
    assert_eq!(body.matches("</textarea>").count(), 1, "{body}");
}

#[tokio::test]
async fn no_page_names_another_host_or_has_a_script() {
    let door = Door::of_two().await;
    for path in PAGES.iter().filter(|path| !path.starts_with("/barcode")) {
        let body = String::from_utf8(door.get(path).await.body).unwrap();
        let without_own = body.replace("https://example.test", "");
        assert!(!without_own.contains("//"), "{path}: {body}");
        assert!(
            !body.contains("<script") && !body.contains("style="),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_change_shows_at_once_and_its_proof_when_it_is_logged() {
    let door = Door::of_two().await;
    let sealed = door
        .world
        .client(1)
        .push("alice", 2, "newer", door.world.seconds());
    let caller = testkit::World::caller(1);
    let names = door.world.engine.names();
    names.push(&caller, Some(sealed)).await.unwrap();
    let page = door.get("/u/alice").await.text;
    assert!(
        page.contains("newer") && page.contains("on its way into the log"),
        "{page}"
    );
    door.world.sequence().await;
    let page = door.get("/u/alice").await.text;
    assert!(
        page.contains("is link 2") && page.contains("a request sealed by the key"),
        "{page}"
    );
}

#[tokio::test]
async fn only_an_address_that_names_its_content_is_kept() {
    let door = Door::of_two().await;
    let page = door.get("/u/alice").await.text;
    for prefix in ["/barcode/", "/static/style.css", "/static/icon.svg"] {
        let from = page.find(prefix).unwrap();
        let path = page[from..].split('"').next().unwrap();
        let named = door.get(path).await;
        assert_eq!(named.headers["cache-control"], "public, max-age=86400");
        let (bare, query) = path.split_once('?').unwrap();
        for query in [
            "",
            "?link=2",
            "?link=01",
            "?v=1",
            "?link=1&x",
            &format!("?{query}&"),
        ] {
            let other = door.get(&format!("{bare}{query}")).await;
            assert_eq!(other.status, 200, "{bare}{query}");
            assert_eq!(other.headers["cache-control"], "no-cache", "{bare}{query}");
            assert_eq!(other.headers["etag"], named.headers["etag"]);
        }
        let again = request("GET", bare).header("if-none-match", &named.headers["etag"]);
        let again = door.send(again.body(Vec::new()).unwrap()).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{bare}");
    }
    // A link that is not there yet is not taken for one when it comes.
    let password = door
        .add("carol", &door.world.client(3).tox_id().to_string(), "")
        .await;
    let early = door.get("/barcode/carol.svg?link=2").await;
    assert_eq!(early.headers["cache-control"], "no-cache");
    let moved = door.world.client(4).tox_id();
    let fields = format!("name=carol&edit_action=Update&password={password}&tox_id={moved}");
    assert_eq!(door.post("/edit_ui", &fields).await.status, 303);
    let now = door.get("/barcode/carol.svg?link=2").await;
    assert_eq!(now.headers["cache-control"], "public, max-age=86400");
    assert_ne!(now.headers["etag"], early.headers["etag"]);
    let old = door.get("/barcode/carol.svg?link=1").await;
    assert_eq!(old.headers["cache-control"], "no-cache");
}

#[tokio::test]
async fn the_host_a_stranger_sends_reaches_no_command_unless_it_is_plain() {
    let mut settings = crate::door::settings();
    settings.public_url = None;
    let door = Door::over(testkit::World::new().await, settings);
    for (host, expected) in [
        (
            "names.example:8443",
            "sealbook log verify https://names.example:8443<",
        ),
        ("$(reboot)", "sealbook log verify<"),
        ("a\"><b>", "sealbook log verify<"),
    ] {
        let home = request("GET", "/")
            .header("host", host)
            .body(Vec::new())
            .unwrap();
        let page = door.send(home).await.text;
        assert!(page.contains(expected), "{host}: {page}");
    }
}

#[tokio::test]
async fn the_home_domain_is_known_in_capitals_too() {
    let door = Door::of_two().await;
    for address in [
        "alice@example.test",
        "ALICE@Example.TEST",
        "%20alice@EXAMPLE.TEST%20",
    ] {
        let form = door.get(&format!("/edit_ui?name={address}")).await;
        assert_eq!(form.status, 200, "{address}: {}", form.text);
        assert!(form.text.contains("value=\"alice\""), "{}", form.text);
        let found = door.get(&format!("/search?q={address}")).await.text;
        assert!(found.contains("Exact match"), "{address}: {found}");
    }
    let other = door.get("/edit_ui?name=alice@Example.org").await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn results_and_people_have_pages() {
    let door = Door::new().await;
    for number in 0..31_u8 {
        door.register(number + 1, &format!("name{number:02}"), 2, "")
            .await;
    }
    let first = door.get("/search?q=name").await.text;
    assert!(
        first.contains("href=\"/search?q=name&#38;page=1\""),
        "{first}"
    );
    let second = door.get("/search?q=name&page=1").await.text;
    assert!(
        second.contains("name30") && second.contains("rel=\"prev\""),
        "{second}"
    );
    let beyond = door.get("/search?q=name&page=18446744073709551615").await;
    assert_eq!(beyond.status, 200);
    assert!(!beyond.text.contains("rel=\"next\""), "{}", beyond.text);
    assert!(
        beyond.text.contains("page=999\""),
        "the last page there may be"
    );
    let first = door.get("/friends/0").await.text;
    assert!(
        first.contains("href=\"/friends/1\"") && !first.contains("rel=\"prev\""),
        "{first}"
    );
    let second = door.get("/friends/1").await.text;
    assert!(
        second.contains("href=\"/friends/0\"") && !second.contains("rel=\"next\""),
        "{second}"
    );
    assert_eq!(door.get("/friends/18446744073709551616").await.status, 404);
}

#[tokio::test]
async fn no_name_hides_a_page() {
    let door = Door::new().await;
    let tox_id = door.world.client(1).tox_id();
    let paths = door_web::ROUTES.iter().flat_map(|route| route.paths);
    for path in paths.filter(|path| path.len() > 1) {
        let segment = path.split('/').nth(1).unwrap();
        let fields = format!("name={segment}&tox_id={tox_id}&bio=");
        let answer = door.post("/add_ui", &fields).await;
        assert!(answer.text.contains("(-29)"), "{segment}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_owner_of_a_key_is_found_by_it() {
    let door = Door::of_two().await;
    let alice = door.world.client(1).tox_id().to_string();
    for q in [alice.as_str(), &alice[..64], &alice.to_lowercase()] {
        let page = door.get(&format!("/search?q={q}")).await.text;
        assert!(
            page.contains("Exact match") && page.contains("/u/alice"),
            "{page}"
        );
    }
    let bob = door.world.client(2).tox_id();
    let page = door.get(&format!("/search?q={bob}")).await.text;
    assert!(page.contains("Nobody found"), "unproven and hidden: {page}");
}
