//! R11: SIGTERM under load. Every request the server has accepted gets its answer, the process ends
//! within five seconds and with code 0.
//!
//! A request is accepted once the server acts on it: one that has no answer must have had no
//! effect. So must be answered also what was half sent when the signal came, and completed then.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Ground;
use super::stage::Stage;
use super::table::Row;
use crate::clock;
use crate::crash::disk::Fault;
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::server::Server;
use crate::session::Run;
use crate::stats::ms;
use crate::tox;

const WRITERS: u64 = 64;
/// Requests that are half sent when the signal comes.
const SLOW: usize = 16;
/// From the first half of a slow request to the signal, and from there to the second half.
const HALF: Duration = Duration::from_millis(300);
/// A request this old when the signal comes has certainly been accepted.
const OLD: Duration = Duration::from_secs(1);
const STOP_MAX: Duration = Duration::from_secs(5);
const STOP_WAIT: Duration = Duration::from_secs(30);
/// Load before the signal, in milliseconds: at least, and at most this much more.
const LOAD_MS_MIN: u64 = 200;
const LOAD_MS_MORE: u64 = 800;

/// R11.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    let runs = ground.runs(10, 100);
    let mut stage = Stage::set(ground, row.id, Fault::Kill, WRITERS, ground.seed)?;
    let mut slowest = Duration::ZERO;
    let mut unanswered = 0;
    let (mut server, _) = stage.subject.start().await?;
    for run in 1..=runs {
        let stopped = stop(&mut stage, server, &mut row.tally.findings).await?;
        slowest = slowest.max(stopped.took);
        unanswered += stopped.unanswered;
        server = stage.subject.start().await?.0;
        made_unanswered(&mut stage, server.address(), &mut row.tally.findings).await?;
        let checked = stage.subject.check(server.address()).await?;
        row.tally.note(checked);
        row.tally.runs += 1;
        ground.output.progress(&format!("R11: {run}/{runs} stops"));
    }
    stage.judge_running(server, &mut row.tally).await?;
    row.tally.acknowledged += stage.subject.acknowledged();
    row.tally.checkpoints += stage.subject.checkpoints();
    row.notes.push(format!(
        "slowest stop {:.0} ms; {unanswered} requests came too late, were not accepted and had no \
         effect",
        ms(slowest)
    ));
    if !row.tally.findings.is_clean() {
        row.notes.push(format!("kept: {}", stage.keep().display()));
    }
    Ok(())
}

struct Stopped {
    took: Duration,
    /// Requests without an answer.
    unanswered: u64,
}

async fn stop(stage: &mut Stage, server: Server, findings: &mut Findings) -> Result<Stopped> {
    let mut connection = Connection::open(server.address()).await?;
    let run = Run::new(server.address(), tox::server_key(&mut connection).await?);
    drop(connection);
    let load = stage.subject.begin(&run).await?;
    let time = LOAD_MS_MIN + stage.subject.random.below(LOAD_MS_MORE);
    sleep(Duration::from_millis(time)).await;
    let mut slow = JoinSet::new();
    for _ in 0..SLOW {
        slow.spawn(half_then_half(server.address()));
    }
    sleep(HALF).await;
    let signalled = clock::now();
    let (status, took) = server.terminate(STOP_WAIT).await?;
    if !status.success() || took > STOP_MAX {
        let what = format!("ended {took:?} after SIGTERM: {status}");
        findings.add(Broken::Other, what);
    }
    while let Some(answered) = slow.join_next().await {
        if let Err(error) = answered.context("a slow client broke")? {
            let what = format!("a request half sent at SIGTERM has no answer: {error:#}");
            findings.add(Broken::Other, what);
        }
    }
    stage.subject.end(load, findings).await?;
    let mut unanswered = 0;
    for writer in &stage.subject.writers {
        let Some((_, begun)) = writer.unanswered else {
            continue;
        };
        unanswered += 1;
        let age = signalled.saturating_duration_since(begun);
        if age > OLD {
            let what = format!("a request of {age:?} before SIGTERM has no answer");
            findings.add(Broken::Other, what);
        }
    }
    Ok(Stopped { took, unanswered })
}

/// Sends half a look-up, waits, sends the rest, and reads the answer.
async fn half_then_half(server: SocketAddr) -> Result<()> {
    let body = tox::lookup("nobody");
    let head = format!(
        "POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server).await.context("connect")?;
    stream
        .write_all(head.as_bytes())
        .await
        .context("send the head")?;
    stream
        .write_all(first)
        .await
        .context("send the first half")?;
    sleep(HALF * 2).await;
    stream
        .write_all(rest)
        .await
        .context("send the second half")?;
    let mut answer = Vec::new();
    let read = timeout(STOP_WAIT, stream.read_to_end(&mut answer)).await;
    read.context("no end of the answer")?
        .context("read the answer")?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        answer.escape_ascii()
    );
    Ok(())
}

/// A write without an answer must not have been made.
async fn made_unanswered(
    stage: &mut Stage,
    server: SocketAddr,
    findings: &mut Findings,
) -> Result<()> {
    let mut connection = Connection::open(server).await?;
    for writer in &mut stage.subject.writers {
        let Some((at, _)) = writer.unanswered.take() else {
            continue;
        };
        let slot = writer.slots.get(at).context("a slot that was written to")?;
        let Some(open) = slot.page.open() else {
            continue;
        };
        let reply = tox::ask(&mut connection, &tox::lookup(&slot.profile.name)).await?;
        let shown = reply.tox_id.and_then(|id| slot.profile.version_of(&id));
        let is_made = slot.page.shows_open(shown);
        if is_made {
            let what = format!("{}: {open:?} was made and not answered", slot.profile.name);
            findings.add(Broken::Other, what);
        }
    }
    Ok(())
}
