use std::collections::BTreeMap;

use merkle::Hash;
use proptest::prelude::*;

use super::*;
use crate::claims::{Order, Sort};
use crate::tables::ClaimEntry;
use crate::types::fold;

const SORTS: [Sort; 8] = [
    Sort::Default,
    Sort::ActivatedAt,
    Sort::CreatedAt,
    Sort::LastCheckedAt,
    Sort::ProofChainId,
    Sort::Platform,
    Sort::Identity,
    Sort::AltId,
];

fn label(byte: u8) -> Label {
    Label(Hash([byte; 32]))
}

/// All claims, looked through one by one.
type Model = BTreeMap<Label, AvatarRow>;

type Place = (i128, String, u64, Label, u32);

/// What a claim is sorted by, as the document of the API has it.
fn key(label: Label, row: &AvatarRow, claim: &ClaimEntry, sort: Sort) -> Place {
    let number = match sort {
        Sort::Default | Sort::CreatedAt => i128::from(claim.created_at_ms),
        Sort::ActivatedAt => i128::from(row.activated_at),
        Sort::LastCheckedAt => i128::from(claim.checked_at_ms),
        Sort::ProofChainId => i128::from(claim.linked_at_ms),
        Sort::Platform | Sort::Identity | Sort::AltId => 0,
    };
    let text = match sort {
        Sort::Platform => claim.service.clone(),
        Sort::Identity => fold(&claim.identity),
        Sort::AltId => fold(&claim.alt_id),
        Sort::Default
        | Sort::CreatedAt
        | Sort::ActivatedAt
        | Sort::LastCheckedAt
        | Sort::ProofChainId => String::new(),
    };
    (number, text, claim.created_at_ms, label, claim.first_seqno)
}

fn matches(claim: &ClaimEntry, sought: &Match<'_>) -> bool {
    let Match::Accounts {
        service,
        names,
        exact,
    } = sought
    else {
        return true;
    };
    let has = |text: &str, name: &String| match exact {
        true => fold(text) == *name,
        false => fold(text).contains(name.as_str()),
    };
    let is_called = |name| has(&claim.identity, name) || has(&claim.alt_id, name);
    service.is_none_or(|service| service == claim.service) && names.iter().any(is_called)
}

/// The whole list in its order: labels of matching claims, of avatars once if so sorted.
fn model_list(model: &Model, sought: &Match<'_>, sort: Sort, order: Order) -> Vec<Label> {
    let mut found = Vec::new();
    for (label, row) in model {
        for claim in row.claims.iter().filter(|claim| matches(claim, sought)) {
            // Of an avatar any claim stands for all.
            let none = ClaimEntry::default();
            let is_avatar = sort == Sort::ActivatedAt;
            let place = key(*label, row, if is_avatar { &none } else { claim }, sort);
            found.push((place, *label));
        }
    }
    found.sort();
    if sort == Sort::ActivatedAt {
        found.dedup();
    }
    if order == Order::Desc {
        found.reverse();
    }
    found.into_iter().map(|(_, label)| label).collect()
}

fn distinct(labels: &[Label]) -> Vec<Label> {
    let mut distinct = Vec::new();
    for label in labels {
        if !distinct.contains(label) {
            distinct.push(*label);
        }
    }
    distinct
}

fn claim() -> impl Strategy<Value = ClaimEntry> {
    let name = || "[abAB\u{e4}\u{c4}]{1,4}";
    let times = (0..4_u64, 0..4_u64, 0..4_u64);
    (
        "[pqr]",
        name(),
        prop_oneof![Just(String::new()), name().boxed()],
        times,
    )
        .prop_map(
            |(service, identity, alt_id, (created_at_ms, linked_at_ms, checked_at_ms))| {
                ClaimEntry {
                    service,
                    identity,
                    alt_id,
                    created_at_ms,
                    linked_at_ms,
                    checked_at_ms,
                    ..ClaimEntry::default()
                }
            },
        )
}

/// An avatar and what it becomes.
fn change() -> impl Strategy<Value = (u8, AvatarRow)> {
    let claims = prop::collection::vec(claim(), 0..5);
    (0..6_u8, claims, -3..3_i64).prop_map(|(label, claims, activated_at)| {
        let mut row = AvatarRow {
            activated_at,
            claims,
            ..AvatarRow::default()
        };
        for (at, claim) in (1..).zip(&mut row.claims) {
            claim.first_seqno = at;
        }
        (label, row)
    })
}

