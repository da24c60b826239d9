//! Starts the long programmes, so that none of them is a dependency of this crate.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::{metadata, tree};

/// Words handed on to `hammer`.
pub(crate) const PROGRAMMES: &[&str] = &[
    "bench", "cluster", "crash", "faults", "load", "slow", "timing",
];

/// What `bench` measures beside, in the workspace of that name.
const YARDSTICKS: &[&str] = &["akdbench", "hello", "merklelimit", "pgcommit", "pgnaive"];

/// The one of them that a run needs that only shows that everything runs.
const YARDSTICKS_SMOKE: &[&str] = &["hello"];

/// Builds `sealbook` and `hammer` as CI does, for `bench` as they are shipped and the yardsticks too, and runs
/// `hammer <programme> arguments…` from the repository's root. `hammer` finds the server beside itself, and by the variable `SEALBOOK`.
/// `bench --smoke` measures nothing: it is built as CI builds, with the one yardstick of the lines about one server.
pub(crate) fn hammer(programme: &str, arguments: &[&str]) -> Result<ExitCode> {
    let root = tree::root()?;
    let target = metadata::read(&root)?.target;
    let is_smoke = arguments.contains(&"--smoke");
    let profile = if programme == "bench" && !is_smoke {
        "release"
    } else {
        "ci"
    };
    build(
        &root,
        &[
            "--profile",
            profile,
            "--package",
            "sealbook",
            "--package",
            "hammer",
            "--bins",
        ],
    )?;
    if programme == "bench" {
        // What the bench measures beside: a workspace of its own, with its own target folder.
        let yardsticks = if is_smoke {
            YARDSTICKS_SMOKE
        } else {
            YARDSTICKS
        };
        let packages = yardsticks.iter().flat_map(|name| ["--package", name]);
        let arguments: Vec<&str> = ["--release"].into_iter().chain(packages).collect();
        build(&root.join("yardsticks"), &arguments)?;
    }
    let folder = target.join(profile);
    let ended = Command::new(folder.join("hammer"))
        .arg(programme)
        .args(arguments)
        .env("SEALBOOK", folder.join("sealbook"))
        .current_dir(&root)
        .status()
        .context("start hammer")?;
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    // Killed by a signal: there is no code to hand on.
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn build(folder: &Path, arguments: &[&str]) -> Result<()> {
    let built = Command::new(env!("CARGO"))
        .arg("build")
        .args(arguments)
        .current_dir(folder)
        .status()
        .context("start cargo build")?;
    ensure!(
        built.success(),
        "cargo build failed in {}",
        folder.display()
    );
    Ok(())
}
