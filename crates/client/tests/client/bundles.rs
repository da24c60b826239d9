//! Bundles, whole and broken.

use client::bundle::{NameBundle, Status, VerifyError};
use client::checkpoint::CheckpointError;
use client::link::{Evidence, Visibility};
use merkle::note::{KeyName, NoteError, VerifierKey};
use serde_json::{Value, json};

use crate::server::{Server, profile};

/// The JSON form, as the door sends it.
async fn raw(server: &Server, name: &str) -> Vec<u8> {
    let url = format!("{}/log/names/{name}", server.address);
    let client = reqwest::Client::builder().build().unwrap();
    let response = client.get(url).send().await.unwrap();
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn every_status_is_proven_in_both_forms() {
    let server = Server::with_three_names().await;
    let (log, key) = (server.log(), server.log().key().await.unwrap());
    for (name, links) in [("ALICE", 1), ("bob", 1), ("carol", 2), ("nobody", 0)] {
        let bundle = log.name_bundle(name).await.unwrap();
        let verified = bundle.verify(name, &key).unwrap();
        let file = log.proof_file(name).await.unwrap();
        let from_file = NameBundle::parse(&file).unwrap().verify(name, &key);
        assert_eq!(from_file.as_ref(), Ok(&verified));
        assert_eq!(bundle.claimed_key(), Some(&key));
        assert_eq!(verified.checkpoint.origin, "example.test/log");
        match verified.status {
            Status::Registered(found) => {
                let byte = if name == "bob" { 2 } else { 1 };
                assert_eq!(found.tox_id, profile(byte).tox_id());
                assert_eq!(found.bio_hash.0, crypto::token::sha256(b"hello"));
                let private = found.visibility == Visibility::Private;
                assert_eq!((found.seqno, private), (links, name == "bob"));
                assert!(matches!(found.evidence, Evidence::Boxed(Some(_))));
            }
            Status::Released { seqno } => assert_eq!((name, seqno), ("carol", links)),
            Status::Absent => assert_eq!((name, 0), ("nobody", links)),
            Status::Withheld { .. } => panic!("nothing was erased"),
        }
    }
}

#[tokio::test]
async fn whether_a_record_is_proven_is_proven() {
    let server = Server::start().await;
    let (log, key) = (server.log(), server.log().key().await.unwrap());
    let registered = async || {
        server.world.sequence().await;
        let bundle = log.name_bundle("alice").await.unwrap();
        match bundle.verify("alice", &key).unwrap().status {
            Status::Registered(registered) => registered,
            Status::Released { .. } | Status::Absent | Status::Withheld { .. } => {
                panic!("alice is registered")
            }
        }
    };
    let tox_id = profile(1).tox_id().to_string();
    server.world.add_by_form("alice", &tox_id).await;
    let found = registered().await;
    assert_eq!(
        (found.is_proven, found.evidence),
        (false, Evidence::Unproven)
    );
    let toxme = server.toxme();
    assert!(!toxme.lookup("alice").await.unwrap().is_vouched_for);
    let (keys, alice) = (toxme.server_keys().await.unwrap(), profile(1));
    let reset = toxme.reset_password(&keys, &alice, server.fresh(1)).await;
    reset.unwrap();
    let found = registered().await;
    assert!(found.is_proven && matches!(found.evidence, Evidence::Boxed(Some(_))));
    assert!(toxme.lookup("alice").await.unwrap().is_vouched_for);
}

#[tokio::test]
async fn a_bundle_is_of_one_name_and_one_key() {
    let server = Server::with_three_names().await;
    let (log, key) = (server.log(), server.log().key().await.unwrap());
    let alice = log.name_bundle("alice").await.unwrap();
    assert_eq!(alice.verify("bob", &key), Err(VerifyError::OtherSubject));
    let file = log.proof_file("alice").await.unwrap();
    let file = NameBundle::parse(&file).unwrap();
    for other in ["bob", "nobody"] {
        let error = file.verify(other, &key).unwrap_err();
        assert!(matches!(error, VerifyError::Map(_)), "{error:?}");
    }
    let other = VerifierKey::ed25519(key.name().clone(), &[1; 32]);
    assert_eq!(alice.verify("alice", &other), Err(VerifyError::OtherKey));
    let unsigned = VerifyError::Checkpoint(CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(file.verify("alice", &other), Err(unsigned.clone()));
    let public: [u8; 32] = key.public().try_into().unwrap();
    let name = KeyName::parse("other.test/log").unwrap();
    let renamed = VerifierKey::ed25519(name, &public);
    assert_eq!(file.verify("alice", &renamed), Err(unsigned));
}

#[tokio::test]
async fn names_are_compared_as_the_directory_compares_them() {
    let server = Server::start().await;
    server.push(1, "ZOE\u{308}", Visibility::Searchable).await;
    server.push(2, "\u{130}x", Visibility::Searchable).await;
    let (log, key) = (server.log(), server.log().key().await.unwrap());
    for (spelling, byte) in [("Zo\u{eb}", 1), ("zoe\u{308}", 1), ("i\u{307}X", 2)] {
        let bundle = log.name_bundle(spelling).await.unwrap();
        let verified = bundle.verify(spelling, &key).unwrap();
        let Status::Registered(found) = verified.status else {
            panic!("{spelling} is registered");
        };
        assert_eq!(found.tox_id, profile(byte).tox_id());
    }
}

#[tokio::test]
async fn no_byte_of_a_proof_file_can_change() {
    let server = Server::with_three_names().await;
    let (log, key) = (server.log(), server.log().key().await.unwrap());
    for name in ["alice", "nobody"] {
        let file = log.proof_file(name).await.unwrap();
        NameBundle::parse(&file)
            .unwrap()
            .verify(name, &key)
            .unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let verified = NameBundle::parse(&changed).map(|bundle| bundle.verify(name, &key));
            assert!(!matches!(verified, Ok(Ok(_))), "{name}: byte {at}");
        }
        for cut in 0..file.len() {
            assert!(
                NameBundle::parse(&file[..cut]).is_err(),
                "{name}: {cut} bytes"
            );
        }
    }
}

#[tokio::test]
async fn no_byte_of_the_json_form_can_change_what_is_proven() {
    let server = Server::with_three_names().await;
    let key = server.log().key().await.unwrap();
    for name in ["alice", "nobody"] {
        let body = raw(&server, name).await;
        let good = NameBundle::parse(&body)
            .unwrap()
            .verify(name, &key)
            .unwrap();
        let mut passed = 0;
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            if let Ok(Ok(verified)) =
                NameBundle::parse(&changed).map(|bundle| bundle.verify(name, &key))
            {
                assert_eq!(verified, good, "{name}: byte {at}");
                passed += 1;
            }
        }
        // The record for people and the index of the link are all that may change unseen.
        assert!(passed < 400, "{name}: {passed} changes were not noticed");
    }
}

