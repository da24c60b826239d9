//! What a server that cannot write must still do: answer reads rightly, refuse writes at once, say
//! so, and resume by itself.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::stage::Stage;
use crate::clock;
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::session::Run;
use crate::tox::{self, API, NO_USER, Reply};

/// How fast a write must be refused, and how soon writes must be taken again.
const REFUSAL_MAX: Duration = Duration::from_secs(1);
const RESUME_MAX: Duration = Duration::from_secs(5);
/// Writes sent to a server that cannot write.
const PROBES: usize = 8;
const LOOK: Duration = Duration::from_millis(20);
/// Longest wait for writes to be taken again.
const RESUME_WAIT: Duration = Duration::from_secs(60);
const UNAVAILABLE: u16 = 503;
const OK: u16 = 200;

/// Times of one full disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) refusal_max: Duration,
    pub(crate) resume: Duration,
}

impl Times {
    /// The longer ones of two.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        Self {
            refusal_max: self.refusal_max.max(other.refusal_max),
            resume: self.resume.max(other.resume),
        }
    }
}

/// Sends writes that must be refused, each within a second, and checks what `/readyz` says.
pub(crate) async fn refusals(
    stage: &mut Stage,
    run: &Run,
    findings: &mut Findings,
) -> Result<Duration> {
    let mut connection = Connection::open(run.server).await?;
    let mut slowest = Duration::ZERO;
    for _ in 0..PROBES {
        let (status, took) = write(stage, run, &mut connection).await?;
        slowest = slowest.max(took);
        if status != UNAVAILABLE {
            let what = format!("a write to a full disk is answered with status {status}");
            findings.add(Broken::Other, what);
        }
        if took > REFUSAL_MAX {
            findings.add(Broken::Other, format!("a refusal took {took:?}"));
        }
    }
    let ready = connection.get("/readyz").await?;
    let said = String::from_utf8_lossy(&ready.body);
    if ready.status != UNAVAILABLE || !said.contains("writes") {
        findings.add(
            Broken::Other,
            format!("/readyz says {}: {said}", ready.status),
        );
    }
    Ok(slowest)
}

/// Every name whose state is known must be shown as it is.
pub(crate) async fn reads(stage: &Stage, run: &Run, findings: &mut Findings) -> Result<u64> {
    let mut connection = Connection::open(run.server).await?;
    let mut names = 0;
    for slot in stage
        .subject
        .writers
        .iter()
        .flat_map(|writer| &writer.slots)
    {
        let Some(state) = slot.page.settled() else {
            continue;
        };
        let name = &slot.profile.name;
        let answer = connection.post(API, &tox::lookup(name)).await?;
        let reply = Reply::read(&answer)?;
        let shown = match reply.c {
            0 => reply.tox_id.and_then(|id| slot.profile.version_of(&id)),
            NO_USER => None,
            code => {
                let what = format!("{name}: look-up answers {code} while the disk is full");
                findings.add(Broken::Wrong, what);
                continue;
            }
        };
        names += 1;
        if shown != state.map(|record| record.version) {
            let what = format!("{name}: {state:?} was acknowledged, look-up shows {shown:?}");
            findings.add(Broken::Wrong, what);
        }
    }
    Ok(names)
}

/// Waits until a write is taken again, which must be soon and without a restart.
pub(crate) async fn resume(
    stage: &mut Stage,
    run: &Run,
    findings: &mut Findings,
) -> Result<Duration> {
    let mut connection = Connection::open(run.server).await?;
    let began = clock::now();
    loop {
        let (status, _) = write(stage, run, &mut connection).await?;
        let took = began.elapsed();
        if status == OK {
            if took > RESUME_MAX {
                findings.add(Broken::Other, format!("writes resumed after {took:?}"));
            }
            return Ok(took);
        }
        ensure!(took < RESUME_WAIT, "writes do not resume: status {status}");
        tokio::time::sleep(LOOK).await;
    }
}

/// One write by the first writer, noted in the ledger; status and time of the answer.
async fn write(
    stage: &mut Stage,
    run: &Run,
    connection: &mut Connection,
) -> Result<(u16, Duration)> {
    let writer = stage.subject.writers.first_mut().context("no writer")?;
    let (at, state) = writer.choose(usize::MAX).context("no name to write to")?;
    let body = writer.begin(at, state, &run.key)?;
    let began = clock::now();
    let answer = connection.post(API, &body).await?;
    let took = began.elapsed();
    writer.settle(at, Reply::read(&answer)?.c);
    Ok((answer.status, took))
}
