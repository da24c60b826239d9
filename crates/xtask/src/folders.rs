//! Which folder of the engine may use which: paths in the source against an order.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::finding::Finding;
use crate::source::{Source, is_word, line_of};
use crate::{Outcome, shown, tree};

/// The engine's folders from left to right: a folder may use those of earlier groups, and members
/// of its own group as long as that makes no circle. The first groups are one thing in several
/// files, so circles are allowed there.
const GROUPS: &[Group] = &[
    Group {
        members: &["types", "error", "limits", "dialects"],
        circles: true,
    },
    Group {
        members: &["ports"],
        circles: true,
    },
    Group {
        members: &["tx", "table", "tables", "rate", "marks", "pages"],
        circles: true,
    },
    Group {
        members: &["processes"],
        circles: false,
    },
    Group {
        members: &["outbox", "log"],
        circles: false,
    },
    Group {
        members: &["chain"],
        circles: false,
    },
    Group {
        members: &["names", "keys", "claims", "accounts"],
        circles: false,
    },
    Group {
        members: &["statements"],
        circles: false,
    },
    Group {
        members: &["prekeys", "contacts", "mailbox", "attachments"],
        circles: false,
    },
    Group {
        members: &["identities"],
        circles: false,
    },
    Group {
        members: &[
            "figures",
            "jobs",
            "reconcile",
            "moving",
            "statistics",
            "parsers",
        ],
        circles: false,
    },
];

struct Group {
    members: &'static [&'static str],
    circles: bool,
}

/// Files that assemble the rest: they may use everything, and everything may name `engine`.
const EXEMPT: &[&str] = &["lib", "engine", "open"];

/// A use of one folder by another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Use {
    from: String,
    /// First path segment after `crate`.
    to: String,
    file: String,
    line: usize,
}

/// Checks `crates/engine/src`.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    let folder = root.join("crates/engine/src");
    let mut uses = Vec::new();
    let mut findings = Vec::new();
    let files = tree::files(&folder, "rs")?;
    for path in &files {
        let inside = shown(&folder, path);
        let file = shown(root, path);
        let module = module_path(&inside);
        let Some(first) = module.first() else {
            continue;
        };
        if EXEMPT.contains(&first.as_str()) {
            continue;
        }
        if rank(first).is_none() && !is_tests(&inside) {
            findings.push(Finding::new(
                &file,
                1,
                format!("folder {first} has no place in the order"),
            ));
        }
        if !is_tests(&inside) {
            uses.extend(uses_of(&tree::text(path)?, &module, &file));
        }
    }
    findings.extend(uses.iter().filter_map(objection));
    findings.extend(circles(&uses));
    let looked_at = vec![format!("{} engine files, {} uses", files.len(), uses.len())];
    Ok(Outcome {
        findings,
        looked_at,
    })
}

fn is_tests(inside: &str) -> bool {
    inside
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs")
}

/// `names/index.rs` is `[names, index]`, `names/mod.rs` and `names.rs` are `[names]`.
fn module_path(inside: &str) -> Vec<String> {
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if parts.len() > 1 && parts.last().is_some_and(|it| it == "mod") {
        parts.pop();
    }
    parts
}

fn rank(folder: &str) -> Option<usize> {
    GROUPS
        .iter()
        .position(|group| group.members.contains(&folder))
}

/// Every use of another folder in a file, tests apart.
fn uses_of(text: &str, module: &[String], file: &str) -> Vec<Use> {
    let code = Source::new(text).shipped_code();
    let mut uses = Vec::new();
    for (offset, tail) in rooted_paths(&code, module.len()) {
        for (at, to) in first_segments(tail) {
            let from = module.first().cloned().unwrap_or_default();
            if to != from {
                let line = line_of(&code, offset + at);
                uses.push(Use {
                    from,
                    to,
                    file: file.to_owned(),
                    line,
                });
            }
        }
    }
    uses
}

/// What follows `crate::`, or follows so many `super::` that the root is reached, with its offset.
///
/// An inline module needs one `super` more than counted here; such a path is taken as rooted,
/// which can only find too much.
fn rooted_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (word, marker) in [(1, "crate::"), (depth, "super::")] {
        let prefix = marker.repeat(word);
        for (at, _) in code.match_indices(&prefix) {
            let before = code
                .as_bytes()
                .get(at.wrapping_sub(1))
                .copied()
                .unwrap_or(b' ');
            let mut start = at + prefix.len();
            while code
                .get(start..)
                .is_some_and(|it| it.starts_with("super::"))
            {
                start += "super::".len();
            }
            let is_whole = !is_word(before) && before != b':';
            if let Some(tail) = code.get(start..).filter(|_| is_whole) {
                found.push((start, tail));
            }
        }
    }
    found
}

/// The first segments of a path's tail: one, or one per branch of a group. Macros are left out,
/// since all live at the root.
fn first_segments(tail: &str) -> Vec<(usize, String)> {
    let Some(group) = tail.strip_prefix('{') else {
        return segment(tail, 0).into_iter().collect();
    };
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut expects_name = true;
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b',' if depth == 0 => expects_name = true,
            _ if is_word(byte) && expects_name && depth == 0 => {
                expects_name = false;
                found.extend(segment(group.get(at..).unwrap_or_default(), at + 1));
            }
            _ => {}
        }
    }
    found
}

fn segment(text: &str, offset: usize) -> Option<(usize, String)> {
    let name: String = text
        .chars()
        .take_while(|c| c.is_ascii() && is_word(*c as u8))
        .collect();
    let is_macro = text.get(name.len()..).is_some_and(|it| it.starts_with('!'));
    let is_known_macro = name == "in_tx";
    (!name.is_empty() && !is_macro && !is_known_macro).then_some((offset, name))
}

