//! docs/openapi.json against the routes: the same methods on the same paths, each described.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::endpoints::routes::Route;
use crate::finding::Finding;
use crate::tree;

const DOCUMENT: &str = "docs/openapi.json";

/// Crates whose routes the document does not have: pages for people.
const NOT_DESCRIBED: &[&str] = &["door-web"];

/// Keys of a path item that are methods.
const METHODS: &[&str] = &["get", "post", "put", "delete", "patch"];

/// Method and path.
type Operation = (String, String);

/// Whether the routes of a crate belong into the document.
pub(crate) fn describes(door: &str) -> bool {
    !NOT_DESCRIBED.contains(&door)
}

/// Compares the document with the routes, each with the file its table is in.
pub(crate) fn check(root: &Path, routes: &[&(String, Route)]) -> Result<Vec<Finding>> {
    let text = tree::text(&root.join(DOCUMENT))?;
    let document = serde_json::from_str(&text).with_context(|| format!("read {DOCUMENT}"))?;
    Ok(compare(&document, routes))
}

fn compare(document: &Value, routes: &[&(String, Route)]) -> Vec<Finding> {
    let described = operations(document);
    let mut served = BTreeMap::new();
    for (file, route) in routes.iter().filter(|(_, route)| route.method != "*") {
        for path in &route.paths {
            let operation = (route.method.clone(), path.replace("{*", "{"));
            served.insert(operation, (file, route.line));
        }
    }
    let missing = served.iter().filter(|(it, _)| !described.contains_key(it));
    let mut findings: Vec<Finding> = missing
        .map(|((method, path), (file, line))| {
            let message = format!("{method} {path} is not in {DOCUMENT}");
            Finding::new(file, *line, message)
        })
        .collect();
    for ((method, path), operation) in &described {
        let mut say = |what: &str| {
            let message = format!("{method} {path} {what}");
            findings.push(Finding::new(DOCUMENT, 1, message));
        };
        if !served.contains_key(&(method.clone(), path.clone())) {
            say("is no route");
        }
        for fault in faults(operation) {
            say(fault);
        }
    }
    findings
}

/// Every operation of the document by method and path, with `$ref`s of whole paths followed.
fn operations(document: &Value) -> BTreeMap<Operation, &Value> {
    let mut found = BTreeMap::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let named = item.get("$ref").and_then(Value::as_str);
        let pointed = named.and_then(|named| document.pointer(named.strip_prefix('#')?));
        let item = pointed.unwrap_or(item);
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                found.insert((method.to_ascii_uppercase(), path.clone()), operation);
            }
        }
    }
    found
}

/// What is missing in an operation.
fn faults(operation: &Value) -> Vec<&'static str> {
    let has = |key: &str| operation.get(key).is_some();
    let mut found = Vec::new();
    if !has("summary") {
        found.push("has no summary");
    }
    if ["200", "201"]
        .iter()
        .all(|status| operation.pointer(&format!("/responses/{status}")).is_none())
    {
        found.push("has no answer with 200 or 201");
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::endpoints::routes::parse;

    fn found(document: &Value) -> Vec<String> {
        let table = "routes! { S;\n post [\"/api\", \"/\"] => a::b;\n get [\"/t/{*rest}\"] => t::h;\n\
                     fallback => f::h;\n}";
        let routes = parse(table).expect("the table above").into_iter();
        let routes: Vec<_> = routes.map(|it| ("lib.rs".to_owned(), it)).collect();
        let findings = compare(document, &routes.iter().collect::<Vec<_>>());
        findings.iter().map(ToString::to_string).collect()
    }

    fn operation() -> Value {
        json!({"summary": "x", "responses": {"200": {}}})
    }

    #[test]
    fn a_whole_document_has_no_findings() {
        let document = json!({
            "paths": {
                "/api": {"$ref": "#/components/pathItems/Api"},
                "/": {"$ref": "#/components/pathItems/Api"},
                "/t/{rest}": {"get": operation()},
            },
            "components": {"pathItems": {"Api": {"post": operation()}}},
        });
        assert_eq!(found(&document), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_too_much_or_thin_is_found() {
        let document = json!({
            "paths": {
                "/api": {"post": {"responses": {}}},
                "/": {"get": operation()},
                "/t/{rest}": {"get": operation()},
            },
        });
        assert_eq!(
            found(&document),
            [
                "lib.rs:2: POST / is not in docs/openapi.json",
                "docs/openapi.json:1: GET / is no route",
                "docs/openapi.json:1: POST /api has no summary",
                "docs/openapi.json:1: POST /api has no answer with 200 or 201",
            ]
        );
    }
}
