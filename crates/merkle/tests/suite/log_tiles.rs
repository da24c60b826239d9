//! Tiles as they are stored and served, against the recursive definition of the log.

use std::collections::BTreeMap;

use crate::log_model::Model;
use merkle::proof::{ConsistencyPlan, InclusionPlan, verify_consistency, verify_inclusion};
use merkle::range::CompactRange;
use merkle::tile::{
    GrowError, NodeId, TILE_LEN, TileId, grow, node_in_tile, tile_of, tiles, tiles_to_load,
};
use merkle::{HASH_LEN, Hash, SIZE_MAX};
use proptest::prelude::*;

/// Tiles under their ids, the way a server keeps them.
#[derive(Default)]
struct Tiles(BTreeMap<TileId, Vec<u8>>);

impl Tiles {
    fn append(&mut self, size: usize, leaves: &[Hash]) {
        let load = |id: TileId| (id, self.0[&id].clone());
        let loaded: Vec<_> = tiles_to_load(size as u64).into_iter().map(load).collect();
        self.0.extend(grow(size as u64, &loaded, leaves).unwrap());
    }

    /// A node as a client of a tree of `size` leaves sees it: from the tile cut to its width.
    fn node(&self, node: NodeId, size: usize) -> Hash {
        let (id, _) = tile_of(node);
        let width = usize::from(id.width(size as u64));
        node_in_tile(&self.0[&id][..width * HASH_LEN], node).unwrap()
    }

    fn nodes(&self, nodes: &[NodeId], size: usize) -> Vec<Hash> {
        nodes.iter().map(|node| self.node(*node, size)).collect()
    }
}

/// Each tile of the model is the hashes of consecutive nodes of level 8 * L.
fn check(tiles_kept: &Tiles, model: &Model, size: usize) {
    let mut count = 0;
    for (id, width) in tiles(size as u64) {
        let first = id.index * 256;
        let nodes = (first..first + u64::from(width)).map(|index| {
            model.node(NodeId {
                level: 8 * id.level,
                index,
            })
        });
        let bytes: Vec<u8> = nodes.flat_map(|hash| hash.0).collect();
        assert_eq!(tiles_kept.0[&id], bytes, "{id:?} of {size}");
        count += 1;
    }
    assert_eq!(tiles_kept.0.len(), count, "tiles of {size}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_growth_gives_the_same_tiles(steps in proptest::collection::vec(0_usize..700, 1..5)) {
        let model = Model::of(steps.iter().sum());
        let (mut kept, mut size) = (Tiles::default(), 0);
        for step in steps {
            kept.append(size, &model.leaves[size..size + step]);
            size += step;
            check(&kept, &model, size);
        }
    }
}

#[test]
fn growth_across_a_level_2_tile() {
    let model = Model::of(70_000);
    let mut kept = Tiles::default();
    for (from, to) in [
        (0, 65_535),
        (65_535, 65_536),
        (65_536, 65_537),
        (65_537, 70_000),
    ] {
        kept.append(from, &model.leaves[from..to]);
    }
    check(&kept, &model, 70_000);
    let widths: Vec<_> = tiles_to_load(70_000)
        .iter()
        .map(|id| id.path(id.width(70_000)))
        .collect();
    assert_eq!(
        widths,
        ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    assert_eq!(
        kept.nodes(&CompactRange::nodes(70_000), 70_000),
        model.range(70_000).hashes()
    );
}

#[test]
fn proofs_come_from_tiles_alone() {
    let model = Model::of(1_300);
    let mut kept = Tiles::default();
    kept.append(0, &model.leaves);
    for size in [1, 255, 256, 257, 511, 512, 513, 1_024, 1_299, 1_300] {
        let root = model.root(size);
        for index in [0, 1, 128, 255, 256, size / 2, size - 1] {
            let index = index.min(size - 1);
            let plan = InclusionPlan::new(index as u64, size as u64).unwrap();
            let path = plan.finish(&kept.nodes(plan.nodes(), size)).unwrap();
            let leaf = &model.leaves[index];
            assert_eq!(
                verify_inclusion(index as u64, size as u64, leaf, &path, &root),
                Ok(())
            );
            let first = index + 1;
            let plan = ConsistencyPlan::new(first as u64, size as u64).unwrap();
            let proof = plan.finish(&kept.nodes(plan.nodes(), size)).unwrap();
            let old = model.root(first);
            assert_eq!(
                verify_consistency(first as u64, size as u64, &old, &root, &proof),
                Ok(())
            );
        }
    }
}

#[test]
fn wider_stored_tiles_are_cut_and_narrower_ones_refused() {
    let model = Model::of(600);
    let (mut kept, mut newer) = (Tiles::default(), Tiles::default());
    kept.append(0, &model.leaves[..300]);
    newer.append(0, &model.leaves[..400]);
    let id = TileId { level: 0, index: 1 };
    let top = TileId { level: 1, index: 0 };
    assert_eq!(tiles_to_load(300), [id, top]);
    let leaves = &model.leaves[300..600];
    let exact = [(id, kept.0[&id].clone()), (top, kept.0[&top].clone())];
    let wider = [(id, newer.0[&id].clone()), (top, newer.0[&top].clone())];
    assert_eq!(
        grow(300, &exact, leaves).unwrap(),
        grow(300, &wider, leaves).unwrap()
    );
    let narrower = [
        (id, kept.0[&id][..32].to_vec()),
        (top, kept.0[&top].clone()),
    ];
    assert_eq!(grow(300, &narrower, leaves), Err(GrowError::TooNarrow(id)));
    assert_eq!(grow(300, &[], leaves), Err(GrowError::Missing(id)));
    assert_eq!(grow(300, &exact[..1], leaves), Err(GrowError::Missing(top)));
}

#[test]
fn growth_has_bounds() {
    assert_eq!(grow(0, &[], &[]), Ok(vec![]));
    assert_eq!(grow(300, &[], &[]), Ok(vec![]));
    assert_eq!(grow(SIZE_MAX, &[], &[Hash::ZERO]), Err(GrowError::TooLarge));
    assert_eq!(grow(u64::MAX, &[], &[Hash::ZERO]), Err(GrowError::TooLarge));
    assert_eq!(tiles_to_load(SIZE_MAX).len(), 8);
    let full = grow(0, &[], &[Hash::ZERO; 256]).unwrap();
    assert_eq!(full[0].1.len(), TILE_LEN);
    assert_eq!(full.len(), 2);
}
