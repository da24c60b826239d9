//! What this crate makes, checked by two independent implementations of the same formats.

use std::cell::RefCell;
use std::collections::BTreeMap;

use merkle::note::{Checkpoint, KeyName, Note, Signature, VerifierKey};
use merkle::proof::{ConsistencyPlan, InclusionPlan};
use merkle::proof_file::ProofFile;
use merkle::tile::{TileId, TilePath, grow, parse_tile_path, tiles, tiles_to_load};
use merkle::{HASH_LEN, Hash};
use signed_note::{
    Note as PeerNote, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList,
};
use tlog_tiles::{
    Checkpoint as PeerCheckpoint, Error, Hash as PeerHash, Tile, TileHashReader, TileReader,
    check_record, check_tree, prove_record, prove_tree, stored_hash_index, tree_hash,
};

use crate::log_model::Model;
use crate::notes::vector;

/// Our tiles behind the peer's reader, which checks every tile it gets against the root.
struct Served<'a> {
    stored: &'a BTreeMap<TileId, Vec<u8>>,
    asked: RefCell<Vec<TilePath>>,
}

impl TileReader for Served<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, wanted: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(wanted.iter().map(|tile| self.read(tile)).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

impl Served<'_> {
    /// The peer's paths carry the tile height, which C2SP left out.
    fn read(&self, tile: &Tile) -> Vec<u8> {
        let path = tile.path().replacen("tile/8/", "tile/", 1);
        let parsed = parse_tile_path(&path).unwrap();
        self.asked.borrow_mut().push(parsed);
        let TilePath::Tile { id, width } = parsed else {
            panic!("{path} is no tile of hashes")
        };
        assert_eq!(id.path(width), path);
        self.stored[&id][..usize::from(width) * HASH_LEN].to_vec()
    }
}

fn stored(model: &Model, steps: &[usize]) -> BTreeMap<TileId, Vec<u8>> {
    let mut kept: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
    let mut size = 0;
    for step in steps {
        let load = |id: TileId| (id, kept[&id].clone());
        let loaded: Vec<_> = tiles_to_load(size as u64).into_iter().map(load).collect();
        kept.extend(grow(size as u64, &loaded, &model.leaves[size..size + step]).unwrap());
        size += step;
    }
    kept
}

fn peer(hash: Hash) -> PeerHash {
    PeerHash(hash.0)
}

fn peers(hashes: &[Hash]) -> Vec<PeerHash> {
    hashes.iter().copied().map(peer).collect()
}

#[test]
fn the_peer_reads_our_tiles_and_makes_the_same_proofs() {
    let model = Model::of(70_000);
    let kept = stored(&model, &[1, 254, 1, 1, 600, 64_679, 3, 4_461]);
    for size in [1, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, 70_000] {
        let served = Served {
            stored: &kept,
            asked: RefCell::default(),
        };
        let root = model.range(size).root();
        let size = size as u64;
        let reader = TileHashReader::new(size, peer(root), &served);
        assert_eq!(tree_hash(size, &reader).unwrap(), peer(root), "{size}");
        for index in [0, size / 3, size - 1] {
            let ours = InclusionPlan::new(index, size).unwrap();
            let ours = ours.finish(&model.nodes(ours.nodes())).unwrap();
            assert_eq!(prove_record(size, index, &reader).unwrap(), peers(&ours));
            let leaf = peer(model.leaves[usize::try_from(index).unwrap()]);
            assert!(check_record(&peers(&ours), size, peer(root), index, leaf).is_ok());
            let first = index + 1;
            let ours = ConsistencyPlan::new(first, size).unwrap();
            let ours = ours.finish(&model.nodes(ours.nodes())).unwrap();
            assert_eq!(prove_tree(size, first, &reader).unwrap(), peers(&ours));
            let old = peer(model.range(usize::try_from(first).unwrap()).root());
            assert!(check_tree(&peers(&ours), size, peer(root), first, old).is_ok());
        }
        assert!(!served.asked.borrow().is_empty());
    }
}

#[test]
fn the_peer_finds_every_node_in_the_tile_we_name() {
    let model = Model::of(1_000);
    let kept = stored(&model, &[1_000]);
    for level in 0..10_u8 {
        for index in 0..(1_000_u64 >> level) {
            let node = merkle::tile::NodeId { level, index };
            let (id, _) = merkle::tile::tile_of(node);
            let tile = Tile::new(8, id.level, id.index, u32::from(id.width(1_000)), false);
            let at = stored_hash_index(level, index);
            let theirs = tile.hash_at_index(&kept[&id], at).unwrap();
            let ours = merkle::tile::node_in_tile(&kept[&id], node).unwrap();
            assert_eq!(theirs, peer(ours), "{node:?}");
        }
    }
}

