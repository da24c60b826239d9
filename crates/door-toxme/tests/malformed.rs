//! Requests that made the original server fail, hang or close the connection, and their kin: each
//! gets its code, quickly, and the server goes on.

use data_encoding::{BASE64, BASE64URL};
use serde_json::{Value, json};
use testkit::ToxClient;

use crate::door::{Answered, Door, delete, lookup, push};

const ID: &str = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

const NO_REQUESTS: [&str; 39] = [
    "",
    " ",
    "null",
    "true",
    "3",
    "-0",
    "\"3\"",
    "[]",
    "[3]",
    "[{\"action\": 4}]",
    "{}",
    "{",
    "{\"action\": 4",
    "{\"action\": 4,}",
    "{'action': 4}",
    "{\"action\": 4} {}",
    "\u{feff}{\"action\": 4}",
    "{\"action\": 4, \"x\": NaN}",
    "{\"action\": 4, \"x\": Infinity}",
    "{\"action\": 4, \"x\": 1e999}",
    "{\"action\": 4, \"x\": \"\\ud800\"}",
    "{\"action\": 4, \"\\udfff\": 1}",
    "{\"action\": 4, \"x\": \"\\uZZZZ\"}",
    "{\"action\": 4, \"x\": \"\u{0}\"}",
    "{\"action\": null}",
    "{\"action\": true}",
    "{\"action\": false}",
    "{\"action\": \"4\"}",
    "{\"action\": 4.0}",
    "{\"action\": 4e0}",
    "{\"action\": 0}",
    "{\"action\": -1}",
    "{\"action\": 7}",
    "{\"action\": 18446744073709551617}",
    "{\"action\": []}",
    "{\"action\": {}}",
    "{\"Action\": 4}",
    "{\"action\": 4, \"action\": 9}",
    "a=n&n=alice",
];

#[tokio::test]
async fn what_is_no_request() {
    let door = Door::unlimited().await;
    let digits = "9".repeat(60_000);
    let bodies: Vec<Vec<u8>> = NO_REQUESTS
        .into_iter()
        .map(|body| body.as_bytes().to_vec())
        .chain([
            b"{\"action\": 4, \"x\": \"\xff\"}".to_vec(),
            b"\xff\xfe{\0}\0".to_vec(),
            format!("{{\"action\": {digits}}}").into_bytes(),
            format!("{{\"action\": 4, \"x\": {digits}}}").into_bytes(),
            "1".repeat(1_000_000).into_bytes(),
            "[".repeat(60_000).into_bytes(),
            "{\"a\":".repeat(10_000).into_bytes(),
            format!(
                "{{\"action\": 4, \"x\": {}{}}}",
                "[".repeat(64),
                "]".repeat(64)
            )
            .into_bytes(),
            [b"{\"action\": 4}".as_slice(), &[b' '; 65_536]].concat(),
        ])
        .collect();
    for body in bodies {
        let answer = door.post_bytes(body).await;
        assert_eq!((answer.status, answer.code()), (400, -3), "{}", answer.text);
        assert_eq!(answer.reply().get("signed_memorabilia"), None);
    }
    for fine in [
        "{\"action\": 9, \"action\": 4}".to_owned(),
        format!(
            " {{\"x\": {}{}, \"action\": 4}}\n",
            "[".repeat(63),
            "]".repeat(63)
        ),
        "{\"action\": 4, \"encrypted\": 7, \"name\": []}".to_owned(),
        format!("{{\"action\": 4{}}}", " ".repeat(65_536 - 13)),
    ] {
        door.post_bytes(fine).await.ok();
    }
}

