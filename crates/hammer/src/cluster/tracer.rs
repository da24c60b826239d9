//! Tracers: they write at one process, and time how long the others take to show it.

use std::time::{Duration, Instant};

use super::journal::{Sample, What};
use super::load::{Client, Written, write};
use crate::clock;
use crate::http::Connection;
use crate::ledger::Page;
use crate::log_view::Trust;
use crate::tox::{self, BAD_PAYLOAD};
use crate::writers::{Slot, Writer};

/// How often the other process is asked.
const LOOK: Duration = Duration::from_millis(5);
/// After this an edit counts as never seen.
const VISIBLE_WAIT: Duration = Duration::from_secs(10);
/// Between two samples.
const PAUSE: Duration = Duration::from_millis(50);
/// Accepted requests kept for sending them again later.
const KEPT: usize = 4;

/// A tracer: a writer, and the requests of its that were accepted.
pub(crate) struct Tracer {
    pub(crate) writer: Writer,
    pub(crate) accepted: Vec<Vec<u8>>,
}

impl Tracer {
    pub(crate) fn new(writer: Writer) -> Self {
        let accepted = Vec::new();
        Self { writer, accepted }
    }
}

/// Writes at one process and watches another until the round is over.
pub(crate) async fn trace(
    mut tracer: Tracer,
    mut here: Client,
    mut there: Client,
    trust: Trust,
) -> Tracer {
    while !here.round.is_over() {
        tokio::time::sleep(PAUSE).await;
        let Some(written) = write(&mut tracer.writer, &mut here).await else {
            continue;
        };
        let Some(slot) = tracer.writer.slots.get(written.at) else {
            continue;
        };
        if let Some(visible) = until_visible(slot, &mut there, &written).await
            && let Some(covered) = until_covered(slot, &there, &written, &trust).await
        {
            here.round.journal.pages().samples.push(Sample {
                acknowledged: written.acknowledged,
                visible,
                covered,
            });
        }
        replay(&mut there, &written.body).await;
        tracer.accepted.push(written.body);
        if tracer.accepted.len() > KEPT {
            tracer.accepted.remove(0);
        }
    }
    tracer
}

/// Waits until look-up shows what was written; `None` when the process gives no answer.
async fn until_visible(slot: &Slot, there: &mut Client, written: &Written) -> Option<Duration> {
    let state = slot.page.settled()?;
    let expected = state.map(|record| Some(record.version));
    loop {
        let asked = clock::now();
        let reply = there.ask(None, &tox::lookup(&slot.profile.name)).await?;
        let shown = reply.tox_id.map(|tox_id| slot.profile.version_of(&tox_id));
        if shown == expected {
            return Some(since(written, clock::now()));
        }
        if since(written, asked) > VISIBLE_WAIT {
            let what = format!("{shown:?} after {VISIBLE_WAIT:?} instead of {expected:?}");
            there.note(Some(&slot.profile.name), asked, What::Lost(what));
            return None;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the proof of the name, verified, is that of what was written.
async fn until_covered(
    slot: &Slot,
    there: &Client,
    written: &Written,
    trust: &Trust,
) -> Option<Duration> {
    let address = there.round.addresses.get(there.process)?;
    let mut connection = Connection::open(*address).await.ok()?;
    let (page, state): (&Page, _) = (&slot.page, slot.page.settled()?);
    let version = state.map(|record| record.version);
    while clock::now() < written.acknowledged + VISIBLE_WAIT {
        let proven = trust.prove(&mut connection, &slot.profile).await.ok()?;
        if page.is_covered_by(version, proven) {
            return Some(since(written, clock::now()));
        }
        tokio::time::sleep(LOOK).await;
    }
    None
}

/// Sends an accepted request again: it must be refused.
pub(crate) async fn replay(client: &mut Client, body: &[u8]) {
    let began = clock::now();
    let Some(reply) = client.ask(None, body).await else {
        return;
    };
    if reply.c == BAD_PAYLOAD {
        client.round.journal.pages().replays_refused += 1;
    } else {
        let what = format!("a request sent again was answered with {}", reply.c);
        client.note(None, began, What::Wrong(what));
    }
}

fn since(written: &Written, at: Instant) -> Duration {
    at.saturating_duration_since(written.acknowledged)
}