#[test]
fn the_peer_names_the_same_new_tiles() {
    for (old, new) in [
        (0, 1),
        (0, 70_000),
        (255, 256),
        (256, 257),
        (300, 900),
        (65_535, 65_536),
    ] {
        let theirs: Vec<String> = Tile::new_tiles(8, old, new)
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        let unchanged = |id: &TileId, width: u16| id.width(old) == width;
        let ours: Vec<String> = tiles(new)
            .filter(|(id, width)| !unchanged(id, *width))
            .map(|(id, width)| id.path(width))
            .collect();
        let mut sorted = theirs.clone();
        sorted.sort();
        let mut expected = ours.clone();
        expected.sort();
        assert_eq!(sorted, expected, "{old} to {new}");
    }
}

fn verifiers(vkey: &str) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).unwrap())])
}

/// Signs the text with the peer's Ed25519 and puts the signature into our note.
fn sign(text: String) -> Note {
    let signer = StandardSigner::new(&vector("go_skey")).unwrap();
    let signature = Signature {
        name: KeyName::parse(signer.name()).unwrap(),
        id: signer.key_id().to_be_bytes(),
        bytes: signer.sign(text.as_bytes()).unwrap(),
    };
    Note {
        text,
        signatures: vec![signature],
    }
}

#[test]
fn the_peer_verifies_the_vectors_and_writes_what_we_write() {
    let (vkey, name) = (vector("vkey"), vector("name"));
    let line = format!("\u{2014} {name} {}\n", vector("signature"));
    for (vkey, note) in [
        (vkey, format!("{}\n{line}", vector("text"))),
        (vector("go_vkey"), vector("go_note")),
    ] {
        let ours = Note::parse(note.as_bytes()).unwrap();
        assert_eq!(ours.format(), note);
        let theirs = PeerNote::from_bytes(ours.format().as_bytes()).unwrap();
        assert_eq!(theirs.verify(&verifiers(&vkey)).unwrap().0.len(), 1);
        assert_eq!(verified_by_us(&ours, &vkey), Ok(1));
        let mut forged = ours.clone();
        forged.text.push_str("more\n");
        assert!(verified_by_us(&forged, &vkey).is_err());
    }
    let go_note = Note::parse(vector("go_note").as_bytes()).unwrap();
    assert_eq!(sign(go_note.text.clone()), go_note);
}

fn verified_by_us(note: &Note, vkey: &str) -> Result<usize, merkle::note::NoteError> {
    let keys = [VerifierKey::parse(vkey).unwrap()];
    let signers = note.verify_with(&keys, |key, text, signature| {
        StandardVerifier::new(&key.to_string()).is_ok_and(|peer| peer.verify(text, signature))
    })?;
    Ok(signers.len())
}

#[test]
fn the_peer_accepts_our_checkpoint() {
    let model = Model::of(300);
    let ours = Checkpoint {
        origin: "log.example/log".into(),
        size: 300,
        root: model.root(300),
    };
    let note = sign(ours.to_string());
    let vkey = vector("go_vkey");
    let theirs = PeerNote::from_bytes(note.format().as_bytes()).unwrap();
    assert_eq!(theirs.verify(&verifiers(&vkey)).unwrap().0.len(), 1);
    let read = PeerCheckpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!((read.origin(), read.size()), ("log.example/log", 300));
    assert_eq!((*read.hash(), read.extension()), (peer(ours.root), ""));
    let theirs = PeerCheckpoint::new("log.example/log", 300, peer(ours.root), "").unwrap();
    let back = Checkpoint::parse(&String::from_utf8(theirs.to_bytes()).unwrap());
    assert_eq!(back, Ok(ours));
}

#[test]
fn a_proof_file_verifies_from_key_to_leaf() {
    let model = Model::of(300);
    let tree = Checkpoint {
        origin: "log.example/log".into(),
        size: 300,
        root: model.root(300),
    };
    let path = model.path(77, 0, 300);
    let file = ProofFile {
        extra: None,
        index: 77,
        path,
        checkpoint: sign(tree.to_string()),
    };
    let read = ProofFile::parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(verified_by_us(&read.checkpoint, &vector("go_vkey")), Ok(1));
    assert_eq!(read.verify(&model.leaves[77]), Ok(tree));
}
