//! What the tests found: a row each, for people and for programs.

use serde::Serialize;

use crate::findings::Findings;
use crate::subject::Checked;

/// Counts of one test or of one run of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    /// Writes the servers acknowledged.
    pub(crate) acknowledged: u64,
    pub(crate) names_checked: u64,
    /// Sizes of logs for which a checkpoint was seen.
    pub(crate) checkpoints: u64,
    /// Neighbours among them of which the first was proven to be a prefix of the second.
    pub(crate) pairs_proven: u64,
    pub(crate) links_audited: u64,
    #[serde(flatten)]
    pub(crate) findings: Findings,
}

impl Tally {
    /// Takes over what a check found.
    pub(crate) fn note(&mut self, checked: Checked) {
        self.names_checked += checked.names;
        self.pairs_proven += checked.pairs;
        self.findings.join(checked.findings);
    }

    /// Takes over what another one counted.
    pub(crate) fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.acknowledged += other.acknowledged;
        self.names_checked += other.names_checked;
        self.checkpoints += other.checkpoints;
        self.pairs_proven += other.pairs_proven;
        self.links_audited += other.links_audited;
        self.findings.join(other.findings);
    }
}

/// One test's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// What was broken.
    pub(crate) what: &'static str,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    pub(crate) seconds: f64,
    /// Why the test, or a part of it, was not run.
    pub(crate) skipped: Option<String>,
    /// What was measured, in words.
    pub(crate) notes: Vec<String>,
}

impl Row {
    pub(crate) fn new(id: &'static str, what: &'static str) -> Self {
        Self {
            id,
            what,
            tally: Tally::default(),
            seconds: 0.0,
            skipped: None,
            notes: Vec::new(),
        }
    }

    /// The row in a line.
    pub(crate) fn line(&self) -> String {
        let Tally {
            runs,
            acknowledged,
            findings: it,
            ..
        } = &self.tally;
        let (id, what, seconds) = (self.id, self.what, self.seconds);
        let mut line = format!(
            "{id:<4}{runs:>6}{acknowledged:>9}{:>6}{:>6}{:>6}{:>7}{:>7}{:>7}{seconds:>8.0}  {what}",
            it.lost, it.half_done, it.duplicated, it.wrong, it.forks, it.other
        );
        if let Some(why) = &self.skipped {
            line.push_str(&format!("; skipped: {why}"));
        }
        line
    }
}

/// All results.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// The row about the log over all runs.
    pub(crate) fn equivocation(&self, mut row: Row) -> Row {
        for other in &self.rows {
            row.tally.runs += other.tally.runs;
            row.tally.checkpoints += other.tally.checkpoints;
            row.tally.pairs_proven += other.tally.pairs_proven;
            row.tally.links_audited += other.tally.links_audited;
            row.tally.findings.forks += other.tally.findings.forks;
        }
        let it = &row.tally;
        row.notes.push(format!(
            "{} checkpoints, {} consistency proofs, {} links audited",
            it.checkpoints, it.pairs_proven, it.links_audited
        ));
        row
    }

    /// Whether nothing was found.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.tally.findings.is_clean())
    }

    /// The table, then the notes and the faults of each row.
    pub(crate) fn text(&self, seed: u64) -> String {
        let mut lines = vec![
            "test  runs    acked  lost  half twice  wrong  forks  other seconds  what".to_owned(),
        ];
        lines.extend(self.rows.iter().map(Row::line));
        for row in &self.rows {
            let notes = row.notes.iter().map(|note| format!("{}: {note}", row.id));
            lines.extend(notes);
            let faults = row.tally.findings.lines();
            lines.extend(faults.map(|fault| format!("{}:{fault}", row.id)));
        }
        let verdict = if self.passed() { "ok" } else { "FAILED" };
        let skipped = self.rows.iter().filter(|row| row.skipped.is_some()).count();
        lines.push(format!("{verdict}: seed {seed}, {skipped} skipped"));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Broken;

    #[test]
    fn one_fault_fails_the_table_and_a_fork_is_counted_twice() {
        let mut table = Table::default();
        table.rows.push(Row::new("R1", "kill -9"));
        assert!(table.passed() && table.text(3).ends_with("ok: seed 3, 0 skipped"));
        let mut forked = Row::new("R2", "power cut");
        forked.tally.findings.add(Broken::Fork, "two roots");
        forked.tally.checkpoints = 4;
        forked.skipped = Some("half of it".to_owned());
        table.rows.push(forked);
        let all = table.equivocation(Row::new("R8", "equivocation"));
        assert_eq!((all.tally.findings.forks, all.tally.checkpoints), (1, 4));
        let text = table.text(3);
        assert!(!table.passed() && text.contains("two roots"), "{text}");
        assert!(
            text.contains("skipped: half of it") && text.ends_with("FAILED: seed 3, 1 skipped")
        );
    }
}
