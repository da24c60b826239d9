//! `POST /api`: one exchange for each thing a client may be told, letter for letter.

use engine::ports::remote_names::RemoteFault;
use serde_json::{Value, json};
use testkit::{FakeNames, World, default_settings};

use crate::door::{Door, MEMORABILIA, connection, delete, lookup, push, request, reset, snapshot};
use crate::store::{Failure, Switch, UnreachableSigner};

fn with_memorabilia(mut body: Value) -> Value {
    body["memorabilia"] = MEMORABILIA.into();
    body
}

#[tokio::test]
async fn push_registers_updates_and_refuses() {
    let door = Door::unlimited().await;
    let (world, now) = (&door.world, door.world.seconds());
    let (alice, bob) = (world.client(1), world.client(2));
    for (case, body) in [
        (
            "registered",
            with_memorabilia(push(&alice.push("Alice", 2, "hi", now))),
        ),
        ("updated", push(&alice.push("alice", 1, "hello", now))),
        (
            "taken",
            with_memorabilia(push(&bob.push("alice", 0, "", now))),
        ),
        (
            "key_bound_elsewhere",
            push(&alice.push("alice2", 0, "", now)),
        ),
        (
            "forbidden_character",
            push(&bob.push("b@example.test", 0, "", now)),
        ),
        ("name_empty", push(&bob.push("", 0, "", now))),
        ("name_reserved", push(&bob.push("postmaster", 0, "", now))),
        ("too_old", push(&bob.push("bob", 0, "", now - 301))),
        (
            "for_another_server",
            push(&testkit::ToxClient::new(2, [9; 32]).push("bob", 0, "", now)),
        ),
        (
            "unreadable",
            with_memorabilia(json!({"action": 1, "public_key": "zz"})),
        ),
    ] {
        snapshot(&format!("api__push__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn push_is_limited() {
    let door = Door::new().await;
    for _ in 0..13 {
        door.post(&json!({"action": 1})).await;
    }
    let refused = door.post(&with_memorabilia(json!({"action": 1}))).await;
    snapshot("api__push__limited", &refused);
}

#[tokio::test]
async fn delete_releases_and_refuses() {
    let door = Door::new().await;
    let (world, now) = (&door.world, door.world.seconds());
    let (alice, bob) = (world.client(1), world.client(2));
    door.register(&alice, "alice", 1, "").await;
    let for_alice = json!({
        "public_key": &alice.tox_id().to_string()[..64], "timestamp": now,
    });
    for (case, body) in [
        (
            "another_s_key",
            delete(&bob.seal(for_alice.to_string().as_bytes())),
        ),
        ("unknown_key", delete(&bob.delete(now))),
        (
            "released",
            with_memorabilia(delete(&alice.seal(for_alice.to_string().as_bytes()))),
        ),
        ("unreadable", json!({"action": 2, "encrypted": null})),
    ] {
        snapshot(&format!("api__delete__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn reset_answers_a_password_and_refuses() {
    let door = Door::unlimited().await;
    let (world, now) = (&door.world, door.world.seconds());
    let (alice, bob) = (world.client(1), world.client(2));
    door.register(&alice, "alice", 1, "").await;
    let order = |action: u8| {
        let key = &alice.tox_id().to_string()[..64];
        json!({"public_key": key, "timestamp": now, "action": action}).to_string()
    };
    let sealed = alice.delete(now);
    for (case, body) in [
        ("done", with_memorabilia(reset(&sealed))),
        ("replayed", with_memorabilia(reset(&sealed))),
        ("too_old", reset(&alice.delete(now - 301))),
        ("another_s_key", reset(&bob.seal(order(7).as_bytes()))),
        (
            "sealed_for_another_action",
            reset(&alice.seal(order(2).as_bytes())),
        ),
        ("unknown_key", reset(&bob.delete(now))),
        ("unreadable", json!({"action": 7, "nonce": 24})),
    ] {
        snapshot(&format!("api__reset__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn reset_is_limited() {
    let door = Door::new().await;
    for _ in 0..13 {
        door.post(&json!({"action": 1})).await;
    }
    let refused = door.post(&json!({"action": 7})).await;
    snapshot("api__reset__limited", &refused);
}

#[tokio::test]
async fn a_name_added_by_form_is_answered_as_what_it_is() {
    let door = Door::new().await;
    let alice = door.world.client(1);
    let tox_id = alice.tox_id().to_string();
    door.world.add_by_form("alice", &tox_id).await;
    let key = alice.tox_id().to_string()[..64].to_owned();
    let now = door.world.seconds();
    for (case, body) in [
        ("lookup__unproven", lookup("alice")),
        ("reverse__unproven", json!({"action": 5, "id": key})),
        ("push__proven", push(&alice.push("alice", 2, "", now))),
        ("lookup__proven", lookup("alice")),
    ] {
        snapshot(&format!("api__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn lookup_finds_and_refuses() {
    let door = Door::new().await;
    door.register(&door.world.client(1), "zo\u{eb}<b>", 0, "")
        .await;
    for (case, body) in [
        ("found", lookup("zo\u{eb}<b>")),
        (
            "found_with_domain",
            with_memorabilia(lookup("ZOE\u{308}<b>@Example.test")),
        ),
        ("unknown", with_memorabilia(lookup("bob"))),
        ("elsewhere", lookup("bob@example.org")),
        ("half_an_address", lookup("bob@")),
        ("no_name", json!({"action": 3})),
    ] {
        snapshot(&format!("api__lookup__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn lookup_asks_other_domains() {
    let fake = FakeNames::new();
    let door = Door::over(World::asking(fake.clone(), default_settings()).await);
    let id = door.world.client(1).tox_id();
    for (name, answer) in [
        ("zo\u{eb}", Ok(Some(id))),
        ("private", Err(RemoteFault::Forbidden)),
        ("away", Err(RemoteFault::Unreachable)),
        ("mad", Err(RemoteFault::Nonsense)),
        ("crowd", Err(RemoteFault::Busy)),
        ("broken", Err(RemoteFault::Ours("nobody is there to ask"))),
    ] {
        fake.tell(&format!("{name}@xn--bcher-kva.example"), answer);
    }
    for (case, name) in [
        (
            "remote_found",
            with_memorabilia(lookup("ZOE\u{308}@b\u{fc}cher.Example")),
        ),
        ("remote_unknown", lookup("bob@b\u{fc}cher.example")),
        ("remote_no_domain", lookup("bob@192.0.2.1")),
        ("remote_private", lookup("private@b\u{fc}cher.example")),
        (
            "remote_away",
            with_memorabilia(lookup("away@b\u{fc}cher.example")),
        ),
        ("remote_nonsense", lookup("mad@b\u{fc}cher.example")),
        ("remote_busy", lookup("crowd@b\u{fc}cher.example")),
        ("remote_our_fault", lookup("broken@b\u{fc}cher.example")),
    ] {
        snapshot(&format!("api__lookup__{case}"), &door.post(&name).await);
    }
    for number in fake.asked().len()..60 {
        door.post(&lookup(&format!("n{number}@b.example"))).await;
    }
    let limited = door.post(&lookup("bob@b.example")).await;
    snapshot("api__lookup__remote_limited", &limited);
}

#[tokio::test]
async fn status_says_how_it_goes() {
    let door = Door::new().await;
    door.world
        .clock
        .advance(std::time::Duration::from_secs(3600));
    let body = with_memorabilia(json!({"action": 4}));
    snapshot("api__status__ok", &door.post(&body).await);
}

#[tokio::test]
async fn reverse_finds_and_refuses() {
    let door = Door::new().await;
    door.register(&door.world.client(1), "alice", 1, "").await;
    door.register(&door.world.client(2), "bob", 0, "").await;
    let key = |byte| door.world.client(byte).tox_id().to_string()[..64].to_owned();
    for (case, id) in [
        ("found", json!(key(1).to_lowercase())),
        ("private", json!(key(2))),
        ("unknown", json!(key(3))),
        ("tox_id", json!(door.world.client(1).tox_id().to_string())),
        ("empty", json!("")),
    ] {
        let body = json!({"action": 5, "id": id});
        snapshot(&format!("api__reverse__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn search_finds_and_refuses() {
    let door = Door::new().await;
    door.register(&door.world.client(1), "alice", 1, "5 o'clock </b> 😀")
        .await;
    door.register(&door.world.client(2), "malice", 2, "").await;
    door.register(&door.world.client(3), "alicea", 0, "hidden")
        .await;
    for (case, name, page) in [
        ("found", json!("ALICE"), json!(0)),
        ("past_the_end", json!("alice"), json!(1)),
        ("nothing", json!("carol"), json!(0)),
        ("bad_page", json!(""), json!(-1)),
        ("bad_name", json!(""), json!(0)),
    ] {
        let body = json!({"action": 6, "name": name, "page": page});
        snapshot(&format!("api__search__{case}"), &door.post(&body).await);
    }
}

#[tokio::test]
async fn search_waits_for_the_index() {
    let mut world = World::new().await;
    world.engine = World::open(world.store.clone(), world.clock.clone(), default_settings())
        .await
        .unwrap();
    let door = Door::over(world);
    let body = with_memorabilia(json!({"action": 6, "name": "a", "page": 0}));
    snapshot("api__search__loading", &door.post(&body).await);
}

#[tokio::test]
async fn a_request_that_is_none_is_told_why() {
    let door = Door::new().await;
    let too_deep = "[".repeat(65);
    let too_long = " ".repeat(64 * 1024 + 1);
    for (case, body) in [
        (
            "unknown_action",
            format!(r#"{{"action": 8, "memorabilia": "{MEMORABILIA}"}}"#),
        ),
        ("not_json", "action=3&name=alice".to_owned()),
        ("not_an_object", "[3]".to_owned()),
        ("too_deep", too_deep),
    ] {
        let answer = door.post_bytes(body).await;
        snapshot(&format!("api__post__{case}"), &answer);
    }
    let mut answer = door.post_bytes(too_long.as_str()).await;
    answer.text = answer.text.replace(&too_long, "(65,537 blanks)");
    snapshot("api__post__too_long", &answer);
}

#[tokio::test]
async fn other_methods_and_insecure_requests_are_refused() {
    let door = Door::new().await;
    let wrong = door.send(request("GET", "/api", "")).await;
    snapshot("api__get__wrong_method", &wrong);
    let wrong = door.send(request("GET", "/", "")).await;
    snapshot("root__get__wrong_method", &wrong);
    for method in ["POST", "GET"] {
        let mut plain = request(method, "/api", r#"{"action": 4}"#);
        plain
            .extensions_mut()
            .insert(connection("203.0.113.7:4000", false));
        let name = format!("api__{}__insecure", method.to_lowercase());
        snapshot(&name, &door.send(plain).await);
    }
}

#[tokio::test]
async fn our_own_failures_are_not_explained() {
    let (failing, switch) = Switch::store().await;
    let door = Door::over(World::over(failing, default_settings()).await);
    let sealed = door
        .world
        .client(1)
        .push("alice", 1, "", door.world.seconds());
    switch.fail(Failure::Away);
    let body = with_memorabilia(push(&sealed));
    snapshot("api__push__store_away", &door.post(&body).await);
    switch.fail(Failure::Damaged);
    snapshot(
        "api__lookup__store_damaged",
        &door.post(&lookup("bob")).await,
    );
    let door = Door::over(UnreachableSigner::world().await);
    let body = with_memorabilia(lookup("bob"));
    snapshot("api__lookup__signer_away", &door.post(&body).await);
}
