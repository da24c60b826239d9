//! What a check makes of a claim: pure, no store, no clock.

use std::time::Duration;

use crate::engine::Settings;
use crate::limits::{
    CHECK_GRACE, DUE_LOOK_PERIOD, PAGE_DOUBTED, REASON_CHARS_MAX, RECHECK_BACKOFF,
    RECHECK_DOUBLINGS_MAX,
};
use crate::ports::checker::{Failure, Refusal};
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
    /// A page stands where the post should, which may be gone or out of sight for a while; the reason
    /// if it is gone.
    Doubtful(String),
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
        } else if refusal.failure == Failure::PageInstead {
            Self::Doubtful(shortened(&refusal.reason))
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

    /// How long a page is doubted.
    fn page_doubted(self) -> Duration {
        PAGE_DOUBTED.min(self.recheck_after)
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
/// with pauses that double. A page where the post should be leaves the claim what it was too, until it
/// has been the answer for a while without a definite one in between. One that cannot be made stays what it was and is due `recheck_after` later:
/// should its service be checked again, whoever reads it has it checked at once.
pub(super) fn judge(claim: &mut ClaimEntry, verdict: Verdict, now: UnixMillis, pace: Pace) {
    claim.checking_until_ms = 0;
    let next = now.plus(pace.recheck_after).0;
    match verdict {
        Verdict::Unasked => claim.due_ms = next,
        Verdict::Unclear => put_off(claim, now, pace),
        Verdict::Holds { alt_id } => {
            settle(claim, now, next);
            if !alt_id.is_empty() {
                claim.alt_id = alt_id;
            }
        }
        Verdict::Doubtful(_) if is_doubted(claim, now, pace) => {
            if claim.page_since_ms == 0 {
                claim.page_since_ms = now.0;
            }
            put_off(claim, now, pace);
        }
        Verdict::Contradicted(reason) | Verdict::Doubtful(reason) => {
            settle(claim, now, next);
            claim.is_invalid = true;
            claim.invalid_reason = reason;
        }
    }
}

/// Whether a page may pass: the claim held before, and it is not the answer for long yet.
fn is_doubted(claim: &ClaimEntry, now: UnixMillis, pace: Pace) -> bool {
    let is_new = claim.page_since_ms == 0;
    let until = UnixMillis(claim.page_since_ms).plus(pace.page_doubted());
    !claim.is_invalid && (is_new || now < until)
}

/// What a check does that said nothing.
fn put_off(claim: &mut ClaimEntry, now: UnixMillis, pace: Pace) {
    claim.due_ms = now.plus(pace.pause(claim.failures)).0;
    claim.failures = claim.failures.saturating_add(1);
}

/// What any definite answer does.
fn settle(claim: &mut ClaimEntry, now: UnixMillis, next: u64) {
    (claim.failures, claim.page_since_ms) = (0, 0);
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
            "[a-z]{1,3}".prop_map(Verdict::Doubtful),
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
        let page = verdict(Failure::PageInstead);
        assert_eq!(page, Verdict::Doubtful("why".into()));
    }

    #[test]
    fn a_page_that_passes_turns_nothing_and_one_that_stays_does() {
        let page = || verdict(Failure::PageInstead);
        let (mut claim, mut now) = (ClaimEntry::default(), UnixMillis(1));
        let holds = || Verdict::Holds {
            alt_id: String::new(),
        };
        for _ in 0..3 {
            judge(&mut claim, page(), now, DAILY);
            assert_eq!((claim.is_invalid, claim.checked_at_ms), (false, 0));
            // Whoever reads has it checked again at once: how often does not count.
            now = now.plus(Duration::from_secs(1));
        }
        now = now.plus(PAGE_DOUBTED);
        judge(&mut claim, Verdict::Unclear, now, DAILY);
        assert!(!claim.is_invalid);
        judge(&mut claim, holds(), now, DAILY);
        // What was before it held again does not count.
        let start = now;
        let mut checks = 0;
        while !claim.is_invalid {
            judge(&mut claim, page(), now, DAILY);
            checks += 1;
            if !claim.is_invalid {
                now = UnixMillis(claim.due_ms);
            }
        }
        assert_eq!((checks, claim.invalid_reason.as_str()), (7, "why"));
        assert!(now >= start.plus(PAGE_DOUBTED));
        // It is not found good by another page.
        now = UnixMillis(claim.due_ms);
        judge(&mut claim, page(), now, DAILY);
        assert_eq!((claim.is_invalid, claim.checked_at_ms), (true, now.0));
        judge(&mut claim, holds(), now, DAILY);
        assert!(!claim.is_invalid);
        let often = Pace {
            recheck_after: Duration::from_secs(60),
            ..DAILY
        };
        judge(&mut claim, page(), now, often);
        now = UnixMillis(claim.due_ms);
        judge(&mut claim, page(), now, often);
        assert!(claim.is_invalid, "no longer than between two checks");
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
            steps in prop::collection::vec((verdicts(), 1..10_000_000_u64), 1..40),
        ) {
            let mut claim = ClaimEntry::default();
            let (mut now, mut last, mut alt) = (UnixMillis(1), None, String::new());
            let mut page: Option<u64> = None;
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
                    Verdict::Doubtful(why) => {
                        let is_invalid = last.as_ref().is_some_and(|(_, invalid, _)| *invalid);
                        let is_over = |since| now >= UnixMillis(since).plus(PAGE_DOUBTED);
                        if is_invalid || page.is_some_and(is_over) {
                            last = Some((now.0, true, why.clone()));
                        } else {
                            page = page.or(Some(now.0));
                        }
                    }
                }
                let (at, invalid, why) = last.clone().unwrap_or_default();
                if at == now.0 {
                    page = None;
                }
                prop_assert_eq!((claim.checked_at_ms, claim.is_invalid), (at, invalid));
                prop_assert_eq!(&claim.invalid_reason, &why);
                prop_assert_eq!(&claim.alt_id, &alt);
                prop_assert!(claim.due_ms > now.0 && claim.due_ms <= now.plus(DAY).0);
            }
        }
    }
}
