//! The index beside a sorted set.

use std::collections::BTreeSet;

use crate::limits;
use crate::types::UnixMillis;

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn change(text: &str, seqno: u32, state: NameState) -> NameChange {
    NameChange {
        name: name(text),
        seqno: Seqno::new(seqno).unwrap(),
        state,
    }
}

/// An index that was loaded from these rows.
fn loaded(rows: &[(&str, NameState)]) -> NameIndex {
    let index = NameIndex::default();
    index.begin_load();
    index.load(rows.iter().map(|(text, state)| (name(text), *state)));
    index.end_load();
    index
}

fn show(index: &NameIndex, text: &str) {
    index.apply(&change(text, 1, NameState::Searchable));
}

fn hide(index: &NameIndex, text: &str) {
    index.apply(&change(text, 1, NameState::Private));
}

#[test]
fn of_two_changes_the_newer_one_stays_whichever_comes_first() {
    use NameState::{Gone, Private, Searchable};
    for (state, expect) in [(Searchable, 1), (Private, 0), (Gone, 0)] {
        for order in [[2, 3], [3, 2]] {
            let index = loaded(&[]);
            show(&index, "alice");
            for seqno in order {
                let state = if seqno == 3 { state } else { Searchable };
                index.apply(&change("alice", seqno, state));
            }
            assert_eq!(
                texts(&index, "alice", 0, 30).len(),
                expect,
                "{state:?} {order:?}"
            );
            assert_eq!(index.total(), u64::from(state != Gone));
        }
    }
}

#[test]
fn changes_during_the_load_are_neither_lost_nor_counted_twice() {
    use NameState::{Gone, Private, Searchable};
    let index = NameIndex::default();
    index.begin_load();
    // The scan reads old rows of all but "new"; commits overtake it before and after.
    index.apply(&change("gone", 5, Gone));
    index.apply(&change("hidden", 5, Private));
    index.apply(&change("new", 1, Searchable));
    index.load(
        ["gone", "hidden", "late"]
            .map(|text| (name(text), Searchable))
            .into_iter(),
    );
    assert_eq!(index.total(), 3, "hidden, late, new");
    assert!(!index.is_loaded());
    index.load([(name("private"), Private), (name("steady"), Searchable)].into_iter());
    index.apply(&change("late", 9, Gone));
    index.end_load();
    assert_eq!(texts(&index, "", 0, 30), ["new", "steady"]);
    assert_eq!(index.total(), 4, "hidden, new, private, steady");
    for _ in 0..2 {
        index.apply(&change("steady", 2, Gone));
        index.apply(&change("private", 2, Private));
        assert_eq!(index.total(), 3);
    }
}

#[test]
fn while_it_is_loaded_anew_searches_see_what_they_saw() {
    use NameState::{Gone, Private, Searchable};
    let index = loaded(&[("alice", Searchable), ("bob", Searchable)]);
    // A scan that failed half-way leaves nothing.
    index.begin_load();
    index.load([(name("mallory"), Searchable)].into_iter());
    index.begin_load();
    index.load([(name("alice"), Private)].into_iter());
    index.apply(&change("carol", 1, Searchable));
    assert_eq!(texts(&index, "", 0, 30), ["alice", "bob", "carol"]);
    assert_eq!(index.total(), 3);
    index.apply(&change("carol", 2, Gone));
    index.load([(name("dave"), Searchable)].into_iter());
    index.end_load();
    assert_eq!(texts(&index, "", 0, 30), ["dave"]);
    assert_eq!(index.total(), 2);
}

fn texts(index: &NameIndex, fragment: &str, skip: u64, limit: usize) -> Vec<String> {
    finish(index, Search::new(fragment, skip, limit)).0
}

/// What a search finds, and in how many steps.
fn finish(index: &NameIndex, mut search: Search) -> (Vec<String>, usize) {
    let mut steps = 0;
    while !search.is_done() {
        index.search_on(&mut search);
        steps += 1;
    }
    (search.found().iter().map(Name::to_string).collect(), steps)
}

#[test]
fn matches_come_in_order_and_in_pages() {
    let index = NameIndex::default();
    for text in ["carol", "alice", "bob", "malice", "alice", "100%", "%"] {
        show(&index, text);
    }
    assert_eq!(texts(&index, "lic", 0, 30), ["alice", "malice"]);
    assert_eq!(texts(&index, "lic", 1, 30), ["malice"]);
    assert_eq!(texts(&index, "l", 1, 1), ["carol"]);
    assert_eq!(texts(&index, "%", 0, 30), ["%", "100%"]);
    assert_eq!(texts(&index, "x", 0, 30), [""; 0]);
    hide(&index, "alice");
    hide(&index, "nobody");
    assert_eq!(texts(&index, "lic", 0, 30), ["malice"]);
}

