//! Changes of the map: roots and pages depend on the leaves alone.

use std::collections::HashSet;

use merkle::Hash;
use merkle::map::{MapBatch, MapError, MapLeaf, Page, PageId, Slot};
use proptest::prelude::*;

use crate::map_model::{
    Leaves, Pages, any_hash, any_label, any_leaves, list, near, page_ids, root,
};

fn leaf(label: Hash, seqno: u32) -> MapLeaf {
    MapLeaf {
        label,
        seqno,
        commitment: merkle::leaf_hash(&seqno.to_be_bytes()),
    }
}

/// Pages, root and page hashes are those of the definition.
fn check(pages: &Pages, leaves: &Leaves) {
    assert_eq!(pages.root, root(leaves));
    let ids: HashSet<PageId> = pages
        .stored
        .keys()
        .map(|key| PageId::from_key(key).unwrap())
        .collect();
    assert_eq!(ids, page_ids(leaves));
    for id in ids {
        let page = Page::decode(id, pages.get(id).unwrap()).unwrap();
        assert_eq!(page.encode(), pages.get(id).unwrap());
        for (slot, content) in (0..).zip(page.slots()) {
            if let Slot::Child(hash) = content {
                let below = id.child(slot).unwrap();
                let below = Page::decode(below, pages.get(below).unwrap()).unwrap();
                assert_eq!(below.hash(), *hash, "slot {slot} of {id}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_map_is_the_definition(leaves in any_leaves(1..40)) {
        check(&Pages::of(&leaves), &leaves);
    }

    #[test]
    fn order_and_batching_change_nothing(
        leaves in any_leaves(1..30),
        order in any::<u64>(),
        cut in 1_usize..8,
    ) {
        let whole = Pages::of(&leaves);
        let mut shuffled = list(&leaves);
        shuffled.sort_by_key(|leaf| {
            merkle::leaf_hash(&[&order.to_be_bytes()[..], leaf.label.as_bytes()].concat())
        });
        let mut pieces = Pages::default();
        shuffled.chunks(cut).for_each(|chunk| pieces.put(chunk));
        prop_assert_eq!(&pieces, &whole);
        let mut single = Pages::default();
        shuffled.iter().rev().for_each(|leaf| single.put(std::slice::from_ref(leaf)));
        prop_assert_eq!(&single, &whole);
    }

    #[test]
    fn later_values_replace_earlier_ones(
        leaves in any_leaves(1..20),
        newer in any_leaves(1..20),
        bump in any_hash(),
    ) {
        let mut pages = Pages::of(&leaves);
        let mut expected = leaves.clone();
        expected.extend(newer.clone());
        // Some labels of the first batch again, with another commitment.
        for (label, (seqno, _)) in leaves.iter().step_by(3) {
            expected.insert(*label, (seqno.wrapping_add(1), bump));
        }
        let changed: Leaves =
            expected.iter().filter(|(label, value)| leaves.get(label) != Some(value))
                .map(|(label, value)| (*label, *value)).collect();
        pages.put(&list(&changed));
        check(&pages, &expected);
    }

    #[test]
    fn current_is_what_was_put(leaves in any_leaves(1..30), others in proptest::collection::vec(any_label(), 0..10)) {
        let pages = Pages::of(&leaves);
        let labels: Vec<Hash> = leaves.keys().copied().chain(others).collect();
        let batch = pages.load(MapBatch::load(labels.clone())).unwrap();
        for label in labels {
            let expected = leaves.get(&label).map(|(seqno, commitment)| MapLeaf {
                label,
                seqno: *seqno,
                commitment: *commitment,
            });
            prop_assert_eq!(batch.current(&label), expected);
        }
        let change = batch.finish().unwrap();
        prop_assert_eq!(change.root, pages.root);
        prop_assert!(change.pages.is_empty());
    }

    #[test]
    fn pages_decode_only_from_canonical_bytes(
        leaves in any_leaves(2..30),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let pages = Pages::of(&leaves);
        for (key, bytes) in &pages.stored {
            let id = PageId::from_key(key).unwrap();
            let mut flipped = bytes.clone();
            let at = at.index(flipped.len());
            flipped[at] ^= 1 << bit;
            if let Some(page) = Page::decode(id, &flipped) {
                prop_assert_eq!(page.encode(), flipped);
            }
            prop_assert!(Page::decode(id, &bytes[..bytes.len() - 1]).is_none());
            prop_assert!(Page::decode(id, &[&bytes[..], &[0]].concat()).is_none());
        }
    }
}

#[test]
fn two_labels_that_differ_in_the_last_bit_take_64_pages() {
    let (first, second) = (Hash([0xa5; 32]), near(Hash([0xa5; 32]), 255, Hash::ZERO));
    let leaves = [leaf(first, 1), leaf(second, 2)];
    let mut pages = Pages::default();
    pages.put(&leaves[..1]);
    assert_eq!(pages.stored.len(), 1);
    assert_eq!(pages.root, leaves[0].hash());
    pages.put(&leaves[1..]);
    assert_eq!(pages.stored.len(), 64);
    let expected: Leaves = leaves
        .iter()
        .map(|leaf| (leaf.label, (leaf.seqno, leaf.commitment)))
        .collect();
    check(&pages, &expected);
}

#[test]
fn ids_have_short_keys_in_order() {
    let label = Hash([0xab; 32]);
    assert_eq!(PageId::ROOT.key(), [0]);
    assert_eq!(PageId::on_path(&label, 1).unwrap().key(), [1, 0xa0]);
    assert_eq!(PageId::on_path(&label, 2).unwrap().key(), [2, 0xab]);
    assert_eq!(PageId::on_path(&label, 3).unwrap().key(), [3, 0xab, 0xa0]);
    assert_eq!(PageId::on_path(&label, 63).unwrap().key().len(), 33);
    assert_eq!(PageId::on_path(&label, 64), None);
    assert_eq!(PageId::from_key(&[]), None);
    assert_eq!(PageId::from_key(&[1]), None);
    assert_eq!(PageId::from_key(&[1, 0xab]), None);
    assert_eq!(PageId::from_key(&[64, 0]), None);
    let third = PageId::on_path(&label, 3).unwrap();
    assert_eq!(PageId::on_path(&label, 2).unwrap().child(0xa), Some(third));
    assert_eq!(third.child(16), None);
    assert_eq!(PageId::on_path(&label, 63).unwrap().child(0), None);
    assert_eq!(third.to_string(), "3:aba");
}

proptest! {
    #[test]
    fn keys_are_injective_and_in_order(
        a in any_label(), b in any_label(), deep in 0_u8..64, other in 0_u8..64,
    ) {
        let (left, right) = (PageId::on_path(&a, deep).unwrap(), PageId::on_path(&b, other).unwrap());
        prop_assert_eq!(left.cmp(&right), left.key().cmp(&right.key()));
        prop_assert_eq!(PageId::from_key(&left.key()), Some(left));
        prop_assert!(left.covers(&a));
        prop_assert_eq!(left == right, left.key() == right.key());
    }
}

#[test]
fn the_empty_map_has_a_zero_root_and_no_pages() {
    let pages = Pages::default();
    for batch in [MapBatch::load(vec![]), MapBatch::new(vec![]).unwrap()] {
        assert_eq!(batch.wanted(), [PageId::ROOT]);
        assert_eq!(batch.clone().finish(), Err(MapError::Unfinished));
        let change = pages.load(batch).unwrap().finish().unwrap();
        assert_eq!((change.root, change.pages), (Hash::ZERO, vec![]));
    }
    let read = pages.read(Hash([1; 32])).unwrap();
    assert_eq!(read.root(), Ok(Hash::ZERO));
}

#[test]
fn duplicates_and_unknown_labels_are_refused() {
    let label = Hash([1; 32]);
    let twice = MapBatch::new(vec![leaf(label, 1), leaf(Hash([2; 32]), 1), leaf(label, 2)]);
    assert_eq!(twice.unwrap_err(), MapError::DuplicateLabel(label));
    let mut batch = MapBatch::load(vec![label, label]);
    assert_eq!(
        batch.set(&Hash([2; 32]), 1, label),
        Err(MapError::UnknownLabel(Hash([2; 32])))
    );
    assert_eq!(batch.set(&label, 1, label), Ok(()));
    assert_eq!(batch.current(&Hash([2; 32])), None);
    let mut pages = Pages::default();
    pages.store(pages.load(batch).unwrap().finish().unwrap());
    assert_eq!(
        pages.root,
        MapLeaf {
            label,
            seqno: 1,
            commitment: label
        }
        .hash()
    );
}

#[test]
fn only_wanted_and_whole_pages_are_taken() {
    let (first, second) = (Hash([0xa5; 32]), near(Hash([0xa5; 32]), 5, Hash::ZERO));
    let mut pages = Pages::default();
    pages.put(&[leaf(first, 1), leaf(second, 1)]);
    let below = PageId::on_path(&first, 1).unwrap();
    let mut batch = MapBatch::load(vec![first]);
    assert_eq!(
        batch.supply(below, pages.get(below)),
        Err(MapError::Unwanted(below))
    );
    let malformed = Err(MapError::MalformedPage(PageId::ROOT));
    assert_eq!(batch.supply(PageId::ROOT, Some(&[])), malformed);
    assert_eq!(batch.supply(PageId::ROOT, pages.get(below)), malformed);
    assert_eq!(batch.supply(PageId::ROOT, pages.get(PageId::ROOT)), Ok(()));
    assert_eq!(batch.wanted(), [below]);
    assert_eq!(
        batch.supply(PageId::ROOT, None),
        Err(MapError::Unwanted(PageId::ROOT))
    );
    assert_eq!(batch.supply(below, None), Err(MapError::MissingPage(below)));
    assert_eq!(batch.supply(below, pages.get(below)), Ok(()));
    assert_eq!(batch.wanted(), []);
    assert_eq!(batch.current(&first), Some(leaf(first, 1)));
}

#[test]
fn pages_that_should_not_exist_do_not_decode() {
    let label = Hash([0xa5; 32]);
    let (mut one, mut two) = (Pages::default(), Pages::default());
    one.put(&[leaf(label, 1)]);
    let root_page = one.get(PageId::ROOT).unwrap();
    let page = Page::decode(PageId::ROOT, root_page).unwrap();
    assert_eq!(page.hash(), leaf(label, 1).hash());
    assert!(
        Page::decode(PageId::on_path(&label, 2).unwrap(), root_page).is_none(),
        "one leaf"
    );
    assert!(
        Page::decode(PageId::ROOT, &[1, 0, 0, 0, 0]).is_none(),
        "no leaf"
    );
    two.put(&[leaf(label, 1), leaf(near(label, 255, Hash::ZERO), 1)]);
    let deepest = PageId::on_path(&label, 63).unwrap();
    assert!(Page::decode(deepest, two.get(deepest).unwrap()).is_some());
    let chain = two.get(PageId::on_path(&label, 61).unwrap()).unwrap();
    assert!(
        Page::decode(deepest, chain).is_none(),
        "a child below the deepest page"
    );
    let mut zero_child = chain.to_vec();
    zero_child[5..].fill(0);
    assert!(Page::decode(PageId::on_path(&label, 61).unwrap(), &zero_child).is_none());
    let mut version = root_page.to_vec();
    version[0] = 2;
    assert!(Page::decode(PageId::ROOT, &version).is_none());
}
