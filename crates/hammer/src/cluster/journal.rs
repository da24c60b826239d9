//! What clients lived through: acknowledgements, and everything that was not as it should be.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::plan::Fault;
use crate::findings::Broken;
use crate::http::Answer;
use crate::tox::{INTERNAL, Reply};

/// Longest time an answer may take, also when the store does not answer: a server waits 2 s for a
/// place in its queue and 10 s for a commit. The last second is for machines as busy as this one.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(13);
/// Longest time a fault's effects may last beyond its end.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// The journal of one round, written by all its clients.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Pages>);

/// What a round's journal holds in the end.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// When writes were acknowledged, and by which process.
    pub(crate) acknowledged: Vec<(Instant, usize)>,
    pub(crate) looked_up: u64,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) slowest: Duration,
    pub(crate) samples: Vec<Sample>,
    pub(crate) replays_refused: u64,
}

/// A request that did not get the answer it should.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) process: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// The name it was about, for writes.
    pub(crate) name: Option<String>,
    pub(crate) what: What,
}

/// What went wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// 503 in the protocol's shape.
    Unavailable,
    /// No answer: the connection broke, or could not be made.
    Unanswered(String),
    /// An answer in another shape, or one that nobody may get.
    Wrong(String),
    /// An answer that contradicts an acknowledgement.
    Lost(String),
    /// An answer after more than [`ANSWER_MAX`].
    Late(Duration),
}

/// How long one edit took to arrive at another process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) acknowledged: Instant,
    /// Look-up at another process shows it.
    pub(crate) visible: Duration,
    /// A root that another process serves covers it.
    pub(crate) covered: Duration,
}

/// The time in which a fault may be felt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) fault: Fault,
    /// The process that was hit, when it was not the database.
    pub(crate) process: Option<usize>,
    pub(crate) from: Instant,
    pub(crate) over: Instant,
}

impl Journal {
    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was written so far.
    pub(crate) fn take(&self) -> Pages {
        std::mem::take(&mut *self.pages())
    }

    /// The first acknowledgement after a moment, by one process or by any.
    pub(crate) fn acknowledged_after(&self, after: Instant, by: Option<usize>) -> Option<Instant> {
        let pages = self.pages();
        let mut acknowledged = pages.acknowledged.iter();
        let is_it = |at: &&(Instant, usize)| at.0 > after && by.is_none_or(|by| by == at.1);
        acknowledged.find(is_it).map(|at| at.0)
    }
}

/// Reads an answer and says what is wrong with its shape.
///
/// 200 is for `c` 0 alone, 503 for -43 alone, everything else has 400.
pub(crate) fn read(answer: &Answer) -> Result<Reply, What> {
    let reply = Reply::read(answer).map_err(|error| What::Wrong(format!("{error:#}")))?;
    let status = match reply.c {
        0 => 200,
        INTERNAL => 503,
        _ => 400,
    };
    if answer.status != status {
        let what = format!("status {} with c {}", answer.status, reply.c);
        return Err(What::Wrong(what));
    }
    if reply.c == INTERNAL {
        return Err(What::Unavailable);
    }
    Ok(reply)
}

impl Outage {
    /// What an incident proves, if the fault does not excuse it.
    pub(crate) fn judge(&self, incident: &Incident) -> Option<(Broken, String)> {
        let limit = self.over + RECOVERY_MAX;
        let is_in_time = incident.ended >= self.from && incident.began <= limit;
        let is_its_own = self.process == Some(incident.process);
        let excused = match &incident.what {
            What::Unavailable => is_in_time,
            What::Unanswered(_) => is_in_time && is_its_own,
            What::Late(_) => is_in_time && is_its_own && self.fault == Fault::FreezeLeader,
            What::Wrong(_) | What::Lost(_) => false,
        };
        if excused {
            return None;
        }
        let broken = match incident.what {
            What::Lost(_) => Broken::Lost,
            What::Unavailable | What::Unanswered(_) | What::Late(_) | What::Wrong(_) => {
                Broken::Other
            }
        };
        let name = incident.name.as_deref().unwrap_or("a request");
        let since = signed_s(incident.ended, self.from);
        let what = format!(
            "{name} at process {}, {since:+.1} s from \"{}\": {:?}",
            incident.process,
            self.fault.name(),
            incident.what
        );
        Some((broken, what))
    }

