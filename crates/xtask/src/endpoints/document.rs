//! The text of docs/ENDPOINTS.md.

use crate::endpoints::routes::Route;

/// One door's routes, each with the file of its handler.
pub(crate) struct Section {
    pub(crate) door: String,
    pub(crate) rows: Vec<(Route, String)>,
}

const HEAD: &str = "\
# Endpoints

Generated from every door's `routes!` table by `cargo xtask endpoints --write`; do not edit.
Each row has at least one success and one failure among its door's snapshots
(`crates/<door>/tests/snapshots`), except those that `xtask` lists as unable to fail.
";

/// The whole document.
pub(crate) fn render(sections: &[Section]) -> String {
    let mut text = HEAD.to_owned();
    for section in sections {
        text.push_str(&format!("\n## {}\n\n", section.door));
        text.push_str("| method | path | handler |\n|---|---|---|\n");
        for (route, file) in &section.rows {
            let paths: Vec<String> = route.paths.iter().map(|path| format!("`{path}`")).collect();
            let (method, paths) = match route.method.as_str() {
                "*" => ("any", "anything else".to_owned()),
                method => (method, paths.join(" ")),
            };
            text.push_str(&format!(
                "| {method} | {paths} | [`{0}`](../{file}) |\n",
                route.handler
            ));
        }
    }
    text
}

/// First line, from 1, in which two texts differ.
pub(crate) fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left == right {
        return None;
    }
    let same = left
        .lines()
        .zip(right.lines())
        .take_while(|(a, b)| a == b)
        .count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_method_paths_and_handler() {
        let route = Route {
            method: "POST".to_owned(),
            paths: vec!["/api".to_owned(), "/a".to_owned()],
            handler: "api::handle".to_owned(),
            line: 1,
        };
        let rows = vec![(route, "crates/door-toxme/src/api/mod.rs".to_owned())];
        let text = render(&[Section {
            door: "door-toxme".to_owned(),
            rows,
        }]);
        let last = text.lines().last();
        let expected =
            "| POST | `/api` `/a` | [`api::handle`](../crates/door-toxme/src/api/mod.rs) |";
        assert_eq!(last, Some(expected));
    }

    #[test]
    fn differences_are_found_wherever_they_are() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("", "a\n"), Some(1));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
