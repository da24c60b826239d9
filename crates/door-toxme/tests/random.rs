//! Whatever strangers send, the answer is one of the codes and never our failure.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testkit::ToxClient;
use tokio::runtime::{Builder, Runtime};

use crate::door::{Answered, Door, delete, push};

const CODES: [i64; 11] = [0, -3, -25, -26, -27, -29, -30, -31, -41, -42, -43];

/// A door in its own runtime, with a name in it.
struct Lab {
    runtime: Runtime,
    door: Door,
}

impl Lab {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let door = runtime.block_on(async {
            let door = Door::unlimited().await;
            door.register(&door.world.client(1), "alice", 1, "").await;
            door
        });
        Self { runtime, door }
    }

    fn code(&self, body: Vec<u8>) -> (u16, i64) {
        let answer = self.runtime.block_on(self.door.post_bytes(body));
        (answer.status, answer.code())
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2_i64..9).prop_map(Value::from),
        Just(json!(1_400_000_000)),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9A-Fa-f]{64}([0-9A-F]{12})?".prop_map(Value::from),
        "([A-Za-z0-9+/]{4}){0,20}".prop_map(Value::from),
        "[a-e@]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{1,6}", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_fields(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let field = (proptest::sample::select(names), any_value());
    proptest::collection::vec(field, 0..8).prop_map(|fields| {
        let owned = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        owned.collect()
    })
}

const OUTER: &[&str] = &[
    "name",
    "id",
    "page",
    "public_key",
    "nonce",
    "encrypted",
    "memorabilia",
    "extra",
];
const INNER: &[&str] = &[
    "tox_id",
    "name",
    "privacy",
    "bio",
    "timestamp",
    "public_key",
    "extra",
];

#[test]
fn any_bytes() {
    let lab = Lab::new();
    proptest!(|(body: Vec<u8>)| {
        prop_assert_eq!(lab.code(body), (400, -3));
    });
}

#[test]
fn any_request() {
    let lab = Lab::new();
    proptest!(|(action in 1_u8..7, fields in any_fields(OUTER))| {
        let mut body = fields;
        body.insert("action".into(), action.into());
        let (status, code) = lab.code(Value::from(body).to_string().into_bytes());
        prop_assert!(matches!((status, code), (200, 0) | (400, ..0)));
        prop_assert!(CODES.contains(&code));
    });
}

#[test]
fn any_sealed_payload() {
    let lab = Lab::new();
    let mallory = ToxClient::new(66, lab.door.world.engine.names().box_key());
    let payload = prop_oneof![
        any::<Vec<u8>>(),
        any_fields(INNER).prop_map(|fields| Value::from(fields).to_string().into_bytes()),
        any::<String>().prop_map(|name| {
            let fields = json!({
                "tox_id": ToxClient::new(66, [9; 32]).tox_id().to_string(), "name": name,
                "privacy": 1, "bio": name, "timestamp": 1_400_000_000,
            });
            fields.to_string().into_bytes()
        }),
    ];
    proptest!(|(payload in payload, deletes: bool)| {
        let sealed = mallory.seal(&payload);
        let body = if deletes { delete(&sealed) } else { push(&sealed) };
        let (status, code) = lab.code(body.to_string().into_bytes());
        prop_assert!(matches!((status, code), (200, 0) | (400, ..0)));
        prop_assert!(CODES.contains(&code));
    });
}