    /// Whether a time between two moments had nothing of the fault in it.
    pub(crate) fn spares(&self, from: Instant, to: Instant, recovered: Instant) -> bool {
        to < self.from || from > recovered
    }
}

fn signed_s(at: Instant, from: Instant) -> f64 {
    let later = at.saturating_duration_since(from).as_secs_f64();
    let earlier = from.saturating_duration_since(at).as_secs_f64();
    later - earlier
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, body }
    }

    #[test]
    fn only_the_protocols_shape_is_an_answer() {
        assert_eq!(read(&answer(200, "{\"c\": 0}")).unwrap().c, 0);
        assert_eq!(read(&answer(400, "{\"c\": -42}")).unwrap().c, -42);
        let unavailable = read(&answer(503, "{\"c\": -43}")).unwrap_err();
        assert_eq!(unavailable, What::Unavailable);
        for (status, body) in [
            (500, "{\"c\": -43}"),
            (200, "{\"c\": -43}"),
            (503, "{\"c\": 0}"),
            (503, "the request took too long\n"),
            (502, "{\"c\": -3}"),
        ] {
            let what = read(&answer(status, body)).unwrap_err();
            assert!(matches!(what, What::Wrong(_)), "{status} {body}");
        }
    }

    /// Incidents of process 1 at -1 s, in the midst of a fault of 2 s, and a minute later.
    fn judged(fault: Fault, process: Option<usize>, what: &What) -> [bool; 3] {
        let from = clock::now() + Duration::from_secs(60);
        let outage = Outage {
            fault,
            process,
            from,
            over: from + Duration::from_secs(2),
        };
        let moments = [
            from.checked_sub(Duration::from_secs(1)).unwrap(),
            from + Duration::from_secs(1),
            from + Duration::from_secs(60),
        ];
        moments.map(|at| {
            let incident = Incident {
                process: 1,
                began: at,
                ended: at,
                name: None,
                what: what.clone(),
            };
            outage.judge(&incident).is_some()
        })
    }

    #[test]
    fn a_fault_excuses_refusals_while_it_lasts() {
        let refused = What::Unavailable;
        assert_eq!(judged(Fault::Refuse, None, &refused), [true, false, true]);
    }

    #[test]
    fn connections_break_only_at_a_process_that_was_hit() {
        let broken = What::Unanswered("reset".to_owned());
        assert_eq!(judged(Fault::Refuse, None, &broken), [true; 3]);
        assert_eq!(judged(Fault::KillLeader, Some(2), &broken), [true; 3]);
        let hit = judged(Fault::KillLeader, Some(1), &broken);
        assert_eq!(hit, [true, false, true]);
    }

    #[test]
    fn nothing_excuses_a_wrong_answer_and_only_a_freeze_a_late_one() {
        for what in [
            What::Wrong("500".to_owned()),
            What::Lost("gone".to_owned()),
            What::Late(Duration::from_secs(13)),
        ] {
            for fault in [Fault::KillLeader, Fault::PauseDatabase] {
                assert_eq!(judged(fault, Some(1), &what), [true; 3], "{what:?}");
            }
        }
        let late = What::Late(Duration::from_secs(13));
        let frozen = judged(Fault::FreezeLeader, Some(1), &late);
        assert_eq!(frozen, [true, false, true]);
    }

    #[test]
    fn acknowledgements_are_found_by_time_and_process() {
        let journal = Journal::default();
        let at = |ms| clock::now() + Duration::from_millis(ms);
        let moments = [at(1000), at(2000), at(3000)];
        let [first, second, third] = moments;
        journal.pages().acknowledged = vec![(first, 0), (second, 1), (third, 0)];
        assert_eq!(journal.acknowledged_after(first, None), Some(second));
        assert_eq!(journal.acknowledged_after(first, Some(0)), Some(third));
        assert_eq!(journal.acknowledged_after(third, None), None);
    }
}
