//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::plan::Fault;
use crate::findings::Findings;
use crate::stats::{ms, percentile};

/// Counts, times and faults of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    pub(crate) processes: usize,
    /// Faults made to happen.
    pub(crate) injected: u64,
    pub(crate) acknowledged: u64,
    pub(crate) looked_up: u64,
    /// Names read from every process, each time they were.
    pub(crate) names_checked: u64,
    pub(crate) roots: u64,
    pub(crate) pairs_proven: u64,
    pub(crate) links_audited: u64,
    pub(crate) replays_refused: u64,
    /// Requests answered with 503 in the course of faults.
    pub(crate) unavailable: u64,
    /// Requests without an answer, to processes that were hit.
    pub(crate) unanswered: u64,
    pub(crate) answer_ms_max: f64,
    #[serde(flatten)]
    pub(crate) findings: Findings,
    /// By fault, from its end (leader: from its beginning) to what shows that it is got over.
    pub(crate) fail_overs: BTreeMap<&'static str, FailOver>,
    /// From an acknowledgement to a look-up at another process that shows it, in calm.
    pub(crate) visible: Spread,
    /// From an acknowledgement to a root of another process that covers it, in calm.
    pub(crate) covered: Spread,
    /// Faults that could not be made here, and why.
    pub(crate) not_run: Vec<String>,
}

/// Times of one kind of fault.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FailOver {
    /// What ends the time: the first acknowledged write, or the first root of another process.
    pub(crate) until: &'static str,
    pub(crate) times: Spread,
    /// Until every process has acknowledged a write.
    pub(crate) all_processes: Spread,
}

/// Measured times.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    #[serde(skip)]
    times: Vec<Duration>,
}

impl Spread {
    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| percentile(&self.times, share));
        self.count = self.times.len();
        self.p50_ms = p50.map_or(0.0, ms);
        self.p99_ms = p99.map_or(0.0, ms);
        self.max_ms = max.map_or(0.0, ms);
    }

    fn text(&self) -> String {
        format!(
            "{:>5}  p50 {:>6.0} ms  p99 {:>6.0} ms  max {:>6.0} ms",
            self.count, self.p50_ms, self.p99_ms, self.max_ms
        )
    }
}

impl Report {
    /// The row of a fault.
    pub(crate) fn fail_over(&mut self, fault: Fault) -> &mut FailOver {
        let row = self.fail_overs.entry(fault.name()).or_default();
        row.until = if fault.takes_leader() {
            "next root by another process"
        } else {
            "first acknowledged write"
        };
        row
    }

    /// The report in lines.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{:.0} s, {} processes, {} faults; acknowledged writes {}, look-ups {}",
                self.seconds, self.processes, self.injected, self.acknowledged, self.looked_up
            ),
            self.findings.counts(),
            format!(
                "names checked {}, roots {}, consistency proofs {}, links audited {}",
                self.names_checked, self.roots, self.pairs_proven, self.links_audited
            ),
            format!(
                "replays refused {}; in faults: unavailable {}, unanswered {}; slowest answer {:.0} ms",
                self.replays_refused, self.unavailable, self.unanswered, self.answer_ms_max
            ),
            format!("visible elsewhere  {}", self.visible.text()),
            format!("covered elsewhere  {}", self.covered.text()),
            "fail-over, until the first write (leader: the next root), and until all take writes:"
                .to_owned(),
        ];
        for (fault, row) in &self.fail_overs {
            let (times, all) = (&row.times, &row.all_processes);
            lines.push(format!(
                "  {fault:<27}{:>3}  p50 {:>6.0} ms  max {:>6.0} ms   all p50 {:>6.0} ms  max {:>6.0} ms",
                times.count, times.p50_ms, times.max_ms, all.p50_ms, all.max_ms
            ));
        }
        lines.extend(self.not_run.iter().map(|what| format!("skipped: {what}")));
        lines.extend(self.findings.lines());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Broken;

    #[test]
    fn a_report_says_what_was_measured_and_what_was_found() {
        let mut report = Report::default();
        for ms in [100, 300, 200] {
            let row = report.fail_over(Fault::KillLeader);
            row.times.add(Duration::from_millis(ms));
        }
        report.findings.add(Broken::Fork, "two roots");
        report.not_run.push("disk full: needs root".to_owned());
        let text = report.text();
        for part in [
            "leader killed                3  p50    200 ms  max    300 ms",
            "forks 1",
            "Fork: two roots",
            "skipped: disk full: needs root",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        let row = &json["fail_overs"]["leader killed"];
        assert_eq!(row["times"]["p50_ms"], 200.0);
        assert_eq!(row["until"], "next root by another process");
        assert_eq!(json["forks"], 1);
    }
}
