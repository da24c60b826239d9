//! Recorded exchanges, and which route each of them belongs to.

use std::path::Path;

use anyhow::Result;

use crate::endpoints::routes::Route;
use crate::finding::Finding;
use crate::{shown, tree};

/// One `.snap` file.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) exchanges: Vec<Exchange>,
}

/// A request line and how the answer began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// A status below 400 whose body carries no negative code.
    pub(crate) is_success: bool,
}

/// Routes that have no way to fail, each with its reason. A failure snapshot for one of them, or a
/// row for a route that is gone, is a finding.
const CANNOT_FAIL: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "says what the server is, from memory"),
    ("GET", "/livez", "says only that the process answers"),
    ("GET", "/robots.txt", "a constant text"),
    (
        "GET",
        "/log/checkpoint",
        "the newest checkpoint is in memory",
    ),
    ("GET", "/log/key", "a constant text"),
];

/// Reads a door's recorded exchanges.
pub(crate) fn read(root: &Path, door: &Path) -> Result<Vec<Snapshot>> {
    let mut snapshots = Vec::new();
    for path in tree::files(&door.join("tests/snapshots"), "snap")? {
        let text = tree::text(&path)?;
        let exchanges = exchanges(content(&text));
        snapshots.push(Snapshot {
            file: shown(root, &path),
            text,
            exchanges,
        });
    }
    Ok(snapshots)
}

/// Findings for routes without both outcomes, and for snapshots that are misnamed or unreadable.
pub(crate) fn coverage(routes: &[(String, Route)], snapshots: &[Snapshot]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = snapshots.iter().filter_map(malformed).collect();
    let exchanges: Vec<&Exchange> = snapshots.iter().flat_map(|it| &it.exchanges).collect();
    for (file, route) in routes {
        let belongs = |it: &&&Exchange| owner(routes, it).is_some_and(|found| found == route);
        let own: Vec<&&Exchange> = exchanges.iter().filter(belongs).collect();
        for message in objections(route, &own) {
            findings.push(Finding::new(file, route.line, message));
        }
    }
    findings
}

fn objections(route: &Route, own: &[&&Exchange]) -> Vec<String> {
    let what = format!(
        "{} {}",
        route.method,
        route.paths.first().map_or("", String::as_str)
    );
    let succeeded = own.iter().any(|it| it.is_success);
    let failed = own.iter().any(|it| !it.is_success);
    if route.method == "*" {
        let missing = own.is_empty();
        return missing
            .then(|| "no snapshot reaches the fallback".to_owned())
            .into_iter()
            .collect();
    }
    let cannot_fail = CANNOT_FAIL.iter().any(|(method, path, _)| {
        *method == route.method && route.paths.iter().any(|it| it == path)
    });
    let mut found = Vec::new();
    if !succeeded {
        found.push(format!("{what} has no success snapshot"));
    }
    if !failed && !cannot_fail {
        found.push(format!("{what} has no failure snapshot"));
    }
    if failed && cannot_fail {
        found.push(format!(
            "{what} is listed as unable to fail, but a snapshot shows it failing"
        ));
    }
    found
}

/// The route an exchange reached: the one with the most literal segments, else the fallback.
fn owner<'r>(routes: &'r [(String, Route)], exchange: &Exchange) -> Option<&'r Route> {
    let routes = || routes.iter().map(|(_, route)| route);
    let literal = |route: &&Route| {
        let scores = route
            .paths
            .iter()
            .filter_map(|pattern| score(pattern, &exchange.path));
        scores.max()
    };
    let best = routes()
        .filter(|route| route.method == exchange.method || route.method == "ANY")
        .filter(|route| literal(route).is_some())
        .max_by_key(literal);
    best.or_else(|| routes().find(|route| route.method == "*"))
}

/// How many segments of a pattern are literal, if the path fits it.
fn score(pattern: &str, path: &str) -> Option<usize> {
    let mut literal = 0;
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        if part.starts_with("{*") {
            return segments.next().map(|_| literal);
        }
        let segment = segments.next()?;
        match part.split_once('{').zip(part.rsplit_once('}')) {
            Some(((head, _), (_, tail))) => {
                let middle = segment.strip_prefix(head)?.strip_suffix(tail)?;
                if middle.is_empty() {
                    return None;
                }
            }
            None if part == segment => literal += 1,
            None => return None,
        }
    }
    segments.next().is_none().then_some(literal)
}

fn malformed(snapshot: &Snapshot) -> Option<Finding> {
    let name = snapshot.file.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".snap").unwrap_or(name);
    let parts: Vec<&str> = stem.split("__").collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        let message = "not named <resource>__<verb>__<case>.snap";
        return Some(Finding::new(&snapshot.file, 1, message));
    }
    let missing = snapshot.exchanges.is_empty();
    missing.then(|| Finding::new(&snapshot.file, 1, "no request line and status line found"))
}

/// A snapshot's content, after the header between two lines of three hyphens.
fn content(text: &str) -> &str {
    let header = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    header.map_or(text, |(_, content)| content)
}

/// Every request line that is followed by a status line.
fn exchanges(content: &str) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut request: Option<(String, String)> = None;
    let mut after_blank = false;
    for line in content.lines() {
        if let Some(open) = request.take_if(|_| after_blank && status(line).is_some()) {
            let is_success = status(line).is_some_and(|status| status < 400);
            found.push(Exchange {
                method: open.0,
                path: open.1,
                is_success,
            });
        } else if request.is_none() && request_line(line).is_some() {
            request = request_line(line);
        } else if request.is_none()
            && line.contains("\"c\": -")
            && let Some(last) = found.last_mut()
        {
            last.is_success = false;
        }
        after_blank = line.trim().is_empty();
    }
    found
}

