//! No file above the limit, tests not counted. The length of functions is clippy's affair.

use std::path::Path;

use anyhow::Result;

use crate::finding::Finding;
use crate::source::{Source, line_of, test_items};
use crate::{Outcome, shown, tree};

/// Most lines in a file.
const LINES_MAX: usize = 400;

/// Folders whose files are tests or demonstrations, and the file name of unit tests.
const NOT_COUNTED: &[&str] = &["tests", "benches", "examples", "tests.rs"];

/// Checks every Rust file of every crate.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    let mut findings = Vec::new();
    let mut counted = 0;
    for path in tree::files(&root.join("crates"), "rs")? {
        let file = shown(root, &path);
        if file.split('/').any(|part| NOT_COUNTED.contains(&part)) {
            continue;
        }
        counted += 1;
        findings.extend(check_file(&file, &tree::text(&path)?));
    }
    Ok(Outcome {
        findings,
        looked_at: vec![format!("{counted} files, none above {LINES_MAX} lines")],
    })
}

fn check_file(file: &str, text: &str) -> Option<Finding> {
    let lines = counted_lines(text);
    let over = lines > LINES_MAX;
    over.then(|| {
        Finding::new(
            file,
            1,
            format!("{lines} lines without tests; {LINES_MAX} are the most"),
        )
    })
}

/// Lines outside `#[cfg(test)] mod … { … }`.
fn counted_lines(text: &str) -> usize {
    let code = Source::new(text).code;
    let tests: usize = test_items(&code)
        .iter()
        .filter(|item| item.is_inline_module)
        .map(|item| line_of(&code, item.span.end) - line_of(&code, item.span.start) + 1)
        .sum();
    text.lines().count().saturating_sub(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() {}\n}\n";

    #[test]
    fn tests_are_not_counted() {
        let text = format!("{}{TESTS}", "x();\n".repeat(LINES_MAX));
        assert_eq!(counted_lines(&text), LINES_MAX);
        assert_eq!(check_file("a.rs", &text), None);
    }

    #[test]
    fn one_line_too_many_is_found() {
        let text = format!("{}{TESTS}", "x();\n".repeat(LINES_MAX + 1));
        let found = check_file("a.rs", &text).map(|it| it.to_string());
        assert_eq!(
            found.as_deref(),
            Some("a.rs:1: 401 lines without tests; 400 are the most")
        );
    }

    #[test]
    fn comments_that_look_like_tests_are_counted() {
        let text = format!("/*\n{TESTS}*/\n");
        assert_eq!(counted_lines(&text), 7);
        let text = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nfn f() {}\n";
        assert_eq!(counted_lines(text), 4);
    }

    #[test]
    fn tests_folders_are_not_walked() {
        let long = "x();\n".repeat(LINES_MAX + 1);
        let scratch = tree::Scratch::new(
            "sizes",
            &[
                ("crates/a/src/lib.rs", long.as_str()),
                ("crates/a/src/b/tests.rs", long.as_str()),
                ("crates/a/tests/c.rs", long.as_str()),
                ("crates/a/benches/d.rs", long.as_str()),
            ],
        );
        let outcome = check(scratch.path()).expect("read the scratch folder");
        let files: Vec<&str> = outcome.findings.iter().map(|it| it.file.as_str()).collect();
        assert_eq!(files, ["crates/a/src/lib.rs"]);
    }
}
