//! Routes, handlers, snapshots and wire codes: do they agree, and does docs/ENDPOINTS.md say so?

mod codes;
mod document;
mod openapi;
mod routes;
mod snapshots;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::endpoints::routes::Route;
use crate::endpoints::snapshots::Snapshot;
use crate::finding::Finding;
use crate::source::Source;
use crate::{Outcome, shown, tree};

const DOCUMENT: &str = "docs/ENDPOINTS.md";

/// A crate that answers requests: a door, or the server with its own few routes.
struct Door {
    name: String,
    folder: PathBuf,
    /// Each with the file its table is in.
    routes: Vec<(String, Route)>,
}

/// Checks everything.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    let mut findings = Vec::new();
    let doors = doors(root, &mut findings)?;
    let mut snapshot_count = 0;
    for door in &doors {
        let snapshots = snapshots::read(root, &door.folder)?;
        snapshot_count += snapshots.len();
        findings.extend(check_door(root, door, &snapshots)?);
    }
    findings.extend(check_document(root, &doors)?);
    let described = doors.iter().filter(|door| openapi::describes(&door.name));
    let described: Vec<_> = described.flat_map(|door| &door.routes).collect();
    findings.extend(openapi::check(root, &described)?);
    let routes: usize = doors.iter().map(|door| door.routes.len()).sum();
    let looked_at = format!(
        "{routes} routes of {} doors, {snapshot_count} snapshots",
        doors.len()
    );
    Ok(Outcome {
        findings,
        looked_at: vec![looked_at],
    })
}

/// Writes the document anew.
pub(crate) fn write(root: &Path) -> Result<()> {
    let doors = doors(root, &mut Vec::new())?;
    let path = root.join(DOCUMENT);
    std::fs::write(&path, render(root, &doors)).with_context(|| format!("write {}", path.display()))
}

fn doors(root: &Path, findings: &mut Vec<Finding>) -> Result<Vec<Door>> {
    let mut doors = Vec::new();
    for folder in tree::entries(&root.join("crates"))? {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_door = name.starts_with("door-");
        if !is_door && name != "sealbook" {
            continue;
        }
        let sources = if is_door {
            vec![folder.join("src/lib.rs")]
        } else {
            tree::files(&folder.join("src"), "rs")?
        };
        let mut routes = Vec::new();
        for path in &sources {
            let file = shown(root, path);
            match routes::parse(&tree::text(path)?) {
                Ok(found) => routes.extend(found.into_iter().map(|route| (file.clone(), route))),
                Err(error) => findings.push(Finding::new(&file, error.line, error.message)),
            }
        }
        if routes.is_empty() && is_door {
            let file = format!("crates/{name}/src/lib.rs");
            findings.push(Finding::new(
                &file,
                1,
                "a door without a readable routes! table",
            ));
        }
        doors.push(Door {
            name,
            folder,
            routes,
        });
    }
    Ok(doors)
}

fn check_door(root: &Path, door: &Door, snapshots: &[Snapshot]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (file, route) in &door.routes {
        if let Err(message) = handler_file(root, &door.folder, file, &route.handler) {
            findings.push(Finding::new(file, route.line, message));
        }
    }
    // The server's own few routes are tested over real sockets, not by recorded exchanges.
    if door.name.starts_with("door-") {
        findings.extend(snapshots::coverage(&door.routes, snapshots));
    }
    let errors = door.folder.join("src/error.rs");
    if errors.is_file() {
        let source = Source::new(&tree::text(&errors)?);
        findings.extend(codes::coverage(
            &shown(root, &errors),
            &source.shipped_code(),
            snapshots,
        ));
    }
    Ok(findings)
}

/// The file of a handler path such as `keys::put::handle`, if it holds that function; a path without
/// a module is looked for in the file of the table itself.
fn handler_file(root: &Path, folder: &Path, table: &str, handler: &str) -> Result<PathBuf, String> {
    let mut parts: Vec<&str> = handler.split("::").filter(|it| *it != "crate").collect();
    let function = parts.pop().unwrap_or_default();
    let path = if parts.is_empty() {
        root.join(table)
    } else {
        let place = parts.join("/");
        let candidates = [format!("src/{place}.rs"), format!("src/{place}/mod.rs")];
        let found = candidates
            .iter()
            .map(|it| folder.join(it))
            .find(|it| it.is_file());
        found.ok_or_else(|| format!("{handler}: there is no {}", candidates.join(" or ")))?
    };
    let text = tree::text(&path).map_err(|error| format!("{error:#}"))?;
    if has_function(&Source::new(&text).code, function) {
        return Ok(path);
    }
    Err(format!(
        "{handler}: {} has no fn {function}",
        path.display()
    ))
}

fn has_function(code: &str, name: &str) -> bool {
    let after = |at: usize| code.get(at..).and_then(|it| it.chars().next());
    let opening = format!("fn {name}");
    code.match_indices(&opening)
        .any(|(at, it)| matches!(after(at + it.len()), Some('(' | '<')))
}

