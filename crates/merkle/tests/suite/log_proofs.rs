//! Roots and proofs of every log up to 600 leaves against the recursive definition.

use crate::log_model::Model;
use merkle::proof::{
    ConsistencyPlan, InclusionPlan, ProofError, verify_consistency, verify_inclusion,
};
use merkle::range::CompactRange;
use merkle::tile::NodeId;
use merkle::{Hash, SIZE_MAX, empty_root};

const SIZE: usize = 600;

fn inclusion(model: &Model, index: usize, size: usize) -> Vec<Hash> {
    let plan = InclusionPlan::new(index as u64, size as u64).unwrap();
    plan.finish(&model.nodes(plan.nodes())).unwrap()
}

fn consistency(model: &Model, first: usize, second: usize) -> Vec<Hash> {
    let plan = ConsistencyPlan::new(first as u64, second as u64).unwrap();
    plan.finish(&model.nodes(plan.nodes())).unwrap()
}

#[test]
fn every_root_and_compact_range() {
    let model = Model::of(SIZE);
    let mut range = CompactRange::new();
    for size in 0..=SIZE {
        assert_eq!(range.root(), model.root(size), "size {size}");
        assert_eq!(
            model.nodes(&CompactRange::nodes(size as u64)),
            range.hashes()
        );
        let again = CompactRange::from_parts(size as u64, range.hashes().to_vec());
        assert_eq!(again.as_ref(), Some(&range));
        if let Some(leaf) = model.leaves.get(size) {
            range.push(*leaf);
        }
    }
}

#[test]
fn every_completed_tile_root_is_reported_once() {
    let model = Model::of(3 * 256 + 17);
    let mut range = CompactRange::new();
    let mut reported = vec![];
    for leaf in &model.leaves {
        range.push_with(*leaf, |node, hash| reported.push((node, hash)));
    }
    let expected: Vec<_> = (0..3)
        .map(|index| NodeId { level: 8, index })
        .map(|node| (node, model.node(node)))
        .collect();
    assert_eq!(reported, expected);
}

#[test]
fn tile_roots_of_two_levels_come_in_order() {
    let mut range = CompactRange::new();
    let mut last = vec![];
    for _ in 0..65_536 {
        last.clear();
        range.push_with(Hash::ZERO, |node, _| last.push(node));
    }
    let expected = vec![
        NodeId {
            level: 8,
            index: 255,
        },
        NodeId {
            level: 16,
            index: 0,
        },
    ];
    assert_eq!(last, expected);
}

#[test]
fn parts_must_fit_the_size() {
    assert!(CompactRange::from_parts(3, vec![Hash::ZERO; 2]).is_some());
    assert!(CompactRange::from_parts(3, vec![Hash::ZERO; 1]).is_none());
    assert!(CompactRange::from_parts(0, vec![Hash::ZERO; 1]).is_none());
    assert!(CompactRange::from_parts(SIZE_MAX + 1, vec![Hash::ZERO; 1]).is_none());
    let largest = CompactRange::from_parts(SIZE_MAX, vec![Hash::ZERO; 63]).unwrap();
    assert_ne!(largest.root(), Hash::ZERO);
}

#[test]
fn every_inclusion_proof() {
    let model = Model::of(SIZE);
    for size in 1..=SIZE {
        let root = model.root(size);
        for index in 0..size {
            let path = inclusion(&model, index, size);
            assert_eq!(path, model.path(index, 0, size), "{index} of {size}");
            let leaf = &model.leaves[index];
            assert_eq!(
                verify_inclusion(index as u64, size as u64, leaf, &path, &root),
                Ok(())
            );
        }
    }
}

#[test]
fn every_consistency_proof() {
    let model = Model::of(SIZE);
    for second in 0..=SIZE {
        for first in 0..=second {
            let proof = consistency(&model, first, second);
            assert_eq!(
                proof,
                model.consistency(first, second),
                "{first} to {second}"
            );
            let (old, new) = (model.root(first), model.root(second));
            assert_eq!(
                verify_consistency(first as u64, second as u64, &old, &new, &proof),
                Ok(()),
                "{first} to {second}"
            );
        }
    }
}

#[test]
fn a_proof_fits_no_other_index_size_or_root() {
    let model = Model::of(40);
    for size in 1..=40_usize {
        for index in 0..size {
            let path = inclusion(&model, index, size);
            let leaf = &model.leaves[index];
            for other in 0..=41_u64 {
                let root = model.root(size);
                let moved = verify_inclusion(other, size as u64, leaf, &path, &root);
                assert_eq!(
                    moved.is_ok(),
                    other == index as u64,
                    "{index} of {size} as {other}"
                );
                let other_root = model.root(usize::try_from(other).unwrap().min(40));
                if other != size as u64 && other <= 40 {
                    let grown = verify_inclusion(index as u64, other, leaf, &path, &other_root);
                    assert!(grown.is_err(), "{index} of {size} in a tree of {other}");
                }
            }
        }
    }
}

/// Everything that differs from a proof in one bit, one hash more, one less, or two swapped.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![];
    for at in 0..proof.len() {
        for bit in 0..256 {
            let mut flipped = proof.to_vec();
            flipped[at].0[bit / 8] ^= 1 << (bit % 8);
            all.push(flipped);
        }
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        all.push(shorter);
        let mut swapped = proof.to_vec();
        swapped.swap(0, at);
        all.push(swapped);
    }
    for at in 0..=proof.len() {
        for extra in [
            Hash::ZERO,
            empty_root(),
            proof.first().copied().unwrap_or_default(),
        ] {
            let mut longer = proof.to_vec();
            longer.insert(at, extra);
            all.push(longer);
        }
    }
    all.retain(|mutant| mutant != proof);
    all
}

