//! Clients that write and look up, each at one process and each with names of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crypto::boxed::BoxPublicKey;

use super::journal::{ANSWER_MAX, Incident, Journal, What, read};
use crate::clock;
use crate::http::Connection;
use crate::tox::{self, NO_USER, Reply};
use crate::writers::Writer;

/// Longer than an answer may take, so that a late one is seen as what it is.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// A connection that was idle for longer is not used again: the server closes it at 10 s.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Between two requests of a client: the servers are to be busy, not the machine.
const PAUSE: Duration = Duration::from_millis(8);
/// After a request that failed.
const PAUSE_FAILED: Duration = Duration::from_millis(150);
/// Names of one writer that are written to again and again; more only while these are in doubt.
const SLOTS_MAX: usize = 25;
/// One request in this many is a look-up.
const LOOKUP_EVERY: u64 = 3;

/// What the clients of one round share.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) key: BoxPublicKey,
    pub(crate) journal: Arc<Journal>,
    /// Set when the round is over: everybody finishes the request it is at.
    pub(crate) is_over: Arc<AtomicBool>,
}

impl Round {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// A connection to one process that is made anew when it breaks, and notes in the journal whatever
/// is not as it should be.
pub(crate) struct Client {
    pub(crate) process: usize,
    pub(crate) round: Round,
    /// And when it was used last.
    connection: Option<(Connection, Instant)>,
}

impl Client {
    pub(crate) fn new(process: usize, round: &Round) -> Self {
        Self {
            process,
            round: round.clone(),
            connection: None,
        }
    }

    /// Sends one request; `name` for writes. `None` when there is no answer to go by.
    pub(crate) async fn ask(&mut self, name: Option<&str>, body: &[u8]) -> Option<Reply> {
        let began = clock::now();
        let (asked, what) = match self.exchange(body).await {
            Ok(reply) => (Some(reply), None),
            Err(what) => (None, Some(what)),
        };
        let took = began.elapsed();
        let is_answered = !matches!(what, Some(What::Unanswered(_)));
        if is_answered {
            let mut pages = self.round.journal.pages();
            pages.slowest = pages.slowest.max(took);
        }
        let late = (is_answered && took > ANSWER_MAX).then_some(What::Late(took));
        for what in what.into_iter().chain(late) {
            self.note(name, began, what);
        }
        asked
    }

    /// Notes what was wrong with a request.
    pub(crate) fn note(&self, name: Option<&str>, began: Instant, what: What) {
        let incident = Incident {
            process: self.process,
            began,
            ended: clock::now(),
            name: name.map(str::to_owned),
            what,
        };
        self.round.journal.pages().incidents.push(incident);
    }

    async fn exchange(&mut self, body: &[u8]) -> Result<Reply, What> {
        let unanswered = |error: anyhow::Error| What::Unanswered(format!("{error:#}"));
        let mut connection = match self.connection.take() {
            Some((connection, used)) if used.elapsed() < IDLE_MAX => connection,
            Some(_) | None => self.connect().await.map_err(unanswered)?,
        };
        let answer = connection.post(tox::API, body).await.map_err(unanswered)?;
        self.connection = Some((connection, clock::now()));
        read(&answer)
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let address = self.round.addresses.get(self.process);
        let address = address.ok_or_else(|| anyhow::anyhow!("there is no such process"))?;
        Ok(Connection::open(*address).await?.waiting(ANSWER_WAIT))
    }
}

/// Writes and looks up at one process until the round is over.
pub(crate) async fn work(mut writer: Writer, mut client: Client) -> Writer {
    while !client.round.is_over() {
        let is_answered = if writer.draw(LOOKUP_EVERY) == 0 {
            look_up(&mut writer, &mut client).await
        } else {
            write(&mut writer, &mut client).await.is_some()
        };
        let pause = if is_answered { PAUSE } else { PAUSE_FAILED };
        tokio::time::sleep(pause).await;
    }
    writer
}

/// An acknowledged write.
pub(crate) struct Written {
    pub(crate) at: usize,
    pub(crate) body: Vec<u8>,
    pub(crate) acknowledged: Instant,
}

/// Makes one write; `None` when it was not acknowledged.
pub(crate) async fn write(writer: &mut Writer, client: &mut Client) -> Option<Written> {
    let in_doubt = writer.slots.iter();
    let in_doubt = in_doubt
        .filter(|slot| slot.page.settled().is_none())
        .count();
    let (at, state) = writer.choose(SLOTS_MAX + in_doubt)?;
    let name = writer.slots.get(at)?.profile.name.clone();
    let body = match writer.begin(at, state, &client.round.key) {
        Ok(body) => body,
        Err(error) => {
            let what = What::Wrong(format!("{error:#}"));
            client.note(Some(&name), clock::now(), what);
            return None;
        }
    };
    let reply = client.ask(Some(&name), &body).await?;
    writer.settle(at, reply.c);
    if reply.c != 0 {
        return None;
    }
    let acknowledged = clock::now();
    let mut pages = client.round.journal.pages();
    pages.acknowledged.push((acknowledged, client.process));
    Some(Written {
        at,
        body,
        acknowledged,
    })
}

/// Looks up a name whose state is sure; the process that acknowledged it must show it at once.
async fn look_up(writer: &mut Writer, client: &mut Client) -> bool {
    let Some(slot) = writer.any_settled() else {
        return true;
    };
    let Some(state) = slot.page.settled() else {
        return true;
    };
    let (name, began) = (slot.profile.name.as_str(), clock::now());
    let Some(reply) = client.ask(None, &tox::lookup(name)).await else {
        return false;
    };
    let shown = reply.tox_id.map(|tox_id| slot.profile.version_of(&tox_id));
    let expected = state.map(|record| Some(record.version));
    if shown != expected || !matches!(reply.c, 0 | NO_USER) {
        let what = format!(
            "expected {expected:?}, look-up shows {shown:?}, c {}",
            reply.c
        );
        client.note(Some(name), began, What::Lost(what));
    }
    client.round.journal.pages().looked_up += 1;
    true
}
