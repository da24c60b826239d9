//! What libFuzzer said of a run.

use serde_json::{Value, json};

use super::CANARY;

/// A run of one target.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    passed: bool,
    executions: u64,
    per_second: u64,
    /// Branches reached, in our own crates.
    branches: u64,
    peak_mib: u64,
    /// The input that failed.
    artifact: Option<String>,
    /// What it said in the end.
    tail: String,
}

/// Lines of the end that a report shows.
const TAIL_LINES: usize = 25;

impl Outcome {
    pub(crate) fn read(name: &str, passed: bool, said: &str) -> Self {
        let stat = |word: &str| {
            let line = said.lines().rev().find_map(|line| line.strip_prefix(word));
            line.and_then(|rest| rest.trim().parse().ok())
        };
        let artifact = said
            .lines()
            .find_map(|line| line.split_once("Test unit written to "));
        let lines: Vec<&str> = said.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        Self {
            name: name.to_owned(),
            passed,
            executions: stat("stat::number_of_executed_units:").unwrap_or_default(),
            per_second: stat("stat::average_exec_per_sec:").unwrap_or_default(),
            branches: branches(said),
            peak_mib: stat("stat::peak_rss_mb:").unwrap_or_default(),
            artifact: artifact.map(|(_, path)| path.trim().to_owned()),
            tail: lines.get(from..).unwrap_or_default().join("\n"),
        }
    }

    /// The canary has to fail with an input to show, everything else has to pass.
    pub(crate) fn is_expected(&self) -> bool {
        if self.name == CANARY {
            !self.passed && self.artifact.is_some()
        } else {
            self.passed
        }
    }

    pub(crate) fn line(&self) -> String {
        let verdict = match (self.is_expected(), self.name == CANARY) {
            (true, false) => "ok",
            (true, true) => "ok: the planted fault was found",
            (false, true) => "FAILED: the planted fault was not found",
            (false, false) => "FAILED",
        };
        format!(
            "{:<18} {:>10} runs {:>8}/s {:>6} branches {:>5} MiB  {verdict}",
            self.name, self.executions, self.per_second, self.branches, self.peak_mib
        )
    }

    /// Of a failure: what was said, and how to see it again.
    pub(crate) fn report(&self) -> Option<String> {
        if self.is_expected() {
            return None;
        }
        let name = &self.name;
        let again = match &self.artifact {
            Some(path) => format!("again: cargo xtask fuzz --target {name} --replay {path}"),
            None => "no input was written".to_owned(),
        };
        Some(format!("{}\n{name}: {again}", self.tail))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "target": self.name,
            "passed": self.is_expected(),
            "executions": self.executions,
            "executions_per_s": self.per_second,
            "branches": self.branches,
            "peak_mib": self.peak_mib,
            "input": self.artifact,
        })
    }
}

/// The number behind the last `cov: `.
fn branches(said: &str) -> u64 {
    let last = said.rsplit_once(" cov: ").map_or("", |(_, rest)| rest);
    let digits = last.split(' ').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "#2\tINITED cov: 7 ft: 8 corp: 1/1b\n#99\tDONE   cov: 12 ft: 30\n\
                          stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     33\n\
                          stat::peak_rss_mb:              28\n";
    const FAILED: &str = "thread panicked\n==7== ERROR: libFuzzer: deadly signal\n\
                          artifact_prefix='x'; Test unit written to target/fuzz/crashes/note-crash-1\n";

    #[test]
    fn the_engine_is_understood() {
        let outcome = Outcome::read("note", true, PASSED);
        assert!(outcome.is_expected() && outcome.report().is_none());
        assert_eq!(outcome.json()["executions"], 99);
        assert_eq!((outcome.branches, outcome.peak_mib), (12, 28));
    }

    #[test]
    fn a_failure_says_how_to_see_it_again() {
        let outcome = Outcome::read("note", false, FAILED);
        let report = outcome.report().expect("a failure");
        assert!(report.contains("thread panicked"));
        assert!(report.ends_with("--target note --replay target/fuzz/crashes/note-crash-1"));
    }

    #[test]
    fn the_control_has_to_fail() {
        assert!(Outcome::read(CANARY, false, FAILED).is_expected());
        assert!(!Outcome::read(CANARY, true, PASSED).is_expected());
        assert!(!Outcome::read(CANARY, false, "no such file").is_expected());
    }
}