fn render(root: &Path, doors: &[Door]) -> String {
    let mut sections = Vec::new();
    for door in doors.iter().filter(|door| !door.routes.is_empty()) {
        let mut rows = Vec::new();
        for (file, route) in &door.routes {
            let place = handler_file(root, &door.folder, file, &route.handler)
                .map(|path| shown(root, &path));
            // A handler without a file is a finding of `check_door`; the row still shows.
            rows.push((route.clone(), place.unwrap_or_else(|_| file.clone())));
        }
        sections.push(document::Section {
            door: door.name.clone(),
            rows,
        });
    }
    document::render(&sections)
}

fn check_document(root: &Path, doors: &[Door]) -> Result<Option<Finding>> {
    let path = root.join(DOCUMENT);
    let committed = if path.is_file() {
        tree::text(&path)?
    } else {
        String::new()
    };
    let line = document::first_difference(&committed, &render(root, doors));
    Ok(line.map(|line| {
        Finding::new(
            DOCUMENT,
            line,
            "differs from the routes: run `cargo xtask endpoints --write`",
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_whole_name() {
        assert!(has_function(
            "pub(crate) async fn handle(a: B) {}",
            "handle"
        ));
        assert!(has_function("fn handle<T>() {}", "handle"));
        assert!(!has_function("fn handle_all() {}", "handle"));
        assert!(!has_function("", "handle"));
    }

    #[test]
    fn a_handler_maps_to_its_file() {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = |handler| handler_file(crate_folder, crate_folder, "src/main.rs", handler);
        assert_eq!(
            path("endpoints::check"),
            Ok(crate_folder.join("src/endpoints/mod.rs"))
        );
        assert_eq!(
            path("endpoints::routes::parse"),
            Ok(crate_folder.join("src/endpoints/routes.rs"))
        );
        assert!(path("endpoints::nowhere::parse").is_err());
        assert!(path("endpoints::routes::nothing").is_err());
    }

    const LIB: &str = "crates/door-x/src/lib.rs";
    const SNAPSHOTS: &str = "crates/door-x/tests/snapshots";
    const TABLE: &str = "routes! { S; post [\"/x\", \"/y\"] => a::handle; }";

    const DESCRIPTION: &str = r##"{"paths": {
        "/x": {"post": {"summary": "x", "responses": {"200": {}}}},
        "/y": {"$ref": "#/paths/~1x"}
    }}"##;

    /// A repository with one door in which everything agrees.
    fn agreeing(name: &str) -> tree::Scratch {
        let scratch = tree::Scratch::new(
            name,
            &[
                (LIB, TABLE),
                ("crates/door-x/src/a.rs", "fn handle() {}"),
                ("crates/door-x/src/error.rs", "const BAD: i32 = -3;"),
                ("docs/ENDPOINTS.md", ""),
                ("docs/openapi.json", DESCRIPTION),
            ],
        );
        let ok = "POST /y HTTP/1.1\n\n200 OK\n\n{\"c\": 0}";
        let bad = "POST /x HTTP/1.1\n\n400 Bad Request\n\n{\"c\": -3}";
        scratch.write(&format!("{SNAPSHOTS}/x__post__ok.snap"), ok);
        scratch.write(&format!("{SNAPSHOTS}/x__post__bad.snap"), bad);
        write(scratch.path()).expect("write the document");
        scratch
    }

    fn found(scratch: &tree::Scratch) -> Vec<String> {
        let outcome = check(scratch.path()).expect("read the scratch folder");
        outcome.findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_door_in_which_everything_agrees_passes() {
        assert_eq!(found(&agreeing("agrees")), Vec::<String>::new());
    }

    #[test]
    fn each_disagreement_is_found() {
        let scratch = agreeing("disagrees");
        scratch.write(LIB, &TABLE.replace("a::handle", "b::handle"));
        let messages = found(&scratch);
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(
            messages
                .iter()
                .any(|it| it.starts_with("crates/door-x/src/lib.rs:1: b::handle"))
        );
        assert!(
            messages
                .iter()
                .any(|it| it.starts_with("docs/ENDPOINTS.md:"))
        );

        scratch.write(LIB, "");
        assert!(
            found(&scratch)
                .iter()
                .any(|it| it.contains("without a readable routes! table"))
        );

        scratch.write(LIB, &TABLE.replace("post", "pots"));
        assert!(
            found(&scratch)
                .iter()
                .any(|it| it.contains("unknown method pots"))
        );

        scratch.write(LIB, TABLE);
        scratch.write(
            "crates/door-x/src/error.rs",
            "const BAD: i32 = -3;\nconst LATE: i32 = -4;",
        );
        let expected = "crates/door-x/src/error.rs:2: no snapshot shows the code -4";
        assert_eq!(found(&scratch), [expected]);

        scratch.remove(&format!("{SNAPSHOTS}/x__post__bad.snap"));
        let messages = found(&scratch);
        assert!(
            messages
                .iter()
                .any(|it| it.contains("has no failure snapshot")),
            "{messages:?}"
        );
        assert!(
            messages.iter().any(|it| it.contains("shows the code -3")),
            "{messages:?}"
        );
    }
}