#[tokio::test]
async fn each_part_of_the_json_form_is_checked() {
    let server = Server::with_three_names().await;
    let key = server.log().key().await.unwrap();
    let alice: Value = serde_json::from_slice(&raw(&server, "alice").await).unwrap();
    let bob: Value = serde_json::from_slice(&raw(&server, "bob").await).unwrap();
    let verify = |bundle: &Value| {
        let bundle = NameBundle::parse(bundle.to_string().as_bytes()).unwrap();
        bundle.verify("alice", &key)
    };
    let with = |path: &str, value: Value| {
        let mut bundle = alice.clone();
        *bundle.pointer_mut(path).unwrap() = value;
        bundle
    };
    for (path, error) in [
        ("/name", VerifyError::OtherSubject),
        ("/label", VerifyError::OtherSubject),
        ("/present/commitment", VerifyError::Contradiction),
        ("/present/opening", VerifyError::Commitment),
        ("/present/opening/salt", VerifyError::Commitment),
        ("/present/opening/link", VerifyError::Commitment),
    ] {
        let other = bob.pointer(path).unwrap().clone();
        assert_eq!(verify(&with(path, other)), Err(error), "{path}");
    }
    let moved = with("/map_head/index", json!(1));
    assert_eq!(verify(&moved), Err(VerifyError::MapHead));
    let absent = with("/present", Value::Null);
    assert_eq!(verify(&absent), Err(VerifyError::Contradiction));
    let cut = with("/map_head/inclusion", json!([]));
    assert!(matches!(verify(&cut), Err(VerifyError::Inclusion(_))));
    let swapped = with("/map_proof", bob["map_proof"].clone());
    assert!(matches!(verify(&swapped), Err(VerifyError::Map(_))));
    let withheld = with("/present/opening", Value::Null);
    let status = verify(&withheld).unwrap().status;
    assert_eq!(status, Status::Withheld { seqno: 1 });
}

#[test]
fn other_bytes_are_no_bundle() {
    let long = vec![b' '; client::bundle::BUNDLE_BYTES_MAX + 1];
    for bytes in [&b""[..], b"{}", b"[]", b"c2sp.org/tlog-proof@v1\n", &long] {
        assert!(NameBundle::parse(bytes).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_upset_a_parser(bytes: Vec<u8>, text: String) {
        let link = client::link::Link::decode(&bytes);
        proptest::prop_assert!(NameBundle::parse(&bytes).is_err());
        proptest::prop_assert!(client::profile::Profile::parse(&text).is_err());
        // A link of version 1 has at least its label, which random bytes do not hit.
        proptest::prop_assert!(link.is_err());
    }
}