/// `POST /api?x HTTP/1.1` as method and path.
fn request_line(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let method = words
        .next()
        .filter(|it| it.len() > 2 && it.bytes().all(|b| b.is_ascii_uppercase()))?;
    let target = words.next().filter(|it| it.starts_with('/'))?;
    let path = target.split('?').next().unwrap_or_default();
    Some((method.to_owned(), path.to_owned()))
}

/// `HTTP/1.1 200 OK`, `200 OK` or `200`.
fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let first = words.next()?;
    let number = if first.starts_with("HTTP/") {
        words.next()?
    } else {
        first
    };
    let status = number.parse().ok().filter(|_| number.len() == 3)?;
    (100..600).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::routes::parse;

    const TABLE: &str = "routes! { S;\n post [\"/api\", \"/\"] => a::b;\n get [\"/u/{name}\"] => u::h;\n\
                         get [\"/u/all\"] => u::all;\n get [\"/tile/{*rest}\"] => t::h;\n\
                         get [\"/barcode/{name}.svg\"] => c::h;\n get [\"/livez\"] => l::h;\n\
                         fallback => f::h;\n}";

    fn routes() -> Vec<(String, Route)> {
        let found = parse(TABLE).expect("the table above");
        found
            .into_iter()
            .map(|route| ("lib.rs".to_owned(), route))
            .collect()
    }

    fn snapshot(name: &str, text: &str) -> Snapshot {
        let text = format!("---\nsource: x\nexpression: POST /no\n---\n{text}");
        let exchanges = exchanges(content(&text));
        Snapshot {
            file: format!("tests/snapshots/{name}"),
            text,
            exchanges,
        }
    }

    fn exchange(method: &str, path: &str) -> Exchange {
        Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            is_success: true,
        }
    }

    #[test]
    fn exchanges_are_read_with_their_outcome() {
        let ok = snapshot(
            "a__b__c.snap",
            "POST /api?x=1 HTTP/1.1\n\n{}\n\nHTTP/1.1 200 OK\n\n{\"c\": 0}",
        );
        assert_eq!(ok.exchanges, [exchange("POST", "/api")]);
        let refused = snapshot(
            "a__b__c.snap",
            "POST /api\n\n{\"action\": 200}\n\n400\na: b\n\n{\"c\": -3}",
        );
        assert_eq!(
            refused
                .exchanges
                .iter()
                .map(|it| it.is_success)
                .collect::<Vec<_>>(),
            [false]
        );
        let told = snapshot("a__b__c.snap", "GET /pk\n\n200 OK\n\n{\"c\": -2}");
        assert_eq!(
            told.exchanges
                .iter()
                .map(|it| it.is_success)
                .collect::<Vec<_>>(),
            [false]
        );
    }

    #[test]
    fn an_exchange_belongs_to_the_most_literal_route() {
        let routes = routes();
        let handler = |method, path| {
            owner(&routes, &exchange(method, path)).map(|route| route.handler.as_str())
        };
        assert_eq!(handler("POST", "/"), Some("a::b"));
        assert_eq!(handler("GET", "/u/alice"), Some("u::h"));
        assert_eq!(handler("GET", "/u/all"), Some("u::all"));
        assert_eq!(handler("GET", "/u/alice/x"), Some("f::h"));
        assert_eq!(handler("GET", "/tile/0/x001/067"), Some("t::h"));
        assert_eq!(handler("GET", "/barcode/alice.svg"), Some("c::h"));
        assert_eq!(handler("GET", "/barcode/.svg"), Some("f::h"));
        assert_eq!(handler("DELETE", "/u/alice"), Some("f::h"));
    }

    #[test]
    fn missing_outcomes_are_found() {
        let only_ok = [snapshot("a__b__c.snap", "POST /api\n\n200\n\n{\"c\": 0}")];
        let found: Vec<String> = coverage(&routes(), &only_ok)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(found.contains(&"lib.rs:2: POST /api has no failure snapshot".to_owned()));
        assert!(!found.contains(&"lib.rs:2: POST /api has no success snapshot".to_owned()));
        assert!(found.contains(&"lib.rs:3: GET /u/{name} has no success snapshot".to_owned()));
        assert!(found.contains(&"lib.rs:8: no snapshot reaches the fallback".to_owned()));
        assert!(found.contains(&"lib.rs:7: GET /livez has no success snapshot".to_owned()));
        assert!(!found.contains(&"lib.rs:7: GET /livez has no failure snapshot".to_owned()));
    }

    #[test]
    fn a_route_listed_as_unable_to_fail_must_not_fail() {
        let failed = [snapshot("a__b__c.snap", "GET /livez\n\n503\n\n")];
        let found = coverage(&routes(), &failed);
        assert!(
            found
                .iter()
                .any(|it| it.message.contains("listed as unable to fail"))
        );
    }

    #[test]
    fn misnamed_and_empty_snapshots_are_found() {
        assert!(malformed(&snapshot("a__b__c.snap", "GET /\n\n200\n")).is_none());
        assert!(malformed(&snapshot("a__c.snap", "GET /\n\n200\n")).is_some());
        assert!(malformed(&snapshot("a__b__c.snap", "{\"c\": 0}\n")).is_some());
    }
}
