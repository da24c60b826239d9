//! The forms: what they do, and what they refuse.

use http::Request;
use httpkit::log::Change;
use testkit::World;
use tower::ServiceExt as _;

use crate::door::{Door, FORM, TOKEN, connection, posted, request, settings, snapshot};

#[tokio::test]
async fn a_form_adds_a_name_or_says_why_not() {
    let door = Door::of_two().await;
    let (carol, alice) = (door.world.client(3).tox_id(), door.world.client(1).tox_id());
    let form = |name: &str, tox_id: &dyn std::fmt::Display, more: &str| {
        format!("name={name}&tox_id={tox_id}&bio=hi&{more}")
    };
    for (case, fields) in [
        ("bad_tox_id", form("carol", &"76", "")),
        (
            "bad_bio",
            form("carol", &carol, "").replace("hi", &"x".repeat(1373)),
        ),
        ("bad_box", form("carol", &carol, "privacy=perhaps")),
        (
            "bad_character",
            form("car%20ol", &carol, "privacy=on&unlisted=on"),
        ),
        ("reserved", form("postmaster", &carol, "")),
        ("key_bound_elsewhere", form("carol", &alice, "")),
        ("registered", form("%20Carol%26%3Cco%3E%20", &carol, "")),
        ("taken", form("alice", &door.world.client(4).tox_id(), "")),
        ("twice", form("dave", &carol, "name=dora")),
    ] {
        snapshot(
            &format!("add_ui__post__{case}"),
            &door.post("/add_ui", &fields).await,
        );
    }
}

#[tokio::test]
async fn who_has_a_name_already_is_told_what_to_do() {
    let door = Door::of_two().await;
    let password = door
        .add("carol", &door.world.client(3).tox_id().to_string(), "")
        .await;
    let alice = door.world.client(1).tox_id();
    let add = format!("name=dave&tox_id={alice}&bio=");
    let edit = format!("name=carol&edit_action=Update&password={password}&tox_id={alice}");
    for (path, fields) in [("/add_ui", add), ("/edit_ui", edit)] {
        let answer = door.post(path, &fields).await;
        assert_eq!(answer.status, 400, "{path}");
        for words in [
            "(-26)",
            "href=\"#tox_id\"",
            "delete it",
            "with your Tox client",
        ] {
            assert!(
                answer.text.contains(words),
                "{path}: {words}: {}",
                answer.text
            );
        }
        assert!(!answer.text.contains("alice"), "whose it is, is not told");
    }
}

#[tokio::test]
async fn a_record_is_edited_and_deleted_by_its_password() {
    let door = Door::of_two().await;
    let password = door
        .add("carol", &door.world.client(3).tox_id().to_string(), "")
        .await;
    let update = "name=carol&edit_action=Update";
    for (case, fields) in [
        (
            "wrong_password",
            format!("{update}&password=no-such-password"),
        ),
        (
            "unknown",
            "name=nobody&edit_action=Update&password=x".to_owned(),
        ),
        ("no_action", format!("name=carol&password={password}")),
        (
            "bad_tox_id",
            format!("{update}&password={password}&tox_id=76"),
        ),
        (
            "updated",
            format!(
                "{update}&password={}&bio=new&unlisted=on",
                password.to_uppercase()
            ),
        ),
    ] {
        snapshot(
            &format!("edit_ui__post__{case}"),
            &door.post("/edit_ui", &fields).await,
        );
    }
    let page = door.get("/u/carol").await.text;
    assert!(
        page.contains("new") && page.contains("search, too"),
        "{page}"
    );
    let blank = format!("{update}&password={password}&bio=+&tox_id=&privacy=on");
    assert_eq!(door.post("/edit_ui", &blank).await.status, 303);
    let page = door.get("/u/carol").await.text;
    assert!(
        page.contains("new") && page.contains("exact name"),
        "{page}"
    );

    let delete = format!("name=carol&edit_action=Delete&password={password}");
    snapshot(
        "edit_ui__post__deleted",
        &door.post("/edit_ui", &delete).await,
    );
    assert_eq!(door.get("/u/carol").await.status, 404);
}

