//! What a crash programme found, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use crate::findings::{Broken, Findings};
use crate::stats::{ms, percentile};

/// Counts and faults of one or more campaigns.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) acknowledged: u64,
    pub(crate) names_checked: u64,
    pub(crate) checkpoints: u64,
    pub(crate) pairs_proven: u64,
    pub(crate) links_audited: u64,
    pub(crate) restart_ms_p50: f64,
    pub(crate) restart_ms_max: f64,
    pub(crate) stop_ms_max: f64,
    #[serde(flatten)]
    pub(crate) findings: Findings,
    #[serde(skip)]
    pub(crate) restarts: Vec<Duration>,
}

impl Report {
    pub(crate) fn add(&mut self, broken: Broken, what: String) {
        self.findings.add(broken, what);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_clean()
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
            self.findings.counts(),
            format!(
                "checkpoints {}, consistency proofs {}, links audited {}",
                self.checkpoints, self.pairs_proven, self.links_audited
            ),
            format!(
                "restart p50 {:.0} ms, max {:.0} ms; slowest stop {:.0} ms",
                self.restart_ms_p50, self.restart_ms_max, self.stop_ms_max
            ),
        ];
        lines.extend(self.findings.lines());
        lines.join("\n")
    }
}