proptest! {
    #[test]
    fn the_index_finds_and_sorts_as_a_list_does(
        changes in prop::collection::vec(change(), 1..24),
        names in prop::collection::vec("[ab\u{e4}]{1,3}", 1..3),
        service in prop::option::of("[pqrs]"),
        exact: bool,
        (sort, asc) in (prop::sample::select(&SORTS[..]), any::<bool>()),
        (page, per) in (0..6_usize, 1..5_usize),
    ) {
        let (index, mut model) = (ClaimIndex::default(), Model::new());
        for (revision, (of, row)) in (1..).zip(changes) {
            let row = AvatarRow { revision, ..row };
            index.apply(label(of), &row);
            model.insert(label(of), row);
        }
        let sought = Match::Accounts { service: service.as_deref(), names: &names, exact };
        let order = if asc { Order::Asc } else { Order::Desc };
        let all = model_list(&model, &sought, sort, order);
        let skip = (page * per) as u64;
        let found = index.find(&sought, &Window { skip, limit: per, sort, order });
        let rows: Vec<Label> = all.iter().skip(page * per).take(per).copied().collect();
        prop_assert_eq!(found.total, all.len() as u64);
        // Claims that nothing tells apart may come in any order.
        let mut labels = (found.labels, distinct(&rows));
        if sort == Sort::ActivatedAt || model.len() == 1 {
            prop_assert_eq!(&labels.0, &labels.1);
        }
        labels.0.sort();
        labels.1.sort();
        prop_assert_eq!(labels.0, labels.1);
    }

    #[test]
    fn changes_may_come_twice_and_in_any_order(
        changes in prop::collection::vec(change(), 1..16),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let rows: Vec<_> = (1..)
            .zip(changes)
            .map(|(revision, (of, row))| (label(of), AvatarRow { revision, ..row }))
            .collect();
        let (straight, mixed) = (ClaimIndex::default(), ClaimIndex::default());
        for (label, row) in &rows {
            straight.apply(*label, row);
        }
        for (label, row) in order.iter().map(|at| at.get(&rows)).chain(rows.iter().rev()) {
            mixed.apply(*label, row);
        }
        prop_assert_eq!(straight.total(), mixed.total());
        for sort in SORTS {
            let window = Window { skip: 0, limit: 99, sort, order: Order::Asc };
            let (one, two) = (straight.find(&Match::All, &window), mixed.find(&Match::All, &window));
            prop_assert_eq!(one.total, two.total);
        }
    }
}

fn row(revision: u64, names: &[&str]) -> AvatarRow {
    let claim = |name: &&str| ClaimEntry {
        service: "p".into(),
        identity: (*name).into(),
        ..ClaimEntry::default()
    };
    AvatarRow {
        revision,
        claims: names.iter().map(claim).collect(),
        ..AvatarRow::default()
    }
}

fn count(index: &ClaimIndex, name: &str) -> u64 {
    let names = [name.to_owned()];
    let sought = Match::Accounts {
        service: None,
        names: &names,
        exact: false,
    };
    let window = Window {
        skip: 0,
        limit: 1,
        sort: Sort::Default,
        order: Order::Desc,
    };
    index.find(&sought, &window).total
}

#[test]
fn what_is_dead_is_written_over_some_time_and_never_found() {
    let index = ClaimIndex::default();
    index.apply(label(1), &row(1, &["stays"]));
    for revision in 1..5_000 {
        let name = format!("name{revision}");
        index.apply(label(2), &row(revision, &[&name]));
        assert_eq!((index.total(), count(&index, "name")), (2, 1));
        assert_eq!(count(&index, &name), 1);
    }
    assert_eq!(count(&index, "stays"), 1);
    let slots = index.read().shown.written();
    assert!(slots < 2_200, "{slots}");
}

#[test]
fn a_scan_and_changes_meanwhile_give_the_newest_of_both() {
    let index = ClaimIndex::default();
    index.apply(label(1), &row(2, &["new"]));
    index.begin_load();
    index.apply(label(2), &row(5, &["newer"]));
    let old = [(label(1), row(2, &["new"])), (label(2), row(4, &["old"]))];
    index.load(old.iter().map(|(label, row)| (*label, row)));
    assert!(!index.is_loaded());
    index.end_load();
    assert!(index.is_loaded());
    assert_eq!((count(&index, "new"), count(&index, "old")), (2, 0));
    index.apply(label(2), &row(6, &[]));
    assert_eq!((index.total(), count(&index, "newer")), (1, 0));
}

#[test]
fn names_do_not_run_into_each_other() {
    let index = ClaimIndex::default();
    let mut both = row(1, &["ab", "cd"]);
    both.claims[0].alt_id = "xy".into();
    index.apply(label(1), &both);
    for (name, expect) in [
        ("ab", 1),
        ("xy", 1),
        ("abx", 0),
        ("yc", 0),
        ("b", 1),
        ("d", 1),
    ] {
        assert_eq!(count(&index, name), expect, "{name}");
    }
}
