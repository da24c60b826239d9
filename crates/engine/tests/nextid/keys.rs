//! Keys, signatures and the forms they are written in.

use crypto::ed25519;
use crypto::secp256k1::{Signature, SignatureFault, personal_digest, recover};
use crypto::secret::Secret;
use data_encoding::{BASE64, HEXLOWER};
use engine::nextid::{decode_base64, encode_signature};
use engine::types::Avatar;

use crate::{entries, hex, is_signed, key_of, list, public_key, section, signing_key, text};

#[test]
fn keys() {
    let keys = section("keys", &["secp256k1", "ed25519"]);
    for case in entries(&keys["secp256k1"], 4) {
        let key = signing_key(&case["secret_key"]);
        let avatar = Avatar::from(*key.public());
        assert_eq!(avatar.to_string(), text(&case["compressed"]));
        assert_eq!(key.public().compressed()[..], hex(&case["compressed"]));
        assert_eq!(key.public().uncompressed()[..], hex(&case["uncompressed"]));
        assert_eq!(avatar.address()[..], hex(&case["eth_address"]));
        let checksum = text(&case["eth_address_checksum"]).to_lowercase();
        assert_eq!(checksum, text(&case["eth_address"]));
        let again = key_of(text(&case["label"]));
        assert_eq!(again.public(), key.public());
    }
    for case in entries(&keys["ed25519"], 2) {
        let seed = Secret::new(hex(&case["seed"]).try_into().unwrap());
        let key = ed25519::SigningKey::from_seed(&seed)
            .unwrap()
            .verifying_key();
        assert_eq!(key.as_bytes()[..], hex(&case["public_key_hex"]));
        let address = text(&case["address"]);
        assert_eq!(crypto::base58::encode(key.as_bytes()), address);
        assert_eq!(crypto::base58::decode(address), Some(*key.as_bytes()));
        assert!(text(&case["label"]).starts_with("solana-"));
    }
}

#[test]
fn eip191() {
    for case in list("eip191", 5) {
        let message = text(&case["message"]);
        assert_eq!(case["byte_length"], message.len());
        let digest = personal_digest(message.as_bytes());
        assert_eq!(digest[..], hex(&case["digest"]));
        let key = signing_key(&case["secret_key"]);
        assert_eq!(*key.public(), public_key(&case["public_key"]));
        assert_eq!(key.public().address()[..], hex(&case["address"]));
        let signature = key.sign_personal(message.as_bytes());
        let bytes = signature.as_bytes();
        assert_eq!(HEXLOWER.encode(bytes), text(&case["signature_hex"]));
        assert_eq!(encode_signature(bytes), text(&case["signature_base64"]));
        let of_wallet = text(&case["signature_base64_v27"]);
        assert_eq!(encode_signature(&signature.as_wallets_write()), of_wallet);
        let read = Signature::parse(&decode_base64(of_wallet).unwrap());
        assert_eq!(read, Ok(signature));
        assert_eq!(recover(&signature, &digest), Ok(*key.public()));
    }
}

#[test]
fn public_key_forms() {
    let forms = section(
        "public_key_forms",
        &["canonical", "accepted", "rejected", "note"],
    );
    for form in entries(&forms["accepted"], 6) {
        let avatar = Avatar::parse(text(form)).unwrap();
        assert_eq!(avatar.to_string(), text(&forms["canonical"]));
    }
    for form in entries(&forms["rejected"], 10) {
        assert_eq!(Avatar::parse(text(form)), None, "{form}");
    }
}

#[test]
fn eth_addresses() {
    for case in list("eth_addresses", 3) {
        let avatar = Avatar::parse(text(&case["public_key"])).unwrap();
        assert_eq!(avatar.address()[..], hex(&case["address"]));
        if let Some(checksum) = case["checksum"].as_str() {
            assert_eq!(checksum.to_lowercase(), text(&case["address"]));
        }
    }
}

#[test]
fn signature_forms() {
    let members = [
        "sign_payload",
        "public_key",
        "accepted",
        "accepted_by_reference",
        "rejected",
    ];
    let forms = section("signature_forms", &members);
    let (key, payload) = (
        public_key(&forms["public_key"]),
        text(&forms["sign_payload"]),
    );
    let stored = text(&forms["accepted"][0]["base64"]);
    for case in entries(&forms["accepted"], 2) {
        assert!(is_signed(&key, payload, text(&case["base64"])), "{case}");
        let read = Signature::parse(&BASE64.decode(text(&case["base64"]).as_bytes()).unwrap());
        assert_eq!(encode_signature(read.unwrap().as_bytes()), stored);
    }
    for case in entries(&forms["accepted_by_reference"], 1) {
        assert!(is_signed(&key, payload, text(&case["base64"])), "{case}");
    }
    for case in entries(&forms["rejected"], 10) {
        let signature = decode_base64(text(&case["base64"]));
        let fault = signature.as_deref().map(|it| Signature::parse(it).err());
        let expected = match text(&case["name"]) {
            "64 bytes" => Some(Some(SignatureFault::Length(64))),
            "66 bytes" => Some(Some(SignatureFault::Length(66))),
            "v=2" => Some(Some(SignatureFault::RecoveryId(2))),
            "v=29" => Some(Some(SignatureFault::RecoveryId(29))),
            "url-safe base64" | "no padding" => None,
            _ => Some(None),
        };
        assert_eq!(fault, expected, "{case}");
        assert!(!is_signed(&key, payload, text(&case["base64"])), "{case}");
    }
}
