//! Next.ID's Rust SDK talks to a server: `nextid-sdk-client URL`. Prints `ok` when all went as it should.

use std::env::args;

use nextid_sdk::proof_service::{Action, Endpoint, Platform, ProofProcedure};
use nextid_sdk::types::Error;
use nextid_sdk::util::crypto::Secp256k1KeyPair;
use nextid_sdk::util::{base64_encode, eth_address_from_public_key, hex_encode};

#[tokio::main]
async fn main() {
    let url = args().nth(1).expect("usage: nextid-sdk-client URL");
    let endpoint = Endpoint::Custom(url.trim_end_matches('/').to_owned());
    let (avatar, wallet) = (key(), key());
    let address: [u8; 20] = eth_address_from_public_key(&wallet.pk);
    let address = format!("0x{}", hex_encode(&address));
    claims_a_wallet(&endpoint, &avatar, &wallet, &address).await;
    is_found(&endpoint, &avatar, &address).await;
    is_refused_in_words(&endpoint, &avatar).await;
    gives_the_wallet_up(&endpoint, &avatar, &wallet, &address).await;
    println!("ok");
}

fn key() -> Secp256k1KeyPair {
    Secp256k1KeyPair::generate(&mut rand::rngs::OsRng)
}

/// The SDK's procedures take the key, which is not `Clone`.
fn copy(of: &Secp256k1KeyPair) -> Secp256k1KeyPair {
    Secp256k1KeyPair { pk: of.pk, sk: of.sk }
}

async fn drafted(
    endpoint: &Endpoint,
    action: Action,
    avatar: &Secp256k1KeyPair,
    platform: Platform,
    identity: &str,
) -> (ProofProcedure, String) {
    let mut procedure =
        ProofProcedure::new(endpoint.clone(), action, copy(avatar), platform, identity);
    procedure.get_payload().await.expect("a payload");
    let payload = procedure.sign_payload.clone().expect("the payload is kept");
    (procedure, payload)
}

async fn claims_a_wallet(
    endpoint: &Endpoint,
    avatar: &Secp256k1KeyPair,
    wallet: &Secp256k1KeyPair,
    address: &str,
) {
    let (mut procedure, payload) =
        drafted(endpoint, Action::Create, avatar, Platform::Ethereum, address).await;
    let by_avatar = avatar.personal_sign(&payload).expect("the avatar signs");
    let by_wallet = wallet.personal_sign(&payload).expect("the wallet signs");
    let done = procedure.submit(String::new(), Some(by_avatar.to_vec()), Some(by_wallet.to_vec()));
    done.await.expect("the wallet is claimed");
}

async fn is_found(endpoint: &Endpoint, avatar: &Secp256k1KeyPair, address: &str) {
    let found = endpoint.find_by(Platform::Ethereum, address, true).await;
    let found = found.expect("a search is answered");
    assert_eq!(found.len(), 1, "one avatar claims the wallet");
    assert_eq!(found[0].avatar, avatar.pk.serialize_compressed());
    let proof = found[0].proofs.first().expect("with one proof");
    assert_eq!(proof.identity, address);
    assert!(proof.is_valid && proof.invalid_reason.is_none());
}

async fn is_refused_in_words(endpoint: &Endpoint, avatar: &Secp256k1KeyPair) {
    let (mut procedure, payload) =
        drafted(endpoint, Action::Create, avatar, Platform::Github, "alice").await;
    let signature = avatar.personal_sign(&payload).expect("the avatar signs");
    let texts = procedure.post_content.clone().expect("texts are kept");
    let text = texts["default"].replace("%SIG_BASE64%", &base64_encode(&signature));
    assert!(text.contains("\"github_username\": \"alice\""), "{text}");
    match procedure.submit("0123456789abcdef".into(), None, None).await {
        Err(Error::ServerError(said)) => assert!(said.contains("Status: 400"), "{said}"),
        Err(other) => panic!("not the server's refusal: {other}"),
        Ok(()) => panic!("a gist that is not there was accepted"),
    }
}

async fn gives_the_wallet_up(
    endpoint: &Endpoint,
    avatar: &Secp256k1KeyPair,
    wallet: &Secp256k1KeyPair,
    address: &str,
) {
    let (mut procedure, payload) =
        drafted(endpoint, Action::Delete, avatar, Platform::Ethereum, address).await;
    let by_avatar = avatar.personal_sign(&payload).expect("the avatar signs");
    let by_wallet = wallet.personal_sign(&payload).expect("the wallet signs");
    let done = procedure.submit(String::new(), Some(by_avatar.to_vec()), Some(by_wallet.to_vec()));
    done.await.expect("the wallet is given up");
    let found = endpoint.find_by(Platform::Ethereum, address, true).await;
    assert!(found.expect("a search is answered").is_empty());
}
