//! Checks of the repository that no compiler makes, and starters for the long programmes.
//!
//! `cargo xtask` alone prints the list. A check prints `ok: …` or one line per finding, and exits
//! with 1 when there is a finding and with 2 when it was called wrongly.

mod endpoints;
mod finding;
mod folders;
mod fuzz;
mod layers;
mod metadata;
mod sizes;
mod source;
mod start;
mod tree;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::finding::Finding;

const USAGE: &str = "\
usage: cargo xtask <command>
  check-layers          who may depend on whom, between crates and between folders of the engine
  check-sizes           no file above 400 lines, tests not counted
  endpoints [--write]   routes, handlers, snapshots and wire codes against docs/ENDPOINTS.md
  fuzz [--seconds N] [--target NAME] [--json] [--keep]
                        run every fuzz target for so long (10 s), two at a time, after the control;
                        --keep adds what reached new branches to crates/fuzz/corpus
  fuzz --target NAME --replay FILE
                        run one input
  bench|cluster|crash|faults|load|slow|timing [args]
                        build sealbook and hammer with --profile ci (for bench, unless --smoke is
                        given, with --release), then `hammer <command> args`
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            say_error(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check-layers"] => report(&check_layers()?),
        ["check-sizes"] => report(&sizes::check(&tree::root()?)?),
        ["endpoints"] => report(&endpoints::check(&tree::root()?)?),
        ["endpoints", "--write"] => {
            endpoints::write(&tree::root()?)?;
            report(&endpoints::check(&tree::root()?)?)
        }
        ["fuzz", arguments @ ..] => match fuzz::Order::read(arguments) {
            Some(order) => fuzz::run(&tree::root()?, &order),
            None => {
                say_error(USAGE);
                Ok(ExitCode::from(2))
            }
        },
        [programme, arguments @ ..] if start::PROGRAMMES.contains(programme) => {
            start::hammer(programme, arguments)
        }
        _ => {
            say_error(USAGE);
            Ok(ExitCode::from(2))
        }
    }
}

fn check_layers() -> Result<Outcome> {
    let root = tree::root()?;
    let metadata = metadata::read(&root)?;
    let mut outcome = layers::check(&root, &metadata)?;
    outcome.join(folders::check(&root)?);
    Ok(outcome)
}

/// What a check found, and what to say when that is nothing.
#[derive(Debug, Default)]
struct Outcome {
    findings: Vec<Finding>,
    looked_at: Vec<String>,
}

impl Outcome {
    fn join(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.looked_at.extend(other.looked_at);
    }
}

fn report(outcome: &Outcome) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for finding in &outcome.findings {
        writeln!(out, "{finding}").context("write to standard output")?;
    }
    if outcome.findings.is_empty() {
        writeln!(out, "ok: {}", outcome.looked_at.join(", "))
            .context("write to standard output")?;
        return Ok(ExitCode::SUCCESS);
    }
    say_error(&format!("{} finding(s)", outcome.findings.len()));
    Ok(ExitCode::FAILURE)
}

fn say_error(text: &str) {
    // Standard error is the last resort: when it is closed there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "{}", text.trim_end()));
}

/// A path as findings and documents show it: relative to the root, with `/`.
fn shown(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.to_string_lossy().replace('\\', "/")
}
