//! The same log through other people's code: `signed_note` and `tlog_tiles`, ports of the Go
//! checksum database's client.

use std::collections::HashMap;

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader as _, Tile, TileHashReader, TileReader, check_record,
    check_tree, prove_record, prove_tree, record_hash, stored_hash_index, tree_hash,
};

use crate::story::Story;

struct Fetched(HashMap<Tile, Vec<u8>>);

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(tiles.iter().map(|tile| self.0[tile].clone()).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

async fn checkpoint(story: &Story) -> Checkpoint {
    let key = String::from_utf8(story.get("/log/key").await).unwrap();
    let verifier = StandardVerifier::new(key.trim_end()).unwrap();
    let note = Note::from_bytes(&story.get("/log/checkpoint").await).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (good, unknown) = note.verify(&known).unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
    Checkpoint::from_bytes(note.text()).unwrap()
}

/// Fetches every tile an independent client would ask for. Its paths have the tile height in them,
/// which C2SP dropped.
async fn tiles(story: &Story, size: u64) -> Fetched {
    let mut fetched = HashMap::new();
    for tile in Tile::new_tiles(8, 0, size) {
        let path = tile.path().replacen("tile/8/", "/log/tile/", 1);
        fetched.insert(tile, story.get(&path).await);
    }
    Fetched(fetched)
}

#[tokio::test]
async fn an_independent_client_follows_the_log() {
    let story = Story::of_many(270).await;
    let tree = checkpoint(&story).await;
    assert_eq!((tree.origin(), tree.extension()), ("example.test/log", ""));
    let (size, root) = (tree.size(), *tree.hash());
    let fetched = tiles(&story, size).await;
    let reader = TileHashReader::new(size, root, &fetched);
    assert_eq!(tree_hash(size, &reader).unwrap(), root);

    let bundle = story.get("/log/tile/entries/000").await;
    let entry = &bundle[2..80];
    let leaf = reader.read_hashes(&[stored_hash_index(0, 0)]).unwrap()[0];
    assert_eq!(record_hash(entry), leaf);

    let ours = story.json("/log/inclusion?leaf=0").await;
    let ours: Vec<Hash> = serde_json::from_value(ours["audit_path"].clone()).unwrap();
    assert_eq!(prove_record(size, 0, &reader).unwrap(), ours);
    check_record(&ours, size, root, 0, leaf).unwrap();

    let old = tree_hash(10, &reader).unwrap();
    let ours = story.json("/log/consistency?first=10").await;
    let ours: Vec<Hash> = serde_json::from_value(ours["consistency"].clone()).unwrap();
    assert_eq!(prove_tree(size, 10, &reader).unwrap(), ours);
    check_tree(&ours, size, root, 10, old).unwrap();
}
