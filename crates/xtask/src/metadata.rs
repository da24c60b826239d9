//! What the manifests say, by way of `cargo metadata --no-deps`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// A dev-dependency, as against a normal or build one.
    pub(crate) is_dev: bool,
    pub(crate) features: Vec<String>,
    /// Another package of the workspace.
    pub(crate) is_ours: bool,
}

/// The workspace's packages and its target folder.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target: PathBuf,
}

/// Asks cargo.
pub(crate) fn read(root: &Path) -> Result<Metadata> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .context("start cargo metadata")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        complaint.trim()
    );
    parse(&String::from_utf8(output.stdout).context("cargo metadata is not UTF-8")?)
}

/// Reads cargo's answer.
pub(crate) fn parse(json: &str) -> Result<Metadata> {
    let value: Value = serde_json::from_str(json).context("parse cargo metadata")?;
    let packages = list(&value, "packages")?
        .iter()
        .map(package)
        .collect::<Result<_>>()?;
    Ok(Metadata {
        packages,
        target: PathBuf::from(text(&value, "target_directory")?),
    })
}

fn package(value: &Value) -> Result<Package> {
    Ok(Package {
        name: text(value, "name")?,
        manifest: PathBuf::from(text(value, "manifest_path")?),
        dependencies: list(value, "dependencies")?
            .iter()
            .map(dependency)
            .collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let features = list(value, "features")?;
    Ok(Dependency {
        name: text(value, "name")?,
        is_dev: value.get("kind").and_then(Value::as_str) == Some("dev"),
        features: features
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        is_ours: value.get("path").is_some_and(Value::is_string),
    })
}

fn text(value: &Value, field: &str) -> Result<String> {
    let found = value.get(field).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("cargo metadata has no text {field}"))?
        .to_owned())
}

fn list<'v>(value: &'v Value, field: &str) -> Result<&'v Vec<Value>> {
    value
        .get(field)
        .and_then(Value::as_array)
        .with_context(|| format!("cargo metadata has no list {field}"))
}
