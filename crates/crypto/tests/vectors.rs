//! The vectors of `vectors/toxme.json`, made by other implementations.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a vector that cannot be read fails its test"
)]

use crypto::boxed::{self, BoxSecretKey};
use crypto::ed25519::{SigningKey, VerifyingKey, x25519_public, x25519_secret};
use crypto::secret::Secret;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

/// The cases of a topic: the word before the colon in their notes. Never none.
fn cases(topic: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../vectors/toxme.json")).unwrap();
    let wanted = format!("{topic}:");
    let of_topic: Vec<Value> = all
        .into_iter()
        .filter(|case| case["note"].as_str().unwrap().starts_with(&wanted))
        .collect();
    assert!(!of_topic.is_empty(), "no vector about {topic}");
    of_topic
}

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn base64(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn seed(case: &Value) -> Secret<[u8; 32]> {
    Secret::new(hex(&case["given"]["seed"]).try_into().unwrap())
}

fn signer(case: &Value) -> SigningKey {
    SigningKey::from_seed(&seed(case)).unwrap()
}

/// `signature || message` in base64, as libsodium's `crypto_sign` gives it.
fn signed_message(key: &SigningKey, message: &[u8]) -> String {
    let signature = key.sign(message);
    key.verifying_key()
        .verify_strict(message, &signature)
        .unwrap();
    BASE64.encode(&[signature.as_slice(), message].concat())
}

#[test]
fn ed25519_signatures() {
    for case in cases("ed25519") {
        let (key, message) = (signer(&case), hex(&case["given"]["message"]));
        let signature: [u8; 64] = hex(&case["expect"]["signature"]).try_into().unwrap();
        assert_eq!(
            key.verifying_key().as_bytes().as_slice(),
            hex(&case["expect"]["public"])
        );
        assert_eq!(key.sign(&message), signature);
        let public = VerifyingKey::from_hex(case["expect"]["public"].as_str().unwrap()).unwrap();
        assert_eq!(public.verify_strict(&message, &signature), Ok(()));
        assert!(public.verify_strict(b"else", &signature).is_err());
    }
}

#[test]
fn derived_keys() {
    for case in cases("keys") {
        let seed = seed(&case);
        let own = BoxSecretKey::from_hex(case["given"]["seed"].as_str().unwrap()).unwrap();
        let key = SigningKey::from_seed(&seed).unwrap().verifying_key();
        let expect = &case["expect"];
        assert_eq!(
            own.public().0.as_slice(),
            hex(&expect["x25519_public_of_seed_as_secret"])
        );
        assert_eq!(key.as_bytes().as_slice(), hex(&expect["ed25519_public"]));
        assert_eq!(
            x25519_public(&key).0.as_slice(),
            hex(&expect["x25519_public_of_ed25519"])
        );
        assert_eq!(x25519_secret(&seed).public(), x25519_public(&key));
    }
}

#[test]
fn signed_memorabilia() {
    for case in cases("memorabilia") {
        let memorabilia = base64(&case["given"]["memorabilia"]);
        let signed = signed_message(&signer(&case), &memorabilia);
        assert_eq!(
            signed,
            case["expect"]["signed_memorabilia"].as_str().unwrap()
        );
    }
}

#[test]
fn the_box_of_a_push() {
    for case in cases("box") {
        let (given, expect) = (&case["given"], &case["expect"]);
        let secret = |field: &str| BoxSecretKey::from_hex(given[field].as_str().unwrap()).unwrap();
        let (client, server) = (secret("client_secret"), secret("server_secret"));
        let nonce: [u8; 24] = base64(&given["nonce"]).try_into().unwrap();
        let encrypted = base64(&given["encrypted"]);
        let plaintext = expect["plaintext"].as_str().unwrap().as_bytes();

        assert_eq!(client.public().0.as_slice(), hex(&expect["client_public"]));
        let opened = boxed::open(&server, &client.public(), &nonce, &encrypted).unwrap();
        assert_eq!(opened.as_slice(), plaintext);
        let sealed = boxed::seal(&client, &server.public(), &nonce, plaintext).unwrap();
        assert_eq!(sealed, encrypted);
    }
}

#[test]
fn record_signatures() {
    for case in cases("record") {
        let name = case["given"]["name"].as_str().unwrap().as_bytes();
        let message = [name, &hex(&case["given"]["tox_id"])].concat();
        let signed = signed_message(&signer(&case), &message);
        assert_eq!(signed, case["expect"]["signed_record"].as_str().unwrap());
    }
}
