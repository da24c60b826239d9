//! Proofs of presence and absence in the map, and attempts to forge them.

use merkle::Hash;
use merkle::map::{MapError, MapLeaf, MapProof, MapReader, Page, PageId, Slot, Terminal};
use merkle::proof::ProofError;
use proptest::prelude::*;

use crate::map_model::{Leaves, Pages, any_hash, any_label, any_leaves, near, subtree};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_label_has_a_proof_of_what_it_is(
        leaves in any_leaves(0..40),
        others in proptest::collection::vec(any_label(), 1..20),
    ) {
        let pages = if leaves.is_empty() { Pages::default() } else { Pages::of(&leaves) };
        for label in leaves.keys().copied().chain(others) {
            let reader = pages.read(label).unwrap();
            prop_assert_eq!(reader.root(), Ok(pages.root));
            let proof = reader.proof().unwrap();
            let expected = leaves.get(&label).copied();
            prop_assert_eq!(proof.verify(&label, &pages.root), Ok(expected));
            prop_assert_eq!(MapProof::decode(&proof.encode()), Ok(proof));
        }
    }

    #[test]
    fn a_proof_says_nothing_about_other_labels(
        leaves in any_leaves(2..30),
        other in any_label(),
    ) {
        let pages = Pages::of(&leaves);
        for label in leaves.keys() {
            let proof = pages.prove(*label);
            for asked in leaves.keys().chain([&other]).filter(|asked| *asked != label) {
                prop_assert!(proof.verify(asked, &pages.root).is_err());
            }
        }
        // An absence proof may serve other absent labels of the same subtree, never a present one.
        if !leaves.contains_key(&other) {
            let proof = pages.prove(other);
            for present in leaves.keys() {
                prop_assert!(proof.verify(present, &pages.root).is_err());
            }
        }
    }

    #[test]
    fn bytes_decode_in_one_way_only(leaves in any_leaves(1..20), label in any_label(), tail: Vec<u8>) {
        let bytes = Pages::of(&leaves).prove(label).encode();
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(MapProof::decode(&longer), Err(ProofError::Malformed));
        for cut in 0..bytes.len() {
            prop_assert!(MapProof::decode(&bytes[..cut]).is_err());
        }
        if let Ok(proof) = MapProof::decode(&tail) {
            prop_assert_eq!(proof.encode(), tail);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn flipped_bits_are_never_believed(
        leaves in any_leaves(1..12),
        other in any_label(),
        pick in any::<prop::sample::Index>(),
    ) {
        let pages = Pages::of(&leaves);
        let present = *leaves.keys().nth(pick.index(leaves.len())).unwrap();
        for label in [present, other] {
            let answer = leaves.get(&label).copied();
            let bytes = pages.prove(label).encode();
            // Every bit of the usual proof; a part of them when labels share long prefixes.
            let bits = bytes.len() * 8;
            for at in (pick.index(3)..bits).step_by(bits.div_ceil(6_000)) {
                let mut flipped = bytes.clone();
                flipped[at / 8] ^= 1 << (at % 8);
                if let Ok(proof) = MapProof::decode(&flipped) {
                    let verdict = proof.verify(&label, &pages.root);
                    prop_assert!(verdict.is_err(), "bit {at} of {answer:?}: {verdict:?}");
                }
            }
        }
    }
}

/// Three labels: two share 12 bits, the third only 3.
fn small() -> (Pages, [MapLeaf; 3]) {
    let base = Hash([0x5a; 32]);
    let labels = [base, near(base, 12, Hash::ZERO), near(base, 3, Hash::ZERO)];
    let leaves = labels.map(|label| MapLeaf {
        label,
        seqno: 1,
        commitment: label,
    });
    let mut pages = Pages::default();
    pages.put(&leaves);
    (pages, leaves)
}

/// The bytes of a proof with any content, to build what no honest reader would.
fn forged(siblings: &[Hash], kind: u8, terminal: &[u8]) -> MapProof {
    let mut bytes = vec![1, kind];
    bytes.extend(u16::try_from(siblings.len()).unwrap().to_be_bytes());
    let mut bitmap = vec![0_u8; siblings.len().div_ceil(8)];
    for (at, sibling) in siblings.iter().enumerate() {
        bitmap[at / 8] |= u8::from(*sibling != Hash::ZERO) << (7 - at % 8);
    }
    bytes.extend(bitmap);
    let full = siblings.iter().filter(|sibling| **sibling != Hash::ZERO);
    bytes.extend(full.flat_map(|sibling| sibling.0));
    bytes.extend(terminal);
    MapProof::decode(&bytes).unwrap()
}

fn leaf_bytes(leaf: &MapLeaf) -> Vec<u8> {
    [
        leaf.label.as_bytes(),
        &leaf.seqno.to_be_bytes()[..],
        leaf.commitment.as_bytes(),
    ]
    .concat()
}

#[test]
fn a_present_label_cannot_be_made_to_look_absent() {
    let (pages, [target, near_leaf, far_leaf]) = small();
    let honest = pages.prove(target.label);
    assert_eq!(honest.depth(), 13);
    let siblings = honest.siblings();
    for depth in 0..=siblings.len() {
        for shown in [target, near_leaf, far_leaf] {
            let other = forged(&siblings[..depth], 2, &leaf_bytes(&shown));
            assert!(
                other.verify(&target.label, &pages.root).is_err(),
                "leaf at {depth}"
            );
        }
        let empty = forged(&siblings[..depth], 0, &[]);
        assert!(
            empty.verify(&target.label, &pages.root).is_err(),
            "empty slot at {depth}"
        );
        let longer = [siblings, &vec![Hash::ZERO; depth + 1]].concat();
        let empty = forged(&longer, 0, &[]);
        assert!(empty.verify(&target.label, &pages.root).is_err());
    }
}

#[test]
fn the_own_leaf_is_no_proof_of_absence() {
    let (pages, [target, ..]) = small();
    let own = forged(
        pages.prove(target.label).siblings(),
        2,
        &leaf_bytes(&target),
    );
    assert_eq!(
        own.verify(&target.label, &pages.root),
        Err(ProofError::WrongLeaf)
    );
}

#[test]
fn the_other_leaf_must_share_the_path() {
    let (pages, [target, _, far_leaf]) = small();
    // The honest proof of the far leaf's place, shown to a label that parts from it earlier.
    let far = pages.prove(far_leaf.label);
    assert_eq!(far.depth(), 4);
    let stray = forged(far.siblings(), 2, &leaf_bytes(&far_leaf));
    assert_eq!(
        stray.verify(&target.label, &pages.root),
        Err(ProofError::WrongLeaf)
    );
    // And to a label of that subtree, for which it is the truth.
    let absent = near(far_leaf.label, 4, Hash::ZERO);
    assert_eq!(stray.verify(&absent, &pages.root), Ok(None));
    assert_eq!(pages.prove(absent), stray);
}

#[test]
fn a_leaf_is_not_a_node_nor_the_other_way_round() {
    let (pages, [target, ..]) = small();
    // A map of one leaf whose hash stands where a node's does, and a path beyond a leaf.
    let siblings = pages.prove(target.label).siblings().to_vec();
    let shortened = forged(&siblings[..12], 1, &leaf_bytes(&target)[32..]);
    assert!(shortened.verify(&target.label, &pages.root).is_err());
    let lone: Leaves = [(target.label, (1, target.label))].into();
    let lone = Pages::of(&lone);
    assert_eq!(lone.root, target.hash());
    for depth in 1..=256 {
        let below = forged(&vec![Hash::ZERO; depth], 0, &[]);
        assert!(below.verify(&target.label, &lone.root).is_err());
    }
}

#[test]
fn terminals_are_the_documented_ones() {
    let (pages, [target, near_leaf, _]) = small();
    let absent = near(target.label, 0, Hash::ZERO);
    assert_eq!(pages.prove(absent).terminal(), &Terminal::EmptySlot);
    assert_eq!(pages.prove(absent).depth(), 1);
    let beside = near(near_leaf.label, 20, Hash::ZERO);
    assert_eq!(
        pages.prove(beside).terminal(),
        &Terminal::OtherLeaf(near_leaf)
    );
    let present = Terminal::Present {
        seqno: 1,
        commitment: target.label,
    };
    assert_eq!(pages.prove(target.label).terminal(), &present);
    assert_eq!(
        Pages::default().prove(absent).terminal(),
        &Terminal::EmptySlot
    );
    assert_eq!(
        Pages::default().prove(absent).verify(&absent, &Hash::ZERO),
        Ok(None)
    );
    assert!(
        Pages::default()
            .prove(absent)
            .verify(&absent, &pages.root)
            .is_err()
    );
}

#[test]
fn the_deepest_proof_verifies() {
    let first = Hash([0x5a; 32]);
    let second = near(first, 255, Hash::ZERO);
    let leaves: Leaves = [(first, (1, first)), (second, (2, second))].into();
    let pages = Pages::of(&leaves);
    let proof = pages.prove(first);
    assert_eq!(proof.depth(), 256);
    assert_eq!(proof.verify(&first, &pages.root), Ok(Some((1, first))));
    assert_eq!(proof.encode().len(), 4 + 32 + 32 + 36);
    let sibling = subtree(&[(second, 2, second)], 256);
    assert_eq!(proof.siblings().last(), Some(&sibling));
}

#[test]
fn a_reader_asks_for_eight_pages_first_and_more_only_if_undecided() {
    let first = Hash([0x5a; 32]);
    let second = near(first, 255, Hash::ZERO);
    let leaves: Leaves = [(first, (1, first)), (second, (2, second))].into();
    let pages = Pages::of(&leaves);
    let mut reader = MapReader::new(first);
    assert_eq!(reader.proof(), Err(MapError::Unfinished));
    assert_eq!(reader.root(), Err(MapError::Unfinished));
    for round in 0..8 {
        let wanted = reader.wanted();
        let path = (8 * round..8 * round + 8).map(|depth| PageId::on_path(&first, depth).unwrap());
        assert_eq!(wanted, path.collect::<Vec<_>>());
        for id in wanted.into_iter().rev() {
            reader.supply(id, pages.get(id)).unwrap();
        }
    }
    assert_eq!(reader.wanted(), []);
    assert_eq!(reader.root(), Ok(pages.root));
    let mut shallow = MapReader::new(near(first, 0, Hash::ZERO));
    shallow
        .supply(PageId::ROOT, pages.get(PageId::ROOT))
        .unwrap();
    assert_eq!(shallow.wanted(), [], "decided by the first page");
}

#[test]
fn a_reader_refuses_pages_of_different_states() {
    let (mut pages, [target, ..]) = small();
    let old = pages.clone();
    pages.put(&[MapLeaf { seqno: 2, ..target }]);
    let mut reader = MapReader::new(target.label);
    let torn = PageId::on_path(&target.label, 2).unwrap();
    for id in reader.wanted() {
        let from = if id.depth() < 2 { &old } else { &pages };
        reader.supply(id, from.get(id)).unwrap();
    }
    assert_eq!(reader.proof(), Err(MapError::TornPage(torn)));
    let mut reader = MapReader::new(target.label);
    for id in reader.wanted().into_iter().filter(|id| id.depth() != 1) {
        reader.supply(id, pages.get(id)).unwrap();
    }
    let missing = PageId::on_path(&target.label, 1).unwrap();
    assert_eq!(
        reader.supply(PageId::ROOT, None),
        Err(MapError::Unwanted(PageId::ROOT))
    );
    let stranger = PageId::on_path(&Hash::ZERO, 1).unwrap();
    assert_eq!(
        reader.supply(stranger, None),
        Err(MapError::Unwanted(stranger))
    );
    let malformed = Err(MapError::MalformedPage(missing));
    assert_eq!(reader.supply(missing, Some(&[1])), malformed);
    assert_eq!(
        reader.supply(missing, None),
        Err(MapError::MissingPage(missing))
    );
}

#[test]
fn the_slots_of_a_page_are_readable() {
    let (pages, [.., far_leaf]) = small();
    let page = Page::decode(PageId::ROOT, pages.get(PageId::ROOT).unwrap()).unwrap();
    assert_eq!(page.hash(), pages.root);
    assert_eq!(page.slots()[4], Slot::Leaf(far_leaf));
    assert!(matches!(page.slots()[5], Slot::Child(_)));
    assert_eq!(
        page.slots()
            .iter()
            .filter(|slot| **slot == Slot::Empty)
            .count(),
        14
    );
}

proptest! {
    #[test]
    fn proofs_of_random_maps_stay_short(seed in any_hash()) {
        let label = |n: u32| merkle::leaf_hash(&[&seed.0[..], &n.to_be_bytes()].concat());
        let leaves: Leaves = (0..300).map(|n| (label(n), (n, seed))).collect();
        let pages = Pages::of(&leaves);
        for n in (0..300).step_by(29) {
            prop_assert!(pages.prove(label(n)).encode().len() < 40 + 32 * 24);
        }
    }
}
