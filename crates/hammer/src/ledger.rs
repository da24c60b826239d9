//! What the writers were promised, kept outside the server, and what that allows it to show.

use crate::log_view::Proven;
use crate::tox::Record;

/// A name's state: what it points to, or nothing.
pub(crate) type State = Option<Record>;

/// The ledger's page about one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The last state the server acknowledged.
    acknowledged: State,
    /// The state of the one write that has no answer, if there is one. It may have been made or
    /// not; until a check has seen which, nobody writes to the name again.
    open: Option<State>,
    /// Links the name's chain must have: one for each acknowledged write.
    links: u32,
    versions: u32,
    /// Written to since the last check.
    touched: bool,
}

impl Page {
    /// The state writes start from; `None` while one is open.
    pub(crate) fn settled(&self) -> Option<State> {
        self.open.is_none().then_some(self.acknowledged)
    }

    /// The state of the write that has no answer.
    pub(crate) fn open(&self) -> Option<State> {
        self.open
    }

    /// Whether look-up shows the state of the write that has no answer, and not the one before.
    pub(crate) fn shows_open(&self, lookup: Option<u32>) -> bool {
        let version = |state: State| state.map(|record| record.version);
        let open = self.open.map(version);
        open == Some(lookup) && open != Some(version(self.acknowledged))
    }

    /// Whether it was written to since the last check.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched
    }

    /// A version no write to this name has had.
    pub(crate) fn next_version(&mut self) -> u32 {
        self.versions += 1;
        self.versions
    }

    /// A write is about to be sent.
    pub(crate) fn begin(&mut self, state: State) {
        self.touched = true;
        self.open = Some(state);
    }

    /// The open write was acknowledged.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(state) = self.open.take() {
            self.acknowledged = state;
            self.links += 1;
        }
    }

    /// The open write, which this answers, was refused: it must have no effect.
    pub(crate) fn refuse(&mut self) -> Option<State> {
        self.open.take()
    }

    /// Whether the log has caught up with what look-up shows. Also true when look-up shows what it
    /// may not: then there is nothing to wait for.
    pub(crate) fn is_covered_by(&self, lookup: Option<u32>, proven: Proven) -> bool {
        let Some((state, links)) = self.state_shown(lookup) else {
            return true;
        };
        proven.record == state && proven.links >= links && !proven.withheld
    }

    /// The state that look-up shows, and the links the chain then has; `None` for one that the
    /// server may not show.
    fn state_shown(&self, lookup: Option<u32>) -> Option<(State, u32)> {
        let matches = |state: &State| state.map(|record| record.version) == lookup;
        match self.open.filter(matches) {
            Some(state) => Some((state, self.links + 1)),
            None => matches(&self.acknowledged).then_some((self.acknowledged, self.links)),
        }
    }

    /// Compares the page with what the server shows. After [`Verdict::Whole`] the page takes over
    /// what was seen, so that an open write is decided once and for all.
    pub(crate) fn check(&mut self, seen: &Observed) -> Verdict {
        let verdict = self.judge(seen);
        if verdict == Verdict::Whole {
            if let Some(state) = self.open.take()
                && state.map(|record| record.version) == seen.lookup
            {
                self.acknowledged = state;
            }
            self.links = seen.proven.links;
            self.touched = false;
        }
        verdict
    }

    fn judge(&self, seen: &Observed) -> Verdict {
        let Some((state, links)) = self.state_shown(seen.lookup) else {
            let expected = self.acknowledged.map(|record| record.version);
            let open = self.open.map(|state| state.map(|record| record.version));
            return Verdict::Lost(format!(
                "version {expected:?} was acknowledged (open: {open:?}), look-up shows {:?}",
                seen.lookup
            ));
        };
        match seen.contradiction(state, links) {
            None => Verdict::Whole,
            Some(what) if seen.proven.links > links => Verdict::Twice(what),
            Some(what) => Verdict::HalfDone(what),
        }
    }
}

/// What the server shows of one name, through each of its views. Versions stand for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Look-up by name.
    pub(crate) lookup: Option<u32>,
    /// Whether reverse look-up by key gives the name.
    pub(crate) reverse: bool,
    /// The version in the bio that search shows.
    pub(crate) search: Option<u32>,
    /// The verified proof.
    pub(crate) proven: Proven,
}

impl Observed {
    /// Why these views do not show one state, if they do not.
    pub(crate) fn contradiction(&self, state: State, links: u32) -> Option<String> {
        let public = state.filter(|record| record.privacy > 0);
        let version = public.map(|record| record.version);
        if self.reverse != public.is_some() {
            return Some(format!(
                "{state:?}, but reverse look-up finds: {}",
                self.reverse
            ));
        }
        if self.search != version {
            return Some(format!("{state:?}, but search shows {:?}", self.search));
        }
        let expected = Proven {
            record: state,
            links,
            withheld: false,
        };
        (self.proven != expected).then(|| {
            format!(
                "expected {expected:?}, but the log proves {:?}",
                self.proven
            )
        })
    }
}