#[test]
fn a_fragment_does_not_match_across_names() {
    let index = NameIndex::default();
    show(&index, "ab");
    show(&index, "cd");
    assert_eq!(texts(&index, "bc", 0, 30), [""; 0]);
    assert_eq!(texts(&index, "b\nc", 0, 30), [""; 0]);
}

#[test]
fn many_names_behave_like_a_sorted_set() {
    let (index, mut model) = (NameIndex::default(), BTreeSet::new());
    let mut state = 7_u64;
    for _ in 0..40_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let text = format!("n{:x}", (state >> 33) % 20_000);
        if state >> 63 == 0 {
            show(&index, &text);
            model.insert(text);
        } else {
            hide(&index, &text);
            model.remove(&text);
        }
    }
    let largest = index.read().shown.searchable.largest_piece();
    assert!(largest <= sorted::PIECE_BYTES_MAX);
    assert_eq!(index.read().shown.searchable.len(), model.len());
    for fragment in ["n1", "ff", "0", "n4e1f"] {
        let expect: Vec<_> = model
            .iter()
            .filter(|text| text.contains(fragment))
            .skip(3)
            .take(30)
            .collect();
        assert_eq!(
            texts(&index, fragment, 3, 30).iter().collect::<Vec<_>>(),
            expect
        );
    }
    assert_eq!(
        texts(&index, "n", 0, usize::MAX),
        model.into_iter().collect::<Vec<_>>()
    );
}

/// An index of `name00000`, `name00001` and so on.
fn numbered(count: usize) -> NameIndex {
    let index = NameIndex::default();
    index.begin_load();
    let names = (0..count).map(|number| name(&format!("name{number:05}")));
    index.load(names.map(|name| (name, NameState::Searchable)));
    index.end_load();
    index
}

#[test]
fn a_long_search_goes_in_short_steps_and_misses_nothing() {
    const COUNT: usize = 60_000;
    let index = numbered(COUNT);
    let step = limits::SEARCH_STEP_PIECES * sorted::PIECE_BYTES_MAX;
    let (found, steps) = finish(&index, Search::new("nobody", 0, 30));
    assert_eq!(found, [""; 0]);
    assert_eq!(steps, (COUNT * "name00000\n".len()).div_ceil(step));
    let (found, steps) = finish(&index, Search::new("name", 0, 30));
    assert_eq!((found.len(), steps), (30, 1));
    assert_eq!(texts(&index, "name", 0, usize::MAX).len(), COUNT);
    let ends: Vec<String> = texts(&index, "777", 0, usize::MAX);
    let expect = (0..COUNT).map(|number| format!("name{number:05}"));
    let expect: Vec<String> = expect.filter(|text| text.contains("777")).collect();
    assert_eq!(ends, expect);

    // What comes and goes while it runs moves nothing else.
    let mut search = Search::new("5999", 0, 30);
    let mut number = 0;
    while !search.is_done() {
        index.search_on(&mut search);
        number += 1;
        show(&index, &format!("a{number}"));
        hide(&index, &format!("name{:05}", number * 20_000));
    }
    assert!(number > 2);
    let found: Vec<String> = search.found().iter().map(Name::to_string).collect();
    assert_eq!(found.len(), 16, "{found:?}");
}

#[test]
fn a_search_shows_so_many_pages_and_no_more() {
    let index = numbered(30_100);
    let page = |page| finish(&index, Search::page("name", page));
    let (last, _) = page(999);
    assert_eq!((last.len(), last[29].as_str()), (30, "name29999"));
    for number in [1000, 1001, u64::MAX] {
        assert_eq!(page(number), (vec![], 0), "{number}");
    }
}

fn listed(index: &NameIndex, skip: u64, limit: usize) -> Vec<String> {
    let names = index.listed(skip, limit);
    names.iter().map(Name::to_string).collect()
}

