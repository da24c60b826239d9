//! What a programme found that must not happen, counted by kind.

use serde::Serialize;

/// Faults named in a report; the others are only counted.
const NAMED_MAX: usize = 20;

/// Counts of broken promises, and the first of them in words.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// Acknowledged writes that were gone.
    pub(crate) lost: u64,
    /// Names whose views disagreed.
    pub(crate) half_done: u64,
    /// Writes that were made more than once.
    pub(crate) duplicated: u64,
    /// Answers that were wrong, and proofs that verify to something that never was.
    pub(crate) wrong: u64,
    /// Two roots for one size, a step back, or a log that is no prefix of a later one.
    pub(crate) forks: u64,
    /// Everything else that must not happen: a refusal, a server that ended or did not start.
    pub(crate) other: u64,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
}

/// What kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Lost,
    HalfDone,
    Duplicated,
    Wrong,
    Fork,
    Other,
}

impl Findings {
    pub(crate) fn add(&mut self, broken: Broken, what: impl Into<String>) {
        match broken {
            Broken::Lost => self.lost += 1,
            Broken::HalfDone => self.half_done += 1,
            Broken::Duplicated => self.duplicated += 1,
            Broken::Wrong => self.wrong += 1,
            Broken::Fork => self.forks += 1,
            Broken::Other => self.other += 1,
        }
        if self.faults.len() < NAMED_MAX {
            self.faults.push(format!("{broken:?}: {}", what.into()));
        }
    }

    /// Takes over what another one found.
    pub(crate) fn join(&mut self, other: Self) {
        self.lost += other.lost;
        self.half_done += other.half_done;
        self.duplicated += other.duplicated;
        self.wrong += other.wrong;
        self.forks += other.forks;
        self.other += other.other;
        let room = NAMED_MAX.saturating_sub(self.faults.len());
        self.faults.extend(other.faults.into_iter().take(room));
    }

    pub(crate) fn is_clean(&self) -> bool {
        let promises = self.lost + self.half_done + self.duplicated + self.wrong;
        promises + self.forks + self.other == 0
    }

    /// The counts in a line.
    pub(crate) fn counts(&self) -> String {
        format!(
            "lost {}, half done {}, duplicated {}, wrong {}, forks {}, other faults {}",
            self.lost, self.half_done, self.duplicated, self.wrong, self.forks, self.other
        )
    }

    /// The named faults, a line each.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|fault| format!("  {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Broken; 6] = [
        Broken::Lost,
        Broken::HalfDone,
        Broken::Duplicated,
        Broken::Wrong,
        Broken::Fork,
        Broken::Other,
    ];

    #[test]
    fn findings_are_joined() {
        let mut all = Findings::default();
        for broken in ALL {
            let mut one = Findings::default();
            one.add(broken, "planted");
            all.join(one);
        }
        let counts = [
            all.lost,
            all.half_done,
            all.duplicated,
            all.wrong,
            all.forks,
        ];
        assert_eq!((counts, all.other, all.faults.len()), ([1; 5], 1, 6));
    }

    #[test]
    fn every_kind_of_fault_makes_findings_unclean() {
        for broken in ALL {
            let mut findings = Findings::default();
            assert!(findings.is_clean());
            for _ in 0..30 {
                findings.add(broken, "planted");
            }
            assert!(!findings.is_clean());
            assert_eq!(findings.lines().count(), NAMED_MAX);
            assert!(findings.counts().contains("30"), "{}", findings.counts());
        }
    }
}
