//! What others say our answers must be: `vectors/`.

use serde_json::Value;
use testkit::{ToxClient, World, default_settings};

use crate::door::{Answered, Door, push, request};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap()
}

fn assert_fields(reply: &Value, expect: &Value) {
    for (field, value) in expect.as_object().unwrap() {
        assert_eq!(&reply[field], value, "{field} of {reply}");
    }
}

#[tokio::test]
async fn keys() {
    let vector = read(include_str!("../vectors/pk.json"));
    let (given, expect) = (&vector["given"], &vector["expect"]);
    let door = Door::new().await;
    let answer = door
        .send(request(text(given, "method"), text(given, "path"), ""))
        .await;
    assert_eq!(answer.status, expect["status"]);
    assert_eq!(String::from_utf8_lossy(&answer.body), text(expect, "body"));
}

#[tokio::test]
async fn memorabilia() {
    let vector = read(include_str!("../vectors/memorabilia.json"));
    let (given, expect) = (&vector["given"], &vector["expect"]);
    let door = Door::new().await;
    let (method, path) = (text(given, "method"), text(given, "path"));
    let answer = door.send(request(method, path, text(given, "body"))).await;
    assert_eq!(answer.status, expect["status"]);
    assert_fields(&answer.reply(), &expect["fields"]);
}

#[tokio::test]
async fn a_push_of_another_implementation() {
    let vector = read(include_str!("../vectors/push.json"));
    let (given, expect) = (&vector["given"], &vector["expect"]);
    let door = Door::new().await;
    let (method, path) = (text(given, "method"), text(given, "path"));
    let answer = door.send(request(method, path, text(given, "body"))).await;
    assert_eq!(answer.status, expect["status"]);
    assert_fields(&answer.reply(), &expect["fields"]);
    let then = &expect["then"];
    let found = door.post_bytes(text(then, "body")).await;
    assert_fields(&found.reply(), &then["fields"]);
}

#[tokio::test]
async fn the_look_up_of_the_api_document() {
    let vector = read(include_str!("../vectors/lookup.json"));
    let (given, expect) = (&vector["given"], &vector["expect"]);
    let mut settings = default_settings();
    settings.domain = text(given, "domain").into();
    let door = Door::over(World::with(settings).await);
    let id = engine::types::ToxId::parse(text(given, "tox_id")).unwrap();
    // The profile's secret is nobody's here, but a box opens the same from both ends: the server's
    // secret seals it as well.
    let server = ToxClient::from_secret(World::record_seed(), id.key().0);
    let mut sealed = server.hand_over(&id, text(given, "name"), door.world.seconds());
    sealed.sender = id.key().0;
    door.post(&push(&sealed)).await.ok();

    let answer = door.post_bytes(text(given, "body")).await;
    assert_eq!(answer.status, expect["status"]);
    assert_eq!(String::from_utf8_lossy(&answer.body), text(expect, "body"));
}