fn objection(found: &Use) -> Option<Finding> {
    let (from, to) = (found.from.as_str(), found.to.as_str());
    if to == "Engine" || EXEMPT.contains(&to) || to == "self" {
        return None;
    }
    let finding = |message| Some(Finding::new(&found.file, found.line, message));
    let Some(there) = rank(to) else {
        return finding(format!("crate::{to} hides its folder: name the folder"));
    };
    // A folder without a place is reported once, by its file.
    let here = rank(from)?;
    (there > here)
        .then(|| format!("{from} may not use {to}, which is to its right"))
        .and_then(finding)
}

/// Uses that are part of a circle inside a group that allows none.
fn circles(uses: &[Use]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for group in GROUPS.iter().filter(|group| !group.circles) {
        let is_member = |name: &str| group.members.contains(&name);
        let inside: Vec<&Use> = uses
            .iter()
            .filter(|it| is_member(&it.from) && is_member(&it.to))
            .collect();
        for found in in_circle(&inside) {
            let message = format!("{} and {} use each other", found.from, found.to);
            findings.push(Finding::new(&found.file, found.line, message));
        }
    }
    findings
}

/// Takes away edges to folders that use nothing until none is left, or only circles.
fn in_circle<'u>(uses: &[&'u Use]) -> Vec<&'u Use> {
    let mut left: Vec<&Use> = uses.to_vec();
    loop {
        let mut users: BTreeMap<&str, usize> = BTreeMap::new();
        for found in &left {
            *users.entry(found.from.as_str()).or_default() += 1;
        }
        let before = left.len();
        left.retain(|found| users.contains_key(found.to.as_str()));
        if left.len() == before {
            return left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str, inside: &str) -> Vec<String> {
        let uses = uses_of(text, &module_path(inside), inside);
        let mut found: Vec<String> = uses
            .iter()
            .filter_map(objection)
            .map(|it| it.to_string())
            .collect();
        found.extend(circles(&uses).iter().map(ToString::to_string));
        found
    }

    #[test]
    fn to_the_left_is_allowed() {
        let text = "use crate::{chain::{append_in, next}, types::Name};\nuse crate::log;\n\
                    use crate::Engine;\nuse crate::names::index;\n";
        assert!(messages(text, "names/mod.rs").is_empty());
        assert!(messages("use super::index; crate::in_tx!(x)", "names/push.rs").is_empty());
    }

    #[test]
    fn to_the_right_is_found_with_its_line() {
        let found = messages("\nuse crate::names::push;\n", "log/mod.rs");
        assert_eq!(
            found,
            ["log/mod.rs:2: log may not use names, which is to its right"]
        );
        let found = messages(
            "use crate::{\n    types::Name,\n    jobs::run_job,\n};",
            "tx.rs",
        );
        assert_eq!(
            found,
            ["tx.rs:3: tx may not use jobs, which is to its right"]
        );
        assert_eq!(
            messages("fn f() { crate::chain::next() }", "types/link.rs").len(),
            1
        );
    }

    #[test]
    fn super_is_followed_to_the_root() {
        assert_eq!(messages("use super::names::x;", "log/mod.rs").len(), 1);
        assert_eq!(
            messages("use super::super::names::x;", "log/map.rs").len(),
            1
        );
        assert!(messages("use super::names;", "log/map.rs").is_empty());
    }

    #[test]
    fn tests_comments_and_strings_do_not_count() {
        let text = "// crate::names\n/// [`crate::names`]\nconst A: &str = \"crate::names\";\n\
                    #[cfg(test)]\nmod tests { use crate::names; }\n#[cfg(test)]\nuse crate::jobs;\n";
        assert!(messages(text, "log/mod.rs").is_empty());
    }

    #[test]
    fn items_at_the_root_hide_their_folder() {
        let found = messages("use crate::NameError;", "statements/mod.rs");
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|it| it.contains("hides its folder")));
    }

    #[test]
    fn circles_among_equals_are_found() {
        let mut uses = uses_of(
            "use crate::keys::add_in;",
            &module_path("names/mod.rs"),
            "n",
        );
        assert!(circles(&uses).is_empty());
        uses.extend(uses_of(
            "use crate::claims::open_in;",
            &module_path("keys/mod.rs"),
            "k",
        ));
        assert!(circles(&uses).is_empty());
        uses.extend(uses_of(
            "use crate::names::take_in;",
            &module_path("claims/mod.rs"),
            "c",
        ));
        assert_eq!(circles(&uses).len(), 3);
    }

    #[test]
    fn the_whole_folder_is_walked() {
        let scratch = tree::Scratch::new(
            "folders",
            &[
                ("crates/engine/src/lib.rs", "use crate::jobs::x;"),
                ("crates/engine/src/engine.rs", "use crate::jobs::x;"),
                ("crates/engine/src/log/tests.rs", "use crate::jobs::x;"),
                (
                    "crates/engine/src/log/map.rs",
                    "use crate::types::x;\nuse crate::jobs::x;",
                ),
                ("crates/engine/src/extra/mod.rs", "fn f() {}"),
            ],
        );
        let outcome = check(scratch.path()).expect("read the scratch folder");
        let found: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "crates/engine/src/extra/mod.rs:1: folder extra has no place in the order",
                "crates/engine/src/log/map.rs:2: log may not use jobs, which is to its right",
            ]
        );
    }
}
