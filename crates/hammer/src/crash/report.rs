//! What a crash programme found, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use crate::stats::{ms, percentile};

/// Faults named in the report; the others are only counted.
const NAMED_MAX: usize = 20;

/// Counts and faults of one or more campaigns.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) acknowledged: u64,
    pub(crate) names_checked: u64,
    /// Acknowledged writes that were gone.
    pub(crate) lost: u64,
    /// Names whose views disagreed.
    pub(crate) half_done: u64,
    /// Two roots for one size, a step back, or a log that is no prefix of a later one.
    pub(crate) forks: u64,
    /// Everything else that must not happen: a refusal, a server that ended or did not start.
    pub(crate) other: u64,
    pub(crate) checkpoints: u64,
    pub(crate) pairs_proven: u64,
    pub(crate) links_audited: u64,
    pub(crate) restart_ms_p50: f64,
    pub(crate) restart_ms_max: f64,
    pub(crate) stop_ms_max: f64,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
    #[serde(skip)]
    pub(crate) restarts: Vec<Duration>,
}

/// What kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Lost,
    HalfDone,
    Fork,
    Other,
}

impl Report {
    pub(crate) fn add(&mut self, broken: Broken, what: String) {
        match broken {
            Broken::Lost => self.lost += 1,
            Broken::HalfDone => self.half_done += 1,
            Broken::Fork => self.forks += 1,
            Broken::Other => self.other += 1,
        }
        if self.faults.len() < NAMED_MAX {
            self.faults.push(format!("{broken:?}: {what}"));
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.half_done + self.forks + self.other == 0
    }

    /// Fills in what is computed at the end.
    pub(crate) fn finish(&mut self) {
        self.restart_ms_p50 = percentile(&self.restarts, 0.5).map_or(0.0, ms);
        self.restart_ms_max = percentile(&self.restarts, 1.0).map_or(0.0, ms);
    }

    /// The report in lines.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "kills {}, stops {}, acknowledged writes {}, names checked {}",
                self.kills, self.stops, self.acknowledged, self.names_checked
            ),
            format!(
                "lost {}, half done {}, forks {}, other faults {}",
                self.lost, self.half_done, self.forks, self.other
            ),
            format!(
                "checkpoints {}, consistency proofs {}, links audited {}",
                self.checkpoints, self.pairs_proven, self.links_audited
            ),
            format!(
                "restart p50 {:.0} ms, max {:.0} ms; slowest stop {:.0} ms",
                self.restart_ms_p50, self.restart_ms_max, self.stop_ms_max
            ),
        ];
        lines.extend(self.faults.iter().map(|fault| format!("  {fault}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_makes_a_report_unclean() {
        for broken in [Broken::Lost, Broken::HalfDone, Broken::Fork, Broken::Other] {
            let mut report = Report::default();
            assert!(report.is_clean());
            for _ in 0..30 {
                report.add(broken, "planted".to_owned());
            }
            assert!(!report.is_clean());
            assert_eq!(report.faults.len(), NAMED_MAX);
            assert!(report.text().contains("30"), "{}", report.text());
        }
    }
}