#[tokio::test]
async fn fields_of_the_wrong_kind() {
    let door = Door::unlimited().await;
    let key = &ID[..64];
    for (body, code) in [
        (json!({"action": 3}), -3),
        (json!({"action": 3, "name": null}), -3),
        (json!({"action": 3, "name": 7}), -3),
        (json!({"action": 3, "name": ["alice"]}), -3),
        (lookup(""), -3),
        (lookup("@"), -3),
        (lookup("@example.test"), -3),
        (lookup("alice@"), -3),
        (lookup("a b"), -42),
        (lookup("\u{0}"), -42),
        (lookup(&"x".repeat(60_000)), -42),
        (lookup("alice@@example.test"), -42),
        (lookup("alice@127.0.0.1"), -41),
        (lookup("alice@http://127.0.0.1/"), -41),
        (json!({"action": 5}), -3),
        (json!({"action": 5, "id": null}), -3),
        (json!({"action": 5, "id": 7}), -3),
        (json!({"action": 5, "id": ""}), -3),
        (json!({"action": 5, "id": "7"}), -31),
        (json!({"action": 5, "id": ID}), -31),
        (json!({"action": 5, "id": "Z".repeat(64)}), -31),
        (json!({"action": 5, "id": "é".repeat(32)}), -31),
        (json!({"action": 5, "id": "+1".repeat(32)}), -31),
        (json!({"action": 5, "id": format!("{}\n", &key[..63])}), -31),
        (json!({"action": 5, "id": key}), -30),
        (json!({"action": 6}), -27),
        (json!({"action": 6, "name": "a"}), -27),
        (json!({"action": 6, "name": "a", "page": null}), -27),
        (json!({"action": 6, "name": "a", "page": "0"}), -27),
        (json!({"action": 6, "name": "a", "page": 0.0}), -27),
        (json!({"action": 6, "name": "a", "page": true}), -27),
        (json!({"action": 6, "name": "a", "page": -1}), -27),
        (json!({"action": 6, "name": 7, "page": -1}), -27),
        (json!({"action": 6, "page": 0}), -29),
        (json!({"action": 6, "name": null, "page": 0}), -29),
        (json!({"action": 6, "name": 7, "page": 0}), -29),
        (json!({"action": 6, "name": "", "page": 0}), -29),
        (json!({"action": 6, "name": "x".repeat(64), "page": 0}), -29),
        (json!({"action": 6, "name": "a", "page": u64::MAX}), 0),
        (json!({"action": 6, "name": "x\ny", "page": 0}), 0),
        (json!({"action": 6, "name": "é".repeat(63), "page": 0}), 0),
    ] {
        assert_eq!(door.post(&body).await.code(), code, "{body}");
    }
}

#[tokio::test]
async fn envelopes_that_cannot_be_read() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    let good = push(&alice.push("alice", 1, "", door.world.seconds()));
    let encrypted = BASE64.decode(good["encrypted"].as_str().unwrap().as_bytes());
    let encrypted = encrypted.unwrap();
    let mut tampered = encrypted.clone();
    tampered[20] ^= 1;
    for action in [1, 2] {
        for (field, bad) in [
            ("public_key", json!(null)),
            ("public_key", json!(7)),
            ("public_key", json!("")),
            ("public_key", json!(ID)),
            ("public_key", json!("Z".repeat(64))),
            ("public_key", json!("é".repeat(32))),
            ("public_key", json!("0".repeat(64))),
            ("public_key", json!(format!("01{}", "00".repeat(31)))),
            (
                "public_key",
                json!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            ),
            (
                "public_key",
                json!("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            ),
            ("nonce", json!(null)),
            ("nonce", json!(24)),
            ("nonce", json!("")),
            ("nonce", json!(BASE64.encode(&[0; 23]))),
            ("nonce", json!(BASE64.encode(&[0; 25]))),
            ("nonce", json!(BASE64.encode(&[9; 24]))),
            ("encrypted", json!(null)),
            ("encrypted", json!({})),
            ("encrypted", json!("")),
            ("encrypted", json!(BASE64.encode(&[0; 15]))),
            ("encrypted", json!(BASE64.encode(&[0; 16]))),
            ("encrypted", json!(BASE64.encode(&tampered))),
            ("encrypted", json!(BASE64URL.encode(&[0xff; 48]))),
            ("encrypted", json!("*** not base64 ***")),
        ] {
            let mut body = good.clone();
            body["action"] = action.into();
            body[field] = bad.clone();
            assert_eq!(door.post(&body).await.code(), -3, "{action} {field} {bad}");
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(door.post(&body).await.code(), -3, "{action} no {field}");
        }
    }
    let mut wrapped = good.clone();
    let text = good["encrypted"].as_str().unwrap();
    wrapped["encrypted"] = format!("{}\r\n{}\n", &text[..64], &text[64..]).into();
    wrapped["public_key"] = good["public_key"].as_str().unwrap().to_lowercase().into();
    wrapped["extra"] = json!([1]);
    door.post(&wrapped).await.ok();
}

/// A push of this client with one field of the payload replaced; `None` leaves it out.
fn push_with(client: &ToxClient, field: &str, value: Option<Value>) -> Value {
    let plain = client.push_text("alice", 1, "hi", 1_400_000_000);
    let mut payload: Value = serde_json::from_slice(&plain).unwrap();
    match value {
        Some(value) => payload[field] = value,
        None => drop(payload.as_object_mut().unwrap().remove(field)),
    }
    push(&client.seal(payload.to_string().as_bytes()))
}

#[tokio::test]
async fn sealed_payloads_that_are_none() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    let digits = format!("{{\"timestamp\": {}}}", "9".repeat(40_000));
    let deep = "[".repeat(40_000);
    for payload in [
        "",
        "{}",
        "[]",
        "null",
        "true",
        "7",
        "\"alice\"",
        "[1, 2]",
        "{\"name\": \"alice\"",
        "\u{feff}{}",
        digits.as_str(),
        deep.as_str(),
    ] {
        let sealed = alice.seal(payload.as_bytes());
        for body in [push(&sealed), delete(&sealed)] {
            assert_eq!(door.post(&body).await.code(), -3, "{payload:.40}");
        }
    }
    let sealed = alice.seal(b"{\"name\": \"\xff\"}");
    assert_eq!(door.post(&push(&sealed)).await.code(), -3);
}

