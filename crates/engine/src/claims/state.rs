//! What a check makes of a claim: pure, no store, no clock.

use std::time::Duration;

use crate::engine::Settings;
use crate::limits::{
    CHECK_GRACE, DUE_LOOK_PERIOD, REASON_CHARS_MAX, RECHECK_BACKOFF, RECHECK_DOUBLINGS_MAX,
};
use crate::ports::checker::Refusal;
use crate::tables::ClaimEntry;
use crate::types::UnixMillis;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The claim is true.
    Holds {
        /// The account's other name; empty when it was not learned.
        alt_id: String,
    },
    /// The claim is not true, and why.
    Contradicted(String),
    /// It could not be checked.
    Unclear,
    /// There is nobody to ask, or nothing to ask for: its service has no checker here, or its link was
    /// erased.
    Unasked,
}

impl From<&Refusal> for Verdict {
    fn from(refusal: &Refusal) -> Self {
        if refusal.failure.is_definite() {
            Self::Contradicted(shortened(&refusal.reason))
        } else {
            Self::Unclear
        }
    }
}

/// How often claims are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Time between two checks.
    pub(super) recheck_after: Duration,
    /// Whether pauses grow after checks that could not be made.
    pub(super) backs_off: bool,
}

impl Pace {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            recheck_after: settings.recheck_after,
            backs_off: settings.limits_enabled,
        }
    }

    /// The pause after a check that could not be made, when so many before it could not either.
    fn pause(self, failures: u32) -> Duration {
        if !self.backs_off {
            return DUE_LOOK_PERIOD.min(self.recheck_after);
        }
        let doublings = failures.min(RECHECK_DOUBLINGS_MAX);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        RECHECK_BACKOFF
            .saturating_mul(factor)
            .min(self.recheck_after)
    }
}

/// Applies a verdict. A definite one counts at once, and the next check is due `recheck_after` later;
/// after a check that could not be made the claim stays what it was, and the next one is due sooner,
/// with pauses that double. One that cannot be made stays what it was and is due `recheck_after` later:
/// should its service be checked again, whoever reads it has it checked at once.
pub(super) fn judge(claim: &mut ClaimEntry, verdict: Verdict, now: UnixMillis, pace: Pace) {
    claim.checking_until_ms = 0;
    let next = now.plus(pace.recheck_after).0;
    match verdict {
        Verdict::Unasked => claim.due_ms = next,
        Verdict::Unclear => {
            claim.due_ms = now.plus(pace.pause(claim.failures)).0;
            claim.failures = claim.failures.saturating_add(1);
        }
        Verdict::Holds { alt_id } => {
            settle(claim, now, next);
            if !alt_id.is_empty() {
                claim.alt_id = alt_id;
            }
        }
        Verdict::Contradicted(reason) => {
            settle(claim, now, next);
            claim.is_invalid = true;
            claim.invalid_reason = reason;
        }
    }
}

/// What any definite answer does.
fn settle(claim: &mut ClaimEntry, now: UnixMillis, next: u64) {
    claim.failures = 0;
    claim.checked_at_ms = now.0;
    claim.due_ms = next;
    claim.is_invalid = false;
    claim.invalid_reason.clear();
}

/// Whether the last definite answer is so old that whoever reads the claim starts a check.
pub(super) fn is_overdue(claim: &ClaimEntry, now: UnixMillis, recheck_after: Duration) -> bool {
    now > UnixMillis(claim.checked_at_ms).plus(recheck_after) && now.0 >= claim.checking_until_ms
}

/// Whether the last definite answer is older than those that are checked in time ever are.
pub(super) fn is_unchecked(
    checked_at: UnixMillis,
    now: UnixMillis,
    recheck_after: Duration,
) -> bool {
    let grace = CHECK_GRACE.min(recheck_after);
    now > checked_at.plus(recheck_after.saturating_add(grace))
}

/// A reason of bounded length.
pub(super) fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ports::checker::Failure;

    const DAY: Duration = Duration::from_secs(86_400);
    const DAILY: Pace = Pace {
        recheck_after: DAY,
        backs_off: true,
    };

    fn verdict(failure: Failure) -> Verdict {
        Verdict::from(&Refusal::new(failure, "why"))
    }

    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            "[a-z]{0,3}".prop_map(|alt_id| Verdict::Holds { alt_id }),
            "[a-z]{1,3}".prop_map(Verdict::Contradicted),
            Just(Verdict::Unclear),
            Just(Verdict::Unasked),
        ]
    }

    #[test]
    fn only_a_contradiction_is_definite() {
        for failure in [
            Failure::Unreachable,
            Failure::Limited,
            Failure::TooLarge,
            Failure::ForbiddenAddress,
        ] {
            assert_eq!(verdict(failure), Verdict::Unclear);
        }
        for failure in [
            Failure::Malformed,
            Failure::NotFound,
            Failure::WrongAuthor,
            Failure::TextMissing,
            Failure::BadSignature,
        ] {
            assert_eq!(verdict(failure), Verdict::Contradicted("why".into()));
        }
    }

    #[test]
    fn pauses_double_up_to_the_time_between_two_checks() {
        let mut claim = ClaimEntry::default();
        let mut now = UnixMillis(0);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            judge(&mut claim, Verdict::Unclear, now, DAILY);
            pauses.push((claim.due_ms - now.0) / 60_000);
            now = UnixMillis(claim.due_ms);
        }
        assert_eq!(
            pauses,
            [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]
        );
        judge(&mut claim, verdict(Failure::NotFound), now, DAILY);
        assert_eq!((claim.failures, claim.due_ms), (0, now.plus(DAY).0));
    }

    proptest! {
        #[test]
        fn a_claim_is_what_the_last_definite_answer_says(
            steps in prop::collection::vec((verdicts(), 1..100_000_u64), 1..40),
        ) {
            let mut claim = ClaimEntry::default();
            let (mut now, mut last, mut alt) = (UnixMillis(1), None, String::new());
            for (verdict, passed) in steps {
                now = UnixMillis(now.0 + passed);
                judge(&mut claim, verdict.clone(), now, DAILY);
                match &verdict {
                    Verdict::Unclear | Verdict::Unasked => {}
                    Verdict::Holds { alt_id } => {
                        last = Some((now.0, false, String::new()));
                        if !alt_id.is_empty() {
                            alt = alt_id.clone();
                        }
                    }
                    Verdict::Contradicted(why) => last = Some((now.0, true, why.clone())),
                }
                let (at, invalid, why) = last.clone().unwrap_or_default();
                prop_assert_eq!((claim.checked_at_ms, claim.is_invalid), (at, invalid));
                prop_assert_eq!(&claim.invalid_reason, &why);
                prop_assert_eq!(&claim.alt_id, &alt);
                prop_assert!(claim.due_ms > now.0 && claim.due_ms <= now.plus(DAY).0);
            }
        }
    }
}
