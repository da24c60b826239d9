//! Builds the fuzz targets with the flags libFuzzer needs, and runs them two at a time.

mod outcome;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{metadata, say_error};
use outcome::Outcome;

/// The kept inputs, a folder for each target.
const CORPUS: &str = "crates/fuzz/corpus";
/// What cargo calls instead of rustc for our own crates.
const WRAPPER: &str = "crates/fuzz/rustc-cover";
/// The target with the planted fault, and how long its finding may take.
const CANARY: &str = "canary";
const CANARY_SECONDS: u64 = 120;
/// Targets that run at the same time.
const AT_ONCE: usize = 2;
/// One input may take this long, and all of a target this much memory: far more than the 1 s and the
/// 64 MiB above the start that are promised, as a machine under load is slow.
const INPUT_SECONDS_MAX: u64 = 5;
const MEMORY_MIB_MAX: u64 = 256;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    seconds: u64,
    target: Option<String>,
    replay: Option<PathBuf>,
    json: bool,
    keep: bool,
}

impl Order {
    /// Reads the arguments; `None` when they make no sense.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut order = Self {
            seconds: 10,
            target: None,
            replay: None,
            json: false,
            keep: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => order.seconds = words.next()?.parse().ok().filter(|it| *it > 0)?,
                "--target" => order.target = Some((*words.next()?).to_owned()),
                "--replay" => order.replay = Some(words.next()?.into()),
                "--json" => order.json = true,
                "--keep" => order.keep = true,
                _ => return None,
            }
        }
        (order.replay.is_none() || order.target.is_some()).then_some(order)
    }
}

/// The built targets, and where their files go.
struct Bench<'r> {
    root: &'r Path,
    binary: PathBuf,
    /// `target/fuzz`.
    folder: PathBuf,
}

/// A target as the binary lists it.
#[derive(Clone)]
struct Listed {
    name: String,
    bytes_max: String,
}