#[tokio::test]
async fn push_payloads_with_a_wrong_field() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    let id = alice.tox_id().to_string();
    let wrong_checksum = format!("{}{}", &id[..72], "0000");
    for field in ["tox_id", "name", "privacy", "bio", "timestamp"] {
        for value in [None, Some(Value::Null), Some(json!([])), Some(json!({}))] {
            let body = push_with(&alice, field, value.clone());
            assert_eq!(door.post(&body).await.code(), -3, "{field} {value:?}");
        }
    }
    for (field, value, code) in [
        ("tox_id", json!(&id[..72]), -3),
        ("tox_id", json!(format!("{id}\n")), -3),
        ("tox_id", json!(wrong_checksum), -3),
        ("tox_id", json!("Z".repeat(76)), -3),
        ("tox_id", json!(7), -3),
        ("tox_id", json!(ID), -3),
        ("name", json!(7), -3),
        ("name", json!(""), -29),
        ("name", json!("x".repeat(64)), -29),
        ("name", json!("a b"), -27),
        ("name", json!("a\nb"), -27),
        ("name", json!("a\u{202e}b"), -27),
        ("name", json!("alice@example.test"), -27),
        ("name", json!("API"), -29),
        ("privacy", json!("1"), -3),
        ("privacy", json!(1.0), -3),
        ("bio", json!(7), -3),
        ("bio", json!("x".repeat(1373)), -3),
        ("timestamp", json!("1400000000"), -3),
        ("timestamp", json!(1.4e9), -3),
        ("timestamp", json!(true), -3),
        ("timestamp", json!(0), -3),
        ("timestamp", json!(-1_400_000_000_i64), -3),
        ("timestamp", json!(1_399_999_699), -3),
        ("timestamp", json!(1_400_000_301), -3),
        ("timestamp", json!(u64::MAX), -3),
        ("timestamp", json!(1_400_000_300), 0),
        ("timestamp", json!(1_399_999_700), 0),
        ("privacy", json!(true), 0),
        ("privacy", json!(-7), 0),
        ("privacy", json!(i64::MAX), 0),
        ("tox_id", json!(id.to_lowercase()), 0),
        ("bio", json!(format!(" {}\r\n ", "é".repeat(1372))), 0),
        ("extra", json!([[1], {}]), 0),
    ] {
        let body = push_with(&alice, field, Some(value.clone()));
        assert_eq!(door.post(&body).await.code(), code, "{field} {value}");
    }
}

#[tokio::test]
async fn delete_payloads_with_a_wrong_field() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    door.register(&alice, "alice", 1, "").await;
    let key = &alice.tox_id().to_string()[..64];
    for (payload, code) in [
        (json!({"timestamp": 1_400_000_000}), -3),
        (json!({"public_key": key}), -3),
        (json!({"public_key": null, "timestamp": 1_400_000_000}), -3),
        (json!({"public_key": 7, "timestamp": 1_400_000_000}), -3),
        (
            json!({"public_key": &key[..63], "timestamp": 1_400_000_000}),
            -3,
        ),
        (
            json!({"public_key": "Z".repeat(64), "timestamp": 1_400_000_000}),
            -3,
        ),
        (
            json!({"public_key": &ID[..64], "timestamp": 1_400_000_000}),
            -3,
        ),
        (json!({"public_key": key, "timestamp": "1400000000"}), -3),
        (json!({"public_key": key, "timestamp": null}), -3),
        (json!({"public_key": key, "timestamp": 1_400_000_000.0}), -3),
        (json!({"public_key": key, "timestamp": 1_400_000_301}), -3),
        (
            json!({"public_key": key.to_lowercase(), "timestamp": 1_400_000_300}),
            0,
        ),
        (json!({"public_key": key, "timestamp": 1_400_000_000}), -30),
    ] {
        let sealed = alice.seal(payload.to_string().as_bytes());
        assert_eq!(door.post(&delete(&sealed)).await.code(), code, "{payload}");
    }
}
