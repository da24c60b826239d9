//! Which crate may depend on which: the manifests against a table.
//!
//! A new edge is a decision about the architecture: change the table in the commit that needs it,
//! and say in that commit why.

use std::path::Path;

use anyhow::Result;

use crate::finding::Finding;
use crate::metadata::{Dependency, Metadata, Package};
use crate::{Outcome, shown, tree};

/// Most crates in the workspace; more needs a decision record.
const CRATES_MAX: usize = 19;

/// What one crate (or, with a final `*`, each crate of a family) may depend on.
struct Layer {
    krate: &'static str,
    /// Workspace crates, in any kind of dependency.
    may_use: &'static [&'static str],
    /// Workspace crates its tests may use besides.
    tests_may_use: &'static [&'static str],
    outside: Outside,
}

/// The rule for crates from outside; dev-dependencies are free.
enum Outside {
    /// Anything but these (and, outside `crypto`, the cryptographic primitives).
    AllBut(&'static [&'static str]),
    /// These and nothing else.
    Only(&'static [&'static str]),
}

const EVERY: &[&str] = &["*"];

/// What no door may see: clients, runtimes of storage, sources of randomness.
const NOT_IN_DOORS: &[&str] = &[
    "reqwest",
    "hyper",
    "hyper-util",
    "rustls",
    "tokio-postgres",
    "fjall",
    "rand",
    "getrandom",
];

/// Names of primitives: they are named in `crypto` only, and `sha2` in `merkle`.
const PRIMITIVES: &[&str] = &[
    "aes",
    "argon2",
    "aws-lc-rs",
    "blake3",
    "cbc",
    "crypto_box",
    "curve25519-dalek",
    "dryoc",
    "ed25519-dalek",
    "hmac",
    "k256",
    "md-5",
    "p256",
    "pgp",
    "ring",
    "rsa",
    "scrypt",
    "secp256k1",
    "sha1",
    "sha2",
    "sha3",
    "x25519-dalek",
];

#[rustfmt::skip]
const LAYERS: &[Layer] = &[
    Layer { krate: "merkle", may_use: &[], tests_may_use: &[],
        outside: Outside::Only(&["sha2", "data-encoding"]) },
    Layer { krate: "crypto", may_use: &[], tests_may_use: &[],
        outside: Outside::AllBut(&["async-trait", "axum", "futures", "getrandom", "hyper", "rand", "rand_core", "reqwest", "tokio"]) },
    Layer { krate: "engine", may_use: &["merkle", "crypto"], tests_may_use: &["store", "testkit"],
        outside: Outside::AllBut(&["axum", "fjall", "getrandom", "heed", "hyper", "rand", "redb", "reqwest", "rustls", "tokio-postgres"]) },
    Layer { krate: "checkers", may_use: &["engine", "crypto"], tests_may_use: &["testkit"],
        outside: Outside::AllBut(&["axum", "fjall", "hyper", "reqwest", "tokio-postgres"]) },
    // Tests of client talk to the doors of a whole directory.
    Layer { krate: "client", may_use: &["merkle", "crypto"], tests_may_use: &["door-proofservice", "door-tlog", "door-toxme", "engine", "httpkit", "testkit"],
        outside: Outside::AllBut(&["axum", "fjall", "tokio-postgres"]) },
    Layer { krate: "store", may_use: &["engine"], tests_may_use: &["pgrig", "testkit"],
        outside: Outside::AllBut(&["axum", "hyper", "reqwest"]) },
    Layer { krate: "outbound", may_use: &["engine", "crypto"], tests_may_use: &["testkit"],
        outside: Outside::AllBut(&["axum", "fjall", "tokio-postgres"]) },
    Layer { krate: "httpkit", may_use: &[], tests_may_use: &[],
        outside: Outside::AllBut(&["fjall", "reqwest", "tokio-postgres"]) },
    // Tests of this door check its answers with the trees themselves, over a store that fails.
    Layer { krate: "door-tlog", may_use: &["engine", "httpkit"], tests_may_use: &["merkle", "store", "testkit"],
        outside: Outside::AllBut(NOT_IN_DOORS) },
    Layer { krate: "door-web", may_use: &["engine", "httpkit"], tests_may_use: &["store", "testkit"],
        outside: Outside::AllBut(NOT_IN_DOORS) },
    Layer { krate: "door-*", may_use: &["engine", "httpkit"], tests_may_use: &["testkit"],
        outside: Outside::AllBut(NOT_IN_DOORS) },
    Layer { krate: "sealbook", may_use: EVERY, tests_may_use: EVERY,
        outside: Outside::AllBut(&[]) },
    // crypto: the fakes of the signing ports, and the sealing of requests that tests send.
    // pgrig: a schema of its own for each world.
    Layer { krate: "testkit", may_use: &["engine", "store", "httpkit", "crypto", "pgrig"], tests_may_use: &[],
        outside: Outside::AllBut(&[]) },
    Layer { krate: "hammer", may_use: &["client", "crypto", "merkle", "pgrig", "store"], tests_may_use: &[],
        outside: Outside::AllBut(&[]) },
    // Parsers of every crate, as functions.
    Layer { krate: "fuzz", may_use: &["checkers", "client", "crypto", "door-proofservice", "door-toxme", "engine", "httpkit", "merkle", "outbound", "store"], tests_may_use: &[],
        outside: Outside::AllBut(&["hyper", "reqwest", "tokio"]) },
    Layer { krate: "pgrig", may_use: &[], tests_may_use: &[],
        outside: Outside::Only(&["anyhow", "rustix", "tempfile"]) },
    Layer { krate: "xtask", may_use: &[], tests_may_use: &[],
        outside: Outside::Only(&["anyhow", "serde_json"]) },
];