/// Runs what was asked for; the code is 1 when a target failed, or the control did not.
pub(crate) fn run(root: &Path, order: &Order) -> Result<ExitCode> {
    let bench = Bench::build(root)?;
    let all = bench.list()?;
    let chosen: Vec<Listed> = match &order.target {
        Some(name) => all.into_iter().filter(|it| it.name == *name).collect(),
        None => all.into_iter().filter(|it| it.name != CANARY).collect(),
    };
    ensure!(!chosen.is_empty(), "no such target");
    if let (Some(file), [target]) = (&order.replay, &chosen[..]) {
        return bench.replay(target, file);
    }
    let mut failed = false;
    if order.target.is_none() {
        let found = bench.control()?;
        say(order, &found)?;
        failed = !found.is_expected();
    }
    let outcomes = bench.run_all(chosen, order)?;
    failed |= outcomes.iter().any(|it| !it.is_expected());
    if order.json {
        let all: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
        write_line(&Value::Array(all).to_string())?;
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl<'r> Bench<'r> {
    /// Builds with `--profile ci`, so that all crates from outside are those CI has built anyway.
    fn build(root: &'r Path) -> Result<Self> {
        let target = metadata::read(root)?.target;
        let built = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--profile", "ci", "--package", "fuzz"])
            .args(["--features", "libfuzzer", "--bin", "fuzz"])
            .env("RUSTC_WORKSPACE_WRAPPER", root.join(WRAPPER))
            .current_dir(root)
            .status()
            .context("start cargo build")?;
        ensure!(built.success(), "cargo build failed");
        Ok(Self {
            root,
            binary: target.join("ci/fuzz"),
            folder: target.join("fuzz"),
        })
    }

    fn list(&self) -> Result<Vec<Listed>> {
        let output = Command::new(&self.binary)
            .arg("--list")
            .output()
            .context("start the fuzz targets")?;
        ensure!(output.status.success(), "the fuzz targets do not start");
        let text = String::from_utf8(output.stdout).context("the list of targets")?;
        let rows = text.lines().filter_map(|line| line.split_once(' '));
        let rows = rows.map(|(name, bytes_max)| Listed {
            name: name.to_owned(),
            bytes_max: bytes_max.to_owned(),
        });
        Ok(rows.collect())
    }

    fn replay(&self, target: &Listed, file: &Path) -> Result<ExitCode> {
        let ended = Command::new(&self.binary)
            .arg(format!("--target={}", target.name))
            .arg(file)
            .status()
            .context("start the fuzz targets")?;
        Ok(if ended.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// The canary from nothing: it must be found.
    fn control(&self) -> Result<Outcome> {
        let target = Listed {
            name: CANARY.to_owned(),
            bytes_max: "64".to_owned(),
        };
        let found = self.folder.join("found").join(CANARY);
        if found.exists() {
            fs::remove_dir_all(&found).context("remove what an earlier control found")?;
        }
        self.run_one(&target, CANARY_SECONDS)
    }

    fn run_all(&self, targets: Vec<Listed>, order: &Order) -> Result<Vec<Outcome>> {
        let waiting = Mutex::new(targets.into_iter());
        let done = Mutex::new(Vec::new());
        let worker = || -> Result<()> {
            loop {
                let next = waiting.lock().ok().and_then(|mut it| it.next());
                let Some(target) = next else { return Ok(()) };
                let outcome = self.run_one(&target, order.seconds)?;
                if order.keep {
                    self.keep(&target)?;
                }
                say(order, &outcome)?;
                if let Ok(mut done) = done.lock() {
                    done.push(outcome);
                }
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
            let ended = workers.into_iter().map(|it| match it.join() {
                Ok(ended) => ended,
                Err(_) => anyhow::bail!("a worker panicked"),
            });
            ended.collect::<Result<()>>()
        })?;
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(done)
    }

    fn run_one(&self, target: &Listed, seconds: u64) -> Result<Outcome> {
        let name = &target.name;
        let (found, kept) = self.folders(name);
        let crashes = self.folder.join("crashes");
        for folder in [&found, &crashes] {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let output = Command::new(&self.binary)
            .arg(format!("--target={name}"))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={}", target.bytes_max))
            .arg(format!("-artifact_prefix={}/{name}-", crashes.display()))
            .args(["-print_final_stats=1", "-use_value_profile=1"])
            .arg(&found)
            .args(kept.is_dir().then_some(&kept))
            .current_dir(self.root)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start the target {name}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(Outcome::read(name, output.status.success(), &said))
    }

    /// Merges what was found into the kept inputs: an input for each branch they do not reach.
    fn keep(&self, target: &Listed) -> Result<()> {
        let (found, kept) = self.folders(&target.name);
        fs::create_dir_all(&kept).with_context(|| format!("make {}", kept.display()))?;
        let merged = Command::new(&self.binary)
            .arg(format!("--target={}", target.name))
            .args(["-set_cover_merge=1", "-max_len=2048"])
            .args([&kept, &found])
            .output()
            .context("start the fuzz targets")?;
        ensure!(merged.status.success(), "{} cannot be merged", target.name);
        Ok(())
    }

    /// Where new inputs of a target go, and where the kept ones are.
    fn folders(&self, name: &str) -> (PathBuf, PathBuf) {
        let found = self.folder.join("found").join(name);
        (found, self.root.join(CORPUS).join(name))
    }
}

fn say(order: &Order, outcome: &Outcome) -> Result<()> {
    if let Some(report) = outcome.report() {
        say_error(&report);
    }
    if order.json {
        return Ok(());
    }
    write_line(&outcome.line())
}

fn write_line(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").context("write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let order =
            Order::read(&["--seconds", "3", "--target", "note", "--json"]).expect("an order");
        assert_eq!((order.seconds, order.target.as_deref()), (3, Some("note")));
        assert!(order.json && !order.keep && order.replay.is_none());
        assert!(Order::read(&[]).is_some());
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "0"],
            &["--seconds", "x"],
            &["--replay", "file"],
            &["note"],
        ] {
            assert_eq!(Order::read(wrong), None, "{wrong:?}");
        }
    }
}
