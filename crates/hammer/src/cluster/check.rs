//! After each round: every name that was written to, as every process shows it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::clock;
use crate::findings::Broken;
use crate::http::Connection;
use crate::ledger::Verdict;
use crate::log_view::Trust;
use crate::observe::observe;
use crate::random::Random;
use crate::writers::{Slot, Writer};

/// How long processes may differ once nobody writes.
const SETTLE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);
/// One untouched name in this many is checked all the same.
const SAMPLE: u64 = 10;

/// What a check needs to know.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) trust: Trust,
    /// Names with a write that a process which was asked to stop did not answer.
    pub(crate) unanswered: Arc<BTreeSet<String>>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) names: u64,
    pub(crate) faults: Vec<(Broken, String)>,
}

/// Checks the names of all writers.
pub(crate) async fn check(
    writers: &mut Vec<Writer>,
    question: &Question,
    random: &mut Random,
) -> Outcome {
    let mut checks = JoinSet::new();
    for writer in writers.drain(..) {
        let random = Random::new(random.next());
        checks.spawn(check_writer(writer, question.clone(), random));
    }
    let mut all = Outcome::default();
    for (writer, outcome) in checks.join_all().await {
        writers.push(writer);
        all.names += outcome.names;
        all.faults.extend(outcome.faults);
    }
    writers.sort_by_key(Writer::number);
    all
}

/// Checks one writer's names, and stops at its first fault: the others would only repeat it.
async fn check_writer(
    mut writer: Writer,
    question: Question,
    mut random: Random,
) -> (Writer, Outcome) {
    let mut outcome = Outcome::default();
    for slot in &mut writer.slots {
        if !slot.page.is_touched() && random.below(SAMPLE) != 0 {
            continue;
        }
        outcome.names += 1;
        if let Some(fault) = check_name(slot, &question).await {
            outcome.faults.push(fault);
            break;
        }
    }
    (writer, outcome)
}

async fn check_name(slot: &mut Slot, question: &Question) -> Option<(Broken, String)> {
    let open = slot.page.open();
    let mut fault = None;
    for (process, address) in question.addresses.iter().enumerate() {
        let name = slot.profile.name.clone();
        let at_process = |what: String| format!("{name} at process {process}: {what}");
        fault = match settle(slot, *address, &question.trust).await {
            Ok(Verdict::Whole) => None,
            Ok(Verdict::Lost(what)) => Some((Broken::Lost, at_process(what))),
            Ok(Verdict::HalfDone(what)) => Some((Broken::HalfDone, at_process(what))),
            Ok(Verdict::Twice(what)) => Some((Broken::Duplicated, at_process(what))),
            Err(error) => Some((Broken::Other, at_process(format!("{error:#}")))),
        };
        if fault.is_some() {
            return fault;
        }
    }
    let name = &slot.profile.name;
    if open.is_some() && slot.page.settled() == open && question.unanswered.contains(name) {
        let what = format!("{name}: a process that was asked to stop made {open:?} unanswered");
        fault = Some((Broken::Other, what));
    }
    fault
}

/// Looks until a process shows what it must, at most for [`SETTLE`].
async fn settle(slot: &mut Slot, address: SocketAddr, trust: &Trust) -> Result<Verdict> {
    let began = clock::now();
    loop {
        let seen = look(slot, address, trust).await;
        if matches!(seen, Ok(Verdict::Whole)) || began.elapsed() > SETTLE {
            return seen;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(slot: &mut Slot, address: SocketAddr, trust: &Trust) -> Result<Verdict> {
    let mut connection = Connection::open(address).await?;
    let seen = observe(&mut connection, trust, &slot.profile, &slot.page).await?;
    Ok(slot.page.check(&seen))
}