#[test]
fn the_public_list_is_by_the_newest_change() {
    use NameState::{Gone, Listed, Private, Searchable};
    let at = |ms| Listed(UnixMillis(ms));
    let index = loaded(&[("a", at(5)), ("b", at(7)), ("c", Searchable), ("d", at(5))]);
    assert_eq!(listed(&index, 0, 30), ["b", "a", "d"]);
    assert_eq!(texts(&index, "", 0, 30), ["a", "b", "c", "d"]);
    for (text, seqno, state, expect) in [
        ("a", 2, at(9), &["a", "b", "d"][..]),
        ("a", 2, at(9), &["a", "b", "d"]),
        ("a", 1, at(8), &["a", "b", "d"]),
        ("c", 2, at(8), &["a", "c", "b", "d"]),
        ("ab", 1, at(0), &["a", "c", "b", "d", "ab"]),
        ("b", 2, Searchable, &["a", "c", "d", "ab"]),
        ("c", 3, Private, &["a", "d", "ab"]),
        ("d", 2, Gone, &["a", "ab"]),
        ("d", 3, at(u64::MAX), &["d", "a", "ab"]),
    ] {
        index.apply(&change(text, seqno, state));
        assert_eq!(listed(&index, 0, 30), expect, "{text} {seqno}");
    }
    assert_eq!(listed(&index, 1, 1), ["a"]);
    assert_eq!(listed(&index, 3, 30), [""; 0]);
    assert_eq!(listed(&index, u64::MAX, 30), [""; 0]);
    // What is loaded anew is the list of then.
    index.begin_load();
    index.apply(&change("e", 1, at(1)));
    index.load([(name("a"), at(3)), (name("e"), at(2))].into_iter());
    assert_eq!(listed(&index, 0, 30), ["d", "a", "e", "ab"]);
    index.end_load();
    assert_eq!(listed(&index, 0, 30), ["a", "e"]);
}

#[test]
fn a_long_public_list_behaves_like_a_sorted_set() {
    use std::cmp::Reverse;
    let (index, mut model) = (NameIndex::default(), HashMap::new());
    let mut state = 11_u64;
    for step in 0..30_000_u64 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let text = format!("n{:x}", (state >> 33) % 9_000);
        // Times that repeat, so that names decide too, and that span all bytes.
        let time = ((state >> 40) % 500) << (step % 33);
        let (state, seqno) = if state >> 62 == 0 {
            model.remove(&text);
            (NameState::Private, 1)
        } else {
            model.insert(text.clone(), time);
            (NameState::Listed(UnixMillis(time)), 1)
        };
        index.apply(&change(&text, seqno, state));
    }
    let mut expect: Vec<_> = model
        .iter()
        .map(|(name, at)| (Reverse(*at), name.clone()))
        .collect();
    expect.sort();
    let expect: Vec<String> = expect.into_iter().map(|(_, name)| name).collect();
    assert_eq!(listed(&index, 0, usize::MAX), expect);
    assert!(expect.len() > 5_000);
    for skip in [0, 1, 29, 30, 777, 4_000, expect.len() - 1, expect.len()] {
        let page: Vec<_> = expect.iter().skip(skip).take(30).cloned().collect();
        assert_eq!(listed(&index, skip as u64, 30), page, "{skip}");
    }
    for text in &expect {
        index.apply(&change(text, 2, NameState::Gone));
    }
    assert_eq!(listed(&index, 0, 30), [""; 0]);
}

#[test]
fn pieces_are_full_when_lines_come_in_order_and_merged_when_they_go() {
    const MOST: usize = 1000;
    let line = |number: usize| format!("{number:05}");
    let shuffled = |number: usize| number * 7919 % 10_000;
    for order in [|number| number, |number| 9_999 - number, shuffled] {
        let mut lines = lines::Lines::new(MOST);
        for number in 0..10_000 {
            lines.insert(line(order(number)).as_bytes());
        }
        assert!(lines.largest_piece() <= MOST);
        assert_eq!(lines.len(), 10_000);
        let pieces = lines.texts_from(b"").count();
        let is_random = order(1) == 7919;
        assert!(pieces <= if is_random { 95 } else { 61 }, "{pieces}");
        // One of a hundred stays.
        for number in (0..10_000).filter(|number| number % 100 != 3) {
            lines.remove(line(order(number)).as_bytes());
        }
        let left: Vec<&[u8]> = lines.from(0).collect();
        assert_eq!(left.len(), 100);
        assert!(left.is_sorted());
        let pieces = lines.texts_from(b"").count();
        assert!(pieces <= 4, "{pieces}");
        assert_eq!(lines.from(98).count(), 2);
        assert_eq!(lines.at_or_after(b"99999"), None);
        assert_eq!(lines.at_or_after(b""), left.first().copied());
    }
}