#[test]
fn no_mutated_inclusion_proof_is_accepted() {
    let model = Model::of(100);
    for (index, size) in [
        (0, 1),
        (0, 2),
        (6, 7),
        (4, 8),
        (98, 99),
        (63, 100),
        (64, 100),
    ] {
        let (root, leaf) = (model.root(size), &model.leaves[index]);
        let check = |leaf: &Hash, path: &[Hash], root: &Hash| {
            verify_inclusion(index as u64, size as u64, leaf, path, root)
        };
        let path = inclusion(&model, index, size);
        for mutant in mutations(&path) {
            assert!(
                check(leaf, &mutant, &root).is_err(),
                "{index} of {size}: {mutant:?}"
            );
        }
        for (wrong_leaf, wrong_root) in flips(leaf).into_iter().zip(flips(&root)) {
            assert!(check(&wrong_leaf, &path, &root).is_err());
            assert!(check(leaf, &path, &wrong_root).is_err());
        }
    }
}

#[test]
fn no_mutated_consistency_proof_is_accepted() {
    let model = Model::of(100);
    for (first, second) in [
        (1, 2),
        (4, 8),
        (6, 8),
        (7, 8),
        (64, 100),
        (63, 99),
        (99, 100),
    ] {
        let (old, new) = (model.root(first), model.root(second));
        let check = |old: &Hash, new: &Hash, proof: &[Hash]| {
            verify_consistency(first as u64, second as u64, old, new, proof)
        };
        let proof = consistency(&model, first, second);
        for mutant in mutations(&proof) {
            assert!(
                check(&old, &new, &mutant).is_err(),
                "{first} to {second}: {mutant:?}"
            );
        }
        for (wrong_old, wrong_new) in flips(&old).into_iter().zip(flips(&new)) {
            assert!(check(&wrong_old, &new, &proof).is_err());
            assert!(check(&old, &wrong_new, &proof).is_err());
        }
    }
}

fn flips(hash: &Hash) -> Vec<Hash> {
    let flip = |bit: usize| {
        let mut flipped = *hash;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    (0..256).map(flip).collect()
}

#[test]
fn sizes_out_of_range_are_refused() {
    let out = Err(ProofError::OutOfRange);
    let zero = &Hash::ZERO;
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (0, SIZE_MAX + 1)] {
        assert_eq!(InclusionPlan::new(index, size).map(|_| ()), out);
        assert_eq!(verify_inclusion(index, size, zero, &[], zero), out);
    }
    for (first, second) in [(1, 0), (2, 1), (0, SIZE_MAX + 1), (u64::MAX, u64::MAX)] {
        assert_eq!(ConsistencyPlan::new(first, second).map(|_| ()), out);
        assert_eq!(verify_consistency(first, second, zero, zero, &[]), out);
    }
    for proof in [
        &[][..],
        &[Hash::ZERO; 63],
        &[Hash::ZERO; 64],
        &[Hash::ZERO; 200],
    ] {
        assert!(verify_inclusion(SIZE_MAX - 1, SIZE_MAX, zero, proof, zero).is_err());
        assert!(verify_consistency(SIZE_MAX - 1, SIZE_MAX, zero, zero, proof).is_err());
    }
}

#[test]
fn plans_of_the_largest_tree_stay_small() {
    for index in [0, 1, SIZE_MAX / 2, SIZE_MAX - 1] {
        let plan = InclusionPlan::new(index, SIZE_MAX).unwrap();
        assert!(plan.nodes().len() < 128);
        assert!(
            plan.finish(&vec![Hash::ZERO; plan.nodes().len()])
                .unwrap()
                .len()
                <= 63
        );
        let plan = ConsistencyPlan::new(index, SIZE_MAX).unwrap();
        assert!(plan.nodes().len() < 192);
        assert!(
            plan.finish(&vec![Hash::ZERO; plan.nodes().len()])
                .unwrap()
                .len()
                <= 64
        );
    }
}

#[test]
fn finishing_takes_exactly_the_planned_hashes() {
    let plan = InclusionPlan::new(3, 7).unwrap();
    let count = plan.nodes().len();
    for wrong in [count - 1, count + 1, 0] {
        assert_eq!(
            plan.finish(&vec![Hash::ZERO; wrong]),
            Err(ProofError::WrongLength)
        );
    }
}

#[test]
fn the_empty_tree_has_one_root() {
    let other = Hash([1; 32]);
    assert_eq!(verify_consistency(0, 5, &empty_root(), &other, &[]), Ok(()));
    assert_eq!(
        verify_consistency(0, 5, &other, &other, &[]),
        Err(ProofError::RootMismatch)
    );
    assert_eq!(
        verify_consistency(0, 0, &other, &other, &[]),
        Err(ProofError::RootMismatch)
    );
    assert_eq!(
        verify_consistency(0, 0, &empty_root(), &empty_root(), &[]),
        Ok(())
    );
    let one = [Hash::ZERO];
    assert_eq!(
        verify_consistency(0, 5, &empty_root(), &other, &one),
        Err(ProofError::WrongLength)
    );
    assert_eq!(
        verify_consistency(5, 5, &other, &other, &one),
        Err(ProofError::WrongLength)
    );
}
