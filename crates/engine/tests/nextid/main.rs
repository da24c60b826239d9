//! The vectors of `vectors/proofservice.json`, made by other implementations: every section that needs
//! nothing but bytes, and every entry of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a vector that cannot be read fails its test"
)]

mod archive;
mod keys;
mod payloads;
mod posts;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crypto::secp256k1::{PublicKey, Signature, SigningKey, personal_digest};
use data_encoding::HEXLOWER;
use serde_json::Value;

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../vectors/proofservice.json")).unwrap()
});

/// Sections of other tests: they need checkers, a chain or a door.
const ELSEWHERE: [&str; 5] = ["chain", "ethereum", "meta", "post_content", "solana"];

/// Sections of these tests.
const HERE: [&str; 19] = [
    "arweave",
    "base1024",
    "created_at_forms",
    "dns_txt",
    "eip191",
    "eth_addresses",
    "extraction",
    "json_escaping",
    "keys",
    "proof_post_signature",
    "public_key_forms",
    "real_world",
    "real_world_negative",
    "restore_pubkey",
    "sign_payloads",
    "signature_forms",
    "steam_id",
    "subkey",
    "uuid_forms",
];

#[test]
fn no_section_is_forgotten() {
    let all: BTreeSet<&str> = VECTORS
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let known = HERE.iter().chain(&ELSEWHERE).copied().collect();
    assert_eq!(all, known);
}

/// A section, whose members are all known.
fn section(name: &str, members: &[&str]) -> &'static Value {
    assert!(HERE.contains(&name) || ELSEWHERE.contains(&name), "{name}");
    let section = &VECTORS[name];
    let found: BTreeSet<&str> = section
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, members.iter().copied().collect(), "{name}");
    section
}

/// The entries of a list: so many, so that none is lost.
fn entries(list: &Value, count: usize) -> &[Value] {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), count);
    list
}

/// The entries of a section that is a list.
fn list(name: &str, count: usize) -> &'static [Value] {
    assert!(HERE.contains(&name), "{name}");
    entries(&VECTORS[name], count)
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| unreachable!("{value} is no text"))
}

fn hex(value: &Value) -> Vec<u8> {
    let text = text(value);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    HEXLOWER.decode(digits.as_bytes()).unwrap()
}

fn public_key(value: &Value) -> PublicKey {
    PublicKey::parse(&hex(value)).unwrap()
}

fn signing_key(value: &Value) -> SigningKey {
    SigningKey::from_hex(text(value)).unwrap()
}

/// The key that a vector calls by this name.
fn key_of(label: &str) -> SigningKey {
    let keys = VECTORS["keys"]["secp256k1"].as_array().unwrap();
    let key = keys.iter().find(|key| key["label"] == label).unwrap();
    signing_key(&key["secret_key"])
}

/// Whether a signature in base64 over a payload is a key's, with every step of a door between.
fn is_signed(key: &PublicKey, payload: &str, base64: &str) -> bool {
    let signature = engine::nextid::decode_base64(base64);
    let signature = signature.and_then(|bytes| Signature::parse(&bytes).ok());
    signature.is_some_and(|it| {
        key.verify(&personal_digest(payload.as_bytes()), &it)
            .is_ok()
    })
}
