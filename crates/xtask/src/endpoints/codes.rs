//! Wire codes: every negative number in a door's `error.rs` is shown by some snapshot.

use std::collections::BTreeMap;

use crate::endpoints::snapshots::Snapshot;
use crate::finding::Finding;
use crate::source::{is_word, line_of};

/// Codes that a door's table has to name because it is total, but no request can reach, with the
/// reason.
const UNREACHABLE: &[(&str, i64, &str)] = &[
    ("door-toxme", -28, "only the edit form asks for a password"),
    ("door-web", -30, "a key that nobody has is an empty search"),
    ("door-web", -31, "what is no key is looked for as a name"),
    (
        "door-web",
        -41,
        "names elsewhere are left to their own server",
    ),
];

/// Findings for codes no snapshot shows.
pub(crate) fn coverage(file: &str, code: &str, snapshots: &[Snapshot]) -> Vec<Finding> {
    codes(code)
        .into_iter()
        .filter(|(number, _)| !is_unreachable(file, *number))
        .filter(|(number, _)| {
            !snapshots
                .iter()
                .any(|snapshot| shows(&snapshot.text, *number))
        })
        .map(|(number, line)| {
            Finding::new(file, line, format!("no snapshot shows the code {number}"))
        })
        .collect()
}

fn is_unreachable(file: &str, number: i64) -> bool {
    UNREACHABLE
        .iter()
        .any(|(door, code, _)| *code == number && file.starts_with(&format!("crates/{door}/")))
}

/// Negative literals, with the line of their first use.
fn codes(code: &str) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    for (at, _) in code.match_indices('-') {
        let digits: String = code
            .get(at + 1..)
            .unwrap_or_default()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let before = code
            .get(..at)
            .unwrap_or_default()
            .trim_end()
            .bytes()
            .last()
            .unwrap_or(b' ');
        // After a value it is a subtraction.
        let is_subtraction = is_word(before) || matches!(before, b')' | b']');
        if let Ok(number) = digits.parse::<i64>()
            && !is_subtraction
        {
            found.entry(-number).or_insert_with(|| line_of(code, at));
        }
    }
    found
}

/// As a field of a reply, `"c": -3`, or as a page shows it, `(-3)`.
fn shows(text: &str, number: i64) -> bool {
    let field = format!("\"c\": {number}");
    let is_end = |at: usize| !text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let in_field = text
        .match_indices(&field)
        .any(|(at, it)| is_end(at + it.len()));
    in_field || text.contains(&format!("({number})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_negative_literals_only() {
        let code =
            "fn f(a: i64) -> i64 { match a { 1 => -3, 2 => -41, _ => a - 5 + b -6 } }\nX(-3)";
        assert_eq!(
            codes(code).into_iter().collect::<Vec<_>>(),
            [(-41, 1), (-3, 1)]
        );
    }

    #[test]
    fn a_code_without_a_snapshot_is_found() {
        let text = "POST /api\n\n{}\n\n400\n\n{\"c\": -41}".to_owned();
        let snapshots = [Snapshot {
            file: "s".to_owned(),
            text,
            exchanges: Vec::new(),
        }];
        let found = coverage("error.rs", "a(-41)\nb(-4)\n", &snapshots);
        assert_eq!(
            found,
            [Finding::new("error.rs", 2, "no snapshot shows the code -4")]
        );
    }

    #[test]
    fn a_code_is_unreachable_in_its_own_door_only() {
        assert!(is_unreachable("crates/door-toxme/src/error.rs", -28));
        assert!(!is_unreachable("crates/door-web/src/error.rs", -28));
        assert!(!is_unreachable("crates/door-toxme/src/error.rs", -3));
    }

    #[test]
    fn a_page_shows_its_code_in_brackets() {
        assert!(shows("<p>Password incorrect. (-28)</p>", -28));
        assert!(!shows("{\"c\": -28}", -2));
    }
}