/// What a check says of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One state, and one the server may show.
    Whole,
    /// An acknowledged write is gone, or what is shown was never written.
    Lost(String),
    /// The views disagree.
    HalfDone(String),
    /// The chain has more links than were written.
    Twice(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: u32, privacy: u8) -> State {
        Some(Record { version, privacy })
    }

    fn proven(record: State, links: u32) -> Proven {
        Proven {
            record,
            links,
            withheld: false,
        }
    }

    fn shown(state: State, links: u32) -> Observed {
        let public = state.filter(|record| record.privacy > 0);
        Observed {
            lookup: state.map(|record| record.version),
            reverse: public.is_some(),
            search: public.map(|record| record.version),
            proven: proven(state, links),
        }
    }

    fn written(states: &[State]) -> Page {
        let mut page = Page::default();
        for state in states {
            page.begin(*state);
            page.acknowledge();
        }
        page
    }

    #[test]
    fn what_was_acknowledged_is_whole() {
        for state in [record(2, 0), record(2, 1), record(2, 2), None] {
            let mut page = written(&[record(1, 1), state]);
            assert!(page.is_touched());
            assert_eq!(page.check(&shown(state, 2)), Verdict::Whole);
            assert!(!page.is_touched());
            assert_eq!(page.settled(), Some(state));
        }
        assert_eq!(Page::default().check(&shown(None, 0)), Verdict::Whole);
    }

    #[test]
    fn a_planted_loss_is_caught() {
        let mut page = written(&[record(1, 1), record(2, 1)]);
        for old in [record(1, 1), None, record(3, 1)] {
            assert!(matches!(page.check(&shown(old, 1)), Verdict::Lost(_)));
        }
        let mut deleted = written(&[record(1, 1), None]);
        let undone = deleted.check(&shown(record(1, 1), 1));
        assert!(matches!(undone, Verdict::Lost(_)));
    }

    #[test]
    fn a_planted_half_done_write_is_caught() {
        let state = record(2, 1);
        let whole = shown(state, 2);
        let halves = [
            Observed {
                reverse: false,
                ..whole
            },
            Observed {
                search: None,
                ..whole
            },
            Observed {
                search: Some(1),
                ..whole
            },
            Observed {
                proven: proven(record(1, 1), 2),
                ..whole
            },
            Observed {
                proven: proven(record(2, 2), 2),
                ..whole
            },
            Observed {
                proven: proven(state, 1),
                ..whole
            },
            Observed {
                proven: Proven {
                    withheld: true,
                    ..whole.proven
                },
                ..whole
            },
        ];
        for half in halves {
            let mut page = written(&[record(1, 1), state]);
            assert!(
                matches!(page.check(&half), Verdict::HalfDone(_)),
                "{half:?}"
            );
        }
        let mut private = written(&[record(1, 0)]);
        let leak = Observed {
            reverse: true,
            ..shown(record(1, 0), 1)
        };
        assert!(matches!(private.check(&leak), Verdict::HalfDone(_)));
    }

    #[test]
    fn an_open_write_is_told_from_the_one_before() {
        let mut page = written(&[record(1, 1)]);
        assert!(!page.shows_open(Some(1)));
        page.begin(record(2, 1));
        assert!(page.shows_open(Some(2)) && !page.shows_open(Some(1)) && !page.shows_open(None));
        page.refuse();
        page.begin(None);
        assert!(page.shows_open(None) && !page.shows_open(Some(1)));
        assert!(!Page::default().shows_open(None));
    }

    #[test]
    fn a_write_made_twice_is_caught() {
        let mut page = written(&[record(1, 1), record(2, 1)]);
        let twice = page.check(&shown(record(2, 1), 3));
        assert!(matches!(twice, Verdict::Twice(_)), "{twice:?}");
    }

    #[test]
    fn an_open_write_may_be_there_or_not_but_only_one_of_them() {
        for (seen, links) in [(record(1, 1), 1), (record(2, 0), 2)] {
            let mut page = written(&[record(1, 1)]);
            page.begin(record(2, 0));
            assert_eq!(page.settled(), None);
            assert_eq!(page.check(&shown(seen, links)), Verdict::Whole);
            assert_eq!(page.settled(), Some(seen));
            // Decided: the other state would now be a loss.
            let other = if links == 1 {
                record(2, 0)
            } else {
                record(1, 1)
            };
            assert!(matches!(page.check(&shown(other, 1)), Verdict::Lost(_)));
        }
        let mut page = written(&[record(1, 1)]);
        page.begin(None);
        let torn = Observed {
            lookup: None,
            ..shown(record(1, 1), 1)
        };
        assert!(matches!(page.check(&torn), Verdict::HalfDone(_)));
    }

    #[test]
    fn a_refused_write_must_have_no_effect() {
        let mut page = written(&[record(1, 1)]);
        page.begin(record(2, 1));
        assert_eq!(page.refuse(), Some(record(2, 1)));
        assert_eq!(page.settled(), Some(record(1, 1)));
        assert!(matches!(
            page.check(&shown(record(2, 1), 2)),
            Verdict::Lost(_)
        ));
    }
}