/// Crates nothing but tests may use, and crates nothing may use.
const FOR_TESTS_ONLY: &[&str] = &["testkit"];
const USED_BY_NOBODY: &[&str] = &["fuzz", "hammer", "xtask"];

/// The only features of tokio the engine may ask for: it has no runtime. `macros` is for `select!`.
const ENGINE_TOKIO: &[&str] = &["macros", "sync"];

/// Compares every edge with the table.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Outcome> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let file = shown(root, &package.manifest);
        let manifest = tree::text(&package.manifest)?;
        findings.extend(check_package(package, &file, &manifest));
    }
    findings.extend(too_many(metadata.packages.len()));
    let edges: usize = metadata
        .packages
        .iter()
        .map(|it| it.dependencies.len())
        .sum();
    let looked_at = vec![format!(
        "{} crates, {edges} dependencies",
        metadata.packages.len()
    )];
    Ok(Outcome {
        findings,
        looked_at,
    })
}

fn too_many(crates: usize) -> Option<Finding> {
    (crates > CRATES_MAX).then(|| {
        Finding::new(
            "Cargo.toml",
            1,
            format!("{crates} crates; {CRATES_MAX} are the most"),
        )
    })
}

/// Findings of one package; `manifest` is its text, for line numbers.
fn check_package(package: &Package, file: &str, manifest: &str) -> Vec<Finding> {
    let name = package.name.as_str();
    let Some(layer) = layer_of(name) else {
        return vec![Finding::new(
            file,
            1,
            format!("{name} has no row in xtask's table"),
        )];
    };
    let mut messages = Vec::new();
    if !file.ends_with(&format!("crates/{name}/Cargo.toml")) {
        messages.push((1, format!("{name} is not in crates/{name}")));
    }
    for dependency in &package.dependencies {
        if let Some(message) = objection(name, layer, dependency) {
            messages.push((manifest_line(manifest, dependency), message));
        }
    }
    messages
        .into_iter()
        .map(|(line, message)| Finding::new(file, line, message))
        .collect()
}

fn layer_of(name: &str) -> Option<&'static Layer> {
    LAYERS
        .iter()
        .find(|layer| match layer.krate.strip_suffix('*') {
            Some(family) => name.starts_with(family),
            None => name == layer.krate,
        })
}

/// Why this dependency is not allowed.
fn objection(name: &str, layer: &Layer, dependency: &Dependency) -> Option<String> {
    let other = dependency.name.as_str();
    if dependency.is_ours {
        return edge_objection(name, layer, dependency);
    }
    if dependency.is_dev {
        return None;
    }
    match layer.outside {
        Outside::Only(names) if !names.contains(&other) => {
            return Some(format!(
                "{name} may use only {}, not {other}",
                names.join(" and ")
            ));
        }
        Outside::AllBut(names) if names.contains(&other) => {
            return Some(format!("{name} must never see {other}"));
        }
        Outside::Only(_) | Outside::AllBut(_) => {}
    }
    if PRIMITIVES.contains(&other) && name != "crypto" && !(name == "merkle" && other == "sha2") {
        return Some(format!(
            "{other} is a cryptographic primitive: only crypto names those"
        ));
    }
    runtime_objection(name, dependency)
}

fn edge_objection(name: &str, layer: &Layer, dependency: &Dependency) -> Option<String> {
    let other = dependency.name.as_str();
    if USED_BY_NOBODY.contains(&other) {
        return Some(format!("nothing may depend on {other}"));
    }
    let allows = |list: &[&str]| list == EVERY || list.contains(&other);
    if dependency.is_dev && allows(layer.tests_may_use) {
        return None;
    }
    if FOR_TESTS_ONLY.contains(&other) {
        return Some(format!("{other} may only be a dev-dependency"));
    }
    if allows(layer.may_use) {
        return None;
    }
    Some(format!("{name} may not depend on {other}"))
}

fn runtime_objection(name: &str, dependency: &Dependency) -> Option<String> {
    if name != "engine" || dependency.name != "tokio" {
        return None;
    }
    let extra = dependency
        .features
        .iter()
        .find(|it| !ENGINE_TOKIO.contains(&it.as_str()))?;
    Some(format!(
        "engine has no runtime: tokio's feature {extra} is not allowed there"
    ))
}