/// What was done is told once, to the browser that did it, and by no link.
#[tokio::test]
async fn only_the_answer_to_a_form_says_that_it_was_done() {
    let door = Door::of_two().await;
    let carol = door.world.client(3).tox_id().to_string();
    let password = door.add("carol", &carol, "").await;
    for path in [
        "/?done=deleted",
        "/u/carol?done=saved",
        "/u/alice?done=saved",
    ] {
        let page = door.get(path).await.text;
        assert!(!page.contains("role=\"status\""), "{path}: {page}");
    }
    let update = format!("name=Carol&edit_action=Update&password={password}&bio=new");
    let saved = door.post("/edit_ui", &update).await;
    let set = saved.headers["set-cookie"].to_str().unwrap();
    assert_eq!(
        set,
        "__Host-done=saved.2.carol; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
    );
    let cookie = "__Host-done=saved.2.carol";
    let page = door.get_with("/u/carol", cookie).await;
    assert!(
        page.text.contains("<strong>Saved.</strong> This is"),
        "{}",
        page.text
    );
    assert!(
        page.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    // Of another name, or of a change that is not here, it says nothing, or no more than there is.
    for path in ["/u/alice", "/", "/u/nobody"] {
        let page = door.get_with(path, cookie).await;
        assert!(
            !page.text.contains("role=\"status\""),
            "{path}: {}",
            page.text
        );
        assert!(!page.headers.contains_key("set-cookie"));
    }
    let behind = door.get_with("/u/carol", "__Host-done=saved.3.carol").await;
    assert!(
        behind.text.contains("load the page again"),
        "{}",
        behind.text
    );
    assert!(
        !behind.headers.contains_key("set-cookie"),
        "the next page says it"
    );
}

#[tokio::test]
async fn a_deletion_is_told_once_and_a_refusal_says_nothing() {
    let door = Door::of_two().await;
    let carol = door.world.client(3).tox_id().to_string();
    let password = door.add("carol", &carol, "").await;
    let delete = format!("name=carol&edit_action=Delete&password={password}");
    let deleted = door.post("/edit_ui", &delete).await;
    assert!(
        deleted.headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("__Host-done=deleted;")
    );
    snapshot(
        "home__get__deleted",
        &door.get_with("/", "__Host-done=deleted").await,
    );
    assert_eq!(
        door.get_with("/u/carol", "__Host-done=deleted")
            .await
            .status,
        404
    );
    // A form that is refused says nothing.
    let refused = door.post("/edit_ui", &delete).await;
    assert_eq!(refused.status, 400);
    assert!(!refused.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_password_is_never_sent_back_and_nothing_of_it_kept() {
    let door = Door::of_two().await;
    for action in ["Update", "Delete", "Other"] {
        let fields = format!("name=alice&edit_action={action}&password=open-sesame&tox_id=1");
        let answer = door.post("/edit_ui", &fields).await;
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(
            (answer.status, body.contains("sesame")),
            (400, false),
            "{body}"
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let tox_id = door.world.client(3).tox_id();
    let fields = format!("name=carol&tox_id={tox_id}&bio=");
    let answer = door.post("/add_ui", &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("class=\"secret\""), "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn both_kinds_of_form_are_read() {
    let door = Door::new().await;
    let tox_id = door.world.client(1).tox_id().to_string();
    let part = |name: &str, value: &str| {
        format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = [
        part("csrf", TOKEN),
        part("name", "alice"),
        part("tox_id", &tox_id),
        part("bio", "one\r\ntwo"),
        "--x--\r\n".to_owned(),
    ];
    let mut request = posted("/add_ui", &body.concat());
    let kind = "multipart/form-data; boundary=x".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    assert_eq!(door.send(request).await.status, 200);
    assert!(door.get("/u/alice").await.text.contains("one two"));
}

#[tokio::test]
async fn what_is_no_form_is_a_page_that_says_so() {
    let door = Door::new().await;
    let mut json = posted("/add_ui", "{}");
    json.headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    snapshot("add_ui__post__no_form", &door.send(json).await);
    let long = "x".repeat(64 * 1024 + 1);
    for body in ["%", "a=%ff", "csrf=1&csrf=2", "a=1&a=2", &long] {
        let answer = door.send(posted("/edit_ui", body)).await;
        assert_eq!(answer.status, 400, "{body:.20}");
        assert!(answer.text.contains("(-3)"), "{}", answer.text);
    }
}

#[tokio::test]
async fn forms_of_others_are_refused_and_change_nothing() {
    let door = Door::new().await;
    let tox_id = door.world.client(1).tox_id();
    let body = format!("csrf={TOKEN}&name=alice&tox_id={tox_id}&bio=");
    let with = |name: &'static str, value: &str| {
        let mut request = posted("/add_ui", &body);
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let evil = door.send(with("sec-fetch-site", "cross-site")).await;
    snapshot("add_ui__post__cross_site", &evil);
    let without = door
        .send(posted("/add_ui", body.split_once('&').unwrap().1))
        .await;
    snapshot("add_ui__post__no_token", &without);
    for request in [
        with("origin", "https://evil.example"),
        with("origin", "null"),
        with("sec-fetch-site", "same-site"),
        with("cookie", "__Host-csrf=08080808080808080808080808080808"),
        with("cookie", &format!("csrf={TOKEN}")),
    ] {
        assert_eq!(door.send(request).await.status, 403);
    }
    assert_eq!(door.get("/u/alice").await.status, 404);
    for request in [
        with("sec-fetch-site", "same-origin"),
        with("origin", "https://example.test"),
    ] {
        let answer = door.send(request).await;
        assert_ne!(answer.status, 403, "{}", answer.text);
    }
}

/// Every form has its line in the log, whatever becomes of it, and no page has one.
#[tokio::test]
async fn every_form_is_marked_as_a_change_and_nothing_else_is() {
    let door = Door::of_two().await;
    let is_marked = async |request: Request<Vec<u8>>| {
        let request = request.map(axum::body::Body::from);
        let answer = door.router.clone().oneshot(request).await.unwrap();
        let is_marked = answer.extensions().get::<Change>().is_some();
        (answer.status().as_u16(), is_marked)
    };
    let form = |fields: &str| posted("/add_ui", &format!("csrf={TOKEN}&{fields}"));
    let carol = door.world.client(3).tox_id();
    let mut json = posted("/add_ui", "{}");
    let kind = "application/json".parse().unwrap();
    json.headers_mut().insert("content-type", kind);
    let mut plain = form("name=carol");
    let insecure = connection("203.0.113.7:4000", false);
    plain.extensions_mut().insert(insecure);
    let other = format!("csrf={TOKEN}&name=carol&password=x&edit_action=Update");
    for (request, status) in [
        (form(&format!("name=carol&tox_id={carol}&bio=")), 200),
        (form("name=carol&tox_id=76&bio="), 400),
        (posted("/edit_ui", &other), 400),
        (posted("/add_ui", "name=carol"), 403),
        (posted("/edit_ui", "a=1&a=2"), 400),
        (posted("/edit_ui", &"x".repeat(64 * 1024 + 1)), 400),
        (json, 400),
        (plain, 400),
    ] {
        let path = request.uri().clone();
        assert_eq!(is_marked(request).await, (status, true), "{path}");
    }
    for (path, status) in [
        ("/add_ui", 200),
        ("/edit_ui?name=alice", 200),
        ("/u/x", 404),
    ] {
        let request = request("GET", path).body(Vec::new()).unwrap();
        assert_eq!(is_marked(request).await, (status, false), "{path}");
    }
}

#[tokio::test]
async fn the_cookie_fits_the_scheme_and_stays() {
    let door = Door::over(World::new().await, settings());
    let first = door.get("/add_ui").await;
    assert_eq!(
        first.headers["set-cookie"],
        format!("__Host-csrf={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    assert!(
        first
            .text
            .contains(&format!("name=\"csrf\" value=\"{TOKEN}\""))
    );
    let kept = "0123456789abcdef0123456789abcdef";
    let again = request("GET", "/edit_ui?name=").header("cookie", format!("__Host-csrf={kept}"));
    let again = door.send(again.body(Vec::new()).unwrap()).await;
    assert!(!again.headers.contains_key("set-cookie"));

    let mut open = settings();
    open.require_secure = false;
    let door = Door::over(World::new().await, open);
    let plain: Request<Vec<u8>> = Request::builder()
        .uri("/add_ui")
        .extension(connection("203.0.113.7:4000", false))
        .body(Vec::new())
        .unwrap();
    let plain = door.send(plain).await;
    let expected = format!("csrf={TOKEN}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(plain.headers["set-cookie"], expected);
}

#[tokio::test]
async fn attempts_are_limited_with_a_page_that_says_for_how_long() {
    let door = Door::over(World::new().await, settings());
    for _ in 0..13 {
        let answer = door.post("/add_ui", "name=&tox_id=&bio=").await;
        assert_eq!(answer.status, 400);
    }
    let refused = door.post("/add_ui", "name=&tox_id=&bio=").await;
    snapshot("add_ui__post__limited", &refused);
    let refused = door
        .post("/edit_ui", "name=a&password=b&edit_action=Delete")
        .await;
    snapshot("edit_ui__post__limited", &refused);
    assert_eq!(refused.status, 429);
    let forged = request("POST", "/add_ui").header("content-type", FORM);
    let forged = door.send(forged.body(Vec::new()).unwrap()).await;
    assert_eq!(forged.status, 403, "a forged form is no attempt");
}
