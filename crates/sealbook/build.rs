//! Tells the binary which commit it is built from: `SEALBOOK_COMMIT` if the builder sets it, else
//! what git says of the tree, else "unknown"; and when, in UNIX seconds: `SOURCE_DATE_EPOCH`, else
//! the time of that commit, else 0. No clock is asked: the same commit gives the same binary.

use std::io::Write as _;
use std::process::Command;

fn main() -> std::io::Result<()> {
    let given = std::env::var_os("SEALBOOK_COMMIT").and_then(|given| given.into_string().ok());
    let commit = given
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    let built_at = std::env::var_os("SOURCE_DATE_EPOCH")
        .and_then(|given| given.into_string().ok())
        .or_else(|| git(&["log", "-1", "--format=%ct"]))
        .filter(|text| text.parse::<u64>().is_ok())
        .unwrap_or_else(|| "0".to_owned());
    let mut out = std::io::stdout().lock();
    writeln!(out, "cargo::rustc-env=SEALBOOK_COMMIT={commit}")?;
    writeln!(out, "cargo::rustc-env=SEALBOOK_BUILT_AT={built_at}")?;
    writeln!(out, "cargo::rerun-if-env-changed=SEALBOOK_COMMIT")?;
    writeln!(out, "cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH")?;
    writeln!(out, "cargo::rerun-if-changed=build.rs")?;
    // It gets a line with every commit, and with every change of the branch.
    if let Some(path) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&path).exists()
    {
        writeln!(out, "cargo::rerun-if-changed={path}")?;
    }
    Ok(())
}

/// What git answers, on one line.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let text = text.trim();
    (answer.status.success() && !text.is_empty()).then(|| text.to_owned())
}