/// Line of a dependency in its manifest's table of that kind; 1 if it cannot be told.
fn manifest_line(manifest: &str, dependency: &Dependency) -> usize {
    let mut in_dev_table = false;
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            in_dev_table = line.contains("dev-dependencies");
        }
        let key: String = line
            .chars()
            .take_while(|c| !matches!(c, '.' | '=' | ' '))
            .collect();
        if key == dependency.name && in_dev_table == dependency.is_dev {
            return number + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata;

    /// Findings for one crate with one dependency, given as cargo gives it.
    fn findings(name: &str, dependency: &str) -> Vec<String> {
        let json = format!(
            r#"{{"target_directory": "t", "packages": [{{"name": "{name}",
                "manifest_path": "crates/{name}/Cargo.toml", "dependencies": [{dependency}]}}]}}"#
        );
        let metadata = metadata::parse(&json).expect("the test's own JSON");
        let package = metadata.packages.first().expect("one package");
        let manifest = "[package]\n[dependencies]\nx.workspace = true\n[dev-dependencies]\nx = 1\n";
        check_package(package, &format!("crates/{name}/Cargo.toml"), manifest)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn ours(name: &str, kind: &str) -> String {
        format!(r#"{{"name": "{name}", "kind": {kind}, "features": [], "path": "p"}}"#)
    }

    fn outside(name: &str, kind: &str, features: &str) -> String {
        format!(r#"{{"name": "{name}", "kind": {kind}, "features": {features}}}"#)
    }

    #[test]
    fn edges_of_the_table_pass() {
        assert!(findings("engine", &ours("merkle", "null")).is_empty());
        assert!(findings("door-toxme", &ours("httpkit", "null")).is_empty());
        assert!(findings("door-toxme", &ours("testkit", "\"dev\"")).is_empty());
        assert!(findings("sealbook", &ours("door-tlog", "null")).is_empty());
        assert!(findings("merkle", &outside("sha2", "null", "[]")).is_empty());
        assert!(findings("merkle", &outside("proptest", "\"dev\"", "[]")).is_empty());
        assert!(findings("engine", &outside("tokio", "null", r#"["sync"]"#)).is_empty());
        assert!(findings("engine", &outside("tokio", "\"dev\"", r#"["macros"]"#)).is_empty());
    }

    #[test]
    fn extra_edges_are_found() {
        for (name, other) in [
            ("door-toxme", "store"),
            ("door-toxme", "crypto"),
            ("door-toxme", "door-tlog"),
            ("merkle", "crypto"),
            ("engine", "store"),
            ("client", "engine"),
            ("outbound", "store"),
            ("httpkit", "engine"),
            ("xtask", "merkle"),
            ("sealbook", "hammer"),
        ] {
            let found = findings(name, &ours(other, "null"));
            assert_eq!(found.len(), 1, "{name} -> {other}");
        }
        let build = findings("door-toxme", &ours("store", "\"build\""));
        assert_eq!(
            build,
            ["crates/door-toxme/Cargo.toml:1: door-toxme may not depend on store"]
        );
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        let found = findings("door-toxme", &ours("testkit", "null"));
        assert_eq!(found.len(), 1);
        assert_eq!(findings("sealbook", &ours("testkit", "null")).len(), 1);
    }

    #[test]
    fn forbidden_crates_from_outside_are_found() {
        for (name, other) in [
            ("door-toxme", "reqwest"),
            ("door-toxme", "sha2"),
            ("engine", "axum"),
            ("engine", "ed25519-dalek"),
            ("merkle", "serde"),
            ("crypto", "tokio"),
            ("xtask", "clap"),
        ] {
            let found = findings(name, &outside(other, "null", "[]"));
            assert_eq!(found.len(), 1, "{name} -> {other}");
        }
        let found = findings("engine", &outside("tokio", "null", r#"["sync", "rt"]"#));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn unknown_crates_and_too_many_are_found() {
        assert_eq!(findings("common", &ours("merkle", "null")).len(), 1);
        assert!(too_many(CRATES_MAX).is_none());
        assert!(too_many(CRATES_MAX + 1).is_some());
    }

    #[test]
    fn the_line_is_that_of_the_right_table() {
        let found = findings("merkle", &outside("x", "null", "[]"));
        let place: Vec<&str> = found
            .iter()
            .filter_map(|it| it.split(": ").next())
            .collect();
        assert_eq!(place, ["crates/merkle/Cargo.toml:3"]);
        let dependency = Dependency {
            name: "x".to_owned(),
            is_dev: true,
            features: Vec::new(),
            is_ours: false,
        };
        let manifest = "[dependencies]\nx = 1\n[dev-dependencies]\nx = 1\n";
        assert_eq!(manifest_line(manifest, &dependency), 4);
    }
}
