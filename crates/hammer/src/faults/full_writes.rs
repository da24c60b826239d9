//! R6, second half: from one write of a script on the disk is full, for writes all along it, until
//! space is given back.

use std::time::Duration;

use anyhow::Result;

use super::Ground;
use super::judge::{self, Times};
use super::rounds::{side_by_side, spread};
use super::shim::Order;
use super::stage::Stage;
use super::table::{Row, Tally};
use crate::crash::disk::Fault;
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::server::Server;
use crate::session::Run;
use crate::tox;

/// The store's files.
const STORE: &str = "/data/store/";
/// Names of the script.
const SLOTS: usize = 12;
/// Writes of the script; most of them meet the full disk.
const WRITES: u64 = 150;
/// How long a server that meets a full disk at its start may take to end.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// The second half of R6.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    let writes = count(ground).await?;
    let places = spread(writes, ground.runs(12, 200));
    let total = places.len();
    let make = |at| {
        let ground = ground.clone();
        async move { Box::pin(round(&ground, at)).await }
    };
    let (mut refusal, mut resume, mut refused) = (Duration::ZERO, Duration::ZERO, 0_u64);
    let mut done = 0;
    side_by_side(places, make, |ended: Ended| {
        if let Some(times) = ended.times {
            refused += 1;
            refusal = refusal.max(times.refusal_max);
            resume = resume.max(times.resume);
        }
        row.notes.extend(ended.kept);
        row.tally.join(ended.tally);
        done += 1;
        ground
            .output
            .progress(&format!("R6: {done}/{total} writes refused"));
    })
    .await?;
    row.notes.push(format!(
        "full from one of {total} of about {writes} writes on: {refused} running servers, slowest \
         refusal {refusal:.0?}, longest way back {resume:.0?}"
    ));
    Ok(())
}

async fn count(ground: &Ground) -> Result<u64> {
    let mut stage = Stage::set(ground, "R6", Fault::Kill, 1, ground.seed)?;
    stage.order(Order::Count, STORE);
    stage.play(&mut Findings::default()).await?;
    Ok(stage.shim.counted()?.0)
}

struct Ended {
    tally: Tally,
    /// `None` if the server did not start, or the disk was never full.
    times: Option<Times>,
    kept: Option<String>,
}

async fn round(ground: &Ground, at: u64) -> Result<Ended> {
    let mut stage = Stage::set(ground, "R6", Fault::Kill, 1, ground.seed)?;
    stage.order(Order::Fill { at }, STORE);
    let mut before = Tally::default();
    let times = match stage.subject.start().await {
        Ok((server, _)) => running(&mut stage, server, &mut before).await?,
        Err(_) if stage.shim.done()?.is_some() => None,
        Err(error) => return Err(error),
    };
    stage.order_nothing();
    let mut tally = stage.judge().await?;
    tally.join(before);
    let kept = (!tally.findings.is_clean()).then(|| {
        let folder = stage.keep();
        format!("full from write {at}: kept in {}", folder.display())
    });
    Ok(Ended { tally, times, kept })
}

async fn running(stage: &mut Stage, server: Server, tally: &mut Tally) -> Result<Option<Times>> {
    let findings = &mut tally.findings;
    let mut connection = Connection::open(server.address()).await?;
    let mut run = Run::new(server.address(), tox::server_key(&mut connection).await?);
    drop(connection);
    run.slots_max = SLOTS;
    run.writes_max = WRITES;
    run.until_refused = true;
    let mut load = stage.subject.begin(&run).await?;
    stage.subject.written(&mut load).await?;
    let is_full = stage.shim.done()?.is_some();
    let times = if is_full {
        let refusal_max = judge::refusals(stage, &run, findings).await?;
        judge::reads(stage, &run, findings).await?;
        stage.shim.free()?;
        let resume = judge::resume(stage, &run, findings).await?;
        Some(Times {
            refusal_max,
            resume,
        })
    } else {
        // It may be full at any moment from now on, as the log goes on; the check waits for the log.
        stage.shim.free()?;
        None
    };
    stage.subject.end(load, findings).await?;
    let checked = stage.subject.check(server.address()).await?;
    tally.note(checked);
    let (status, _) = server.terminate(STOP_WAIT).await?;
    if !status.success() {
        let what = format!("stopped with {status}");
        tally.findings.add(Broken::Other, what);
    }
    Ok(times)
}
