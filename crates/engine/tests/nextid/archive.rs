//! What is archived of links.

use crypto::arweave_key::ArweaveKey;
use crypto::digest::sha384;
use crypto::ed25519;
use crypto::secret::Secret;
use crypto::token::sha256;
use engine::ans104::{
    BundleFault, Deep, Item, ItemFault, ItemSigner, LinkDocument, Previous, SignatureKind,
    SignedItem, SigningFailed, Tag, bundle_tags, deep_hash, link_tags, read_bundle, read_tags,
    write_bundle, write_tags,
};
use engine::types::{Avatar, ClaimAction, Uuid};
use serde_json::Value;

use crate::{VECTORS, entries, hex, key_of, section, text};

const MEMBERS: [&str; 13] = [
    "note",
    "document",
    "tags",
    "tags_avro_hex",
    "owner_modulus_hex",
    "deep_hash_hex",
    "signature_hex",
    "item_id",
    "item_sha256",
    "item_length",
    "bundle_sha256",
    "bundle_length",
    "bundle_tx_tags",
];

/// A signer that knows one signature, and what it is of.
struct Recorded(&'static Value);

impl ItemSigner for Recorded {
    fn kind(&self) -> SignatureKind {
        SignatureKind::Arweave
    }

    fn owner(&self) -> Vec<u8> {
        hex(&self.0["owner_modulus_hex"])
    }

    fn sign(&self, hash: &[u8; 48]) -> Result<Vec<u8>, SigningFailed> {
        let is_known = hash[..] == hex(&self.0["deep_hash_hex"]);
        is_known
            .then(|| hex(&self.0["signature_hex"]))
            .ok_or(SigningFailed)
    }
}

fn tags_of(list: &Value, count: usize) -> Vec<Tag> {
    let tags = entries(list, count).iter();
    tags.map(|it| Tag::new(text(&it["name"]), text(&it["value"])))
        .collect()
}

#[test]
fn arweave() {
    let vector = section("arweave", &MEMBERS);
    let tags = tags_of(&vector["tags"], 4);
    let encoded = write_tags(&tags).unwrap();
    assert_eq!(encoded, hex(&vector["tags_avro_hex"]));
    assert_eq!(read_tags(&encoded).unwrap(), tags);
    assert_eq!(bundle_tags()[..], tags_of(&vector["bundle_tx_tags"], 2));

    let document = text(&vector["document"]);
    let item = SignedItem::make(&Recorded(vector), &tags, document.as_bytes()).unwrap();
    assert_eq!(item.id.to_string(), text(&vector["item_id"]));
    assert_eq!(vector["item_length"], item.bytes.len());
    assert_eq!(sha256(&item.bytes)[..], hex(&vector["item_sha256"]));

    let bundle = write_bundle(std::slice::from_ref(&item)).unwrap();
    assert_eq!(vector["bundle_length"], bundle.len());
    assert_eq!(sha256(&bundle)[..], hex(&vector["bundle_sha256"]));
    let read = read_bundle(&bundle).unwrap();
    let [read] = &read[..] else {
        unreachable!("{read:?}")
    };
    assert_eq!(read.id, item.id);
    assert_eq!(read.owner, hex(&vector["owner_modulus_hex"]));
    assert_eq!((&read.tags, read.data), (&tags, document.as_bytes()));
    assert_eq!((read.target, read.anchor), (None, None));
    assert!(text(&vector["note"]).contains("deep hash"));
}

/// The document and its tags, of the link they are about.
#[test]
fn a_link_s_document() {
    let (vector, chain) = (section("arweave", &MEMBERS), &VECTORS["chain"]);
    let avatar = Avatar::parse(text(&chain["avatar"])).unwrap();
    let (before, link) = (&chain["links"][0], &chain["links"][1]);
    let uuid = Uuid::parse(text(&link["uuid"])).unwrap();
    let arweave_id = text(&vector["tags"][2]["value"]);
    let previous = Previous {
        uuid: Uuid::parse(text(&before["uuid"])).unwrap(),
        arweave_id,
    };
    let document = LinkDocument {
        avatar: &avatar,
        action: ClaimAction::parse(text(&link["action"])).unwrap(),
        platform: text(&link["platform"]),
        identity: text(&link["identity"]),
        alt_id: text(&link["identity"]),
        proof_location: "",
        created_at: text(&link["created_at"]).parse().unwrap(),
        signature: text(&link["signature"]),
        signature_payload: text(&link["signature_payload"]),
        uuid,
        wallet_signature: None,
        previous: Some(previous),
    };
    assert_eq!(document.to_json(), text(&vector["document"]));
    assert_eq!(
        link_tags(uuid, Some(&previous)),
        tags_of(&vector["tags"], 4)
    );

    let first = LinkDocument {
        wallet_signature: Some("a<b"),
        previous: None,
        ..document
    };
    let written = first.to_json();
    let extra = "\n\t\"extra\": {\n\t\t\"wallet_signature\": \"a\\u003cb\"\n\t},\n\t\"previous_uuid\": \"\",\
                 \n\t\"previous_arweave_id\": \"\"\n}";
    assert!(written.ends_with(extra), "{written}");
    assert!(serde_json::from_str::<Value>(&written).unwrap().is_object());
    let names: Vec<String> = link_tags(uuid, None)
        .into_iter()
        .map(|tag| tag.name)
        .collect();
    assert_eq!(names, ["ProofService-UUID", "Content-Type"]);
}

#[test]
fn each_kind_of_key_signs_items_that_nobody_can_change() {
    let jwk = include_str!("../../../crypto/vectors/arweave-key.json");
    let signers: [Box<dyn ItemSigner>; 3] = [
        Box::new(ArweaveKey::from_jwk(jwk.as_bytes()).unwrap()),
        Box::new(ed25519::SigningKey::from_seed(&Secret::new([7; 32])).unwrap()),
        Box::new(key_of("avatar-1")),
    ];
    let tags = [Tag::new("Content-Type", "text/plain")];
    let mut items = Vec::new();
    for signer in &signers {
        let item = SignedItem::make(signer.as_ref(), &tags, b"data").unwrap();
        let read = Item::read(&item.bytes).unwrap();
        assert_eq!(
            (read.kind, read.owner),
            (signer.kind(), &signer.owner()[..])
        );
        assert_eq!(
            (read.id, &read.tags[..], read.data),
            (item.id, &tags[..], &b"data"[..])
        );
        for at in (0..item.bytes.len())
            .step_by(7)
            .chain([item.bytes.len() - 1])
        {
            let mut changed = item.bytes.clone();
            changed[at] ^= 1;
            assert!(
                Item::read(&changed).is_err(),
                "{:?} byte {at}",
                signer.kind()
            );
        }
        for length in 0..item.bytes.len() {
            assert!(Item::read(&item.bytes[..length]).is_err());
        }
        items.push(item);
    }
    let bundle = write_bundle(&items).unwrap();
    let read = read_bundle(&bundle).unwrap();
    assert!(
        read.iter()
            .map(|item| item.id)
            .eq(items.iter().map(|item| item.id))
    );
    assert_eq!(read_bundle(&write_bundle(&[]).unwrap()), Ok(vec![]));
}

#[test]
fn bundles_that_do_not_add_up_are_refused() {
    let key = key_of("avatar-2");
    let item = SignedItem::make(&key, &[], b"data").unwrap();
    let bundle = write_bundle(std::slice::from_ref(&item)).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = bundle.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, fault) in [
        (vec![], BundleFault::Malformed),
        (bundle[..bundle.len() - 1].to_vec(), BundleFault::Malformed),
        ([&bundle[..], &[0]].concat(), BundleFault::Malformed),
        (changed(0, 0), BundleFault::Malformed),
        (changed(2, 1), BundleFault::TooMany),
        (changed(31, 1), BundleFault::Malformed),
        (
            changed(34, 9),
            BundleFault::Item {
                index: 0,
                fault: ItemFault::TooLong,
            },
        ),
        (
            changed(96, 9),
            BundleFault::Item {
                index: 0,
                fault: ItemFault::Kind(9),
            },
        ),
        (changed(64, bundle[64] ^ 1), BundleFault::WrongId(0)),
    ] {
        assert_eq!(read_bundle(&bytes), Err(fault));
    }
    let long = SignedItem::make(&key, &[], &[0; 64 << 10]);
    assert_eq!(long, Err(ItemFault::TooLong));
    let many = vec![item; 1025];
    assert_eq!(write_bundle(&many), Err(BundleFault::TooMany));
}

/// Made with the definition of Arweave's own documentation, by hand.
#[test]
fn deep_hashes_of_lists() {
    let blob =
        |bytes: &[u8], length: &[u8]| sha384(&[&sha384(&[b"blob", length]), &sha384(&[bytes])]);
    assert_eq!(deep_hash(Deep::Blob(b"abc")), blob(b"abc", b"3"));
    let inner = sha384(&[&sha384(&[b"list1"]), &blob(b"", b"0")]);
    let outer = sha384(&[&sha384(&[b"list2"]), &blob(b"abc", b"3")]);
    let list = [Deep::Blob(b"abc"), Deep::List(&[Deep::Blob(b"")])];
    assert_eq!(deep_hash(Deep::List(&list)), sha384(&[&outer, &inner]));
}
