//! R7: a sync of the store fails, and all later ones. What such a sync left behind is unknown, so
//! after the kill everything that no sync covered is taken away too.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Ground;
use super::rounds::side_by_side;
use super::shim::Order;
use super::stage::{Played, Stage};
use super::table::{Row, Tally};
use crate::clock;
use crate::crash::disk::Fault;
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::random::Random;
use crate::server::Server;
use crate::session::Run;
use crate::tox;

/// The store's files.
const STORE: &str = "/data/store/";
const WRITERS: u64 = 16;
/// Load after the failure, and the longest wait for it.
const AFTER: Duration = Duration::from_millis(500);
const FAILURE_WAIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(2);

/// R7.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    let syncs = count(ground).await?;
    let runs = ground.runs(3, 50);
    let make = |number| {
        let ground = ground.clone();
        // The first run fails the very first sync, of a store that is being made.
        let at = 1 + (number - 1) * Random::stream(ground.seed, number).below(syncs);
        let at = 1 + (at - 1) % syncs;
        async move { Box::pin(round(&ground, number, at)).await }
    };
    let (mut never_began, mut read_only) = (0_u64, 0_u64);
    side_by_side(1..=runs, make, |ended: Ended| {
        never_began += u64::from(ended.state == State::NeverBegan);
        read_only += u64::from(ended.state == State::ReadOnly);
        row.notes.extend(ended.kept);
        row.tally.join(ended.tally);
        let text = format!("R7: {}/{runs} syncs failed", row.tally.runs);
        ground.output.progress(&text);
    })
    .await?;
    row.notes.push(format!(
        "{read_only} servers went read-only, {never_began} did not start on a store they could \
         not make"
    ));
    Ok(())
}

/// How many syncs of the store the script makes.
async fn count(ground: &Ground) -> Result<u64> {
    let mut stage = Stage::set(ground, "R7", Fault::Kill, 1, ground.seed)?;
    stage.order(Order::Count, STORE);
    let played = stage.play(&mut Findings::default()).await?;
    ensure!(played == Played::Whole, "the script was cut");
    Ok(stage.shim.counted()?.1.max(1))
}

/// What the server did after the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NeverBegan,
    ReadOnly,
    Ended,
    /// It goes on as if nothing had happened.
    Writing,
}

struct Ended {
    state: State,
    tally: Tally,
    kept: Option<String>,
}

async fn round(ground: &Ground, number: u64, at: u64) -> Result<Ended> {
    let seed = ground.seed.wrapping_add(number);
    let mut stage = Stage::set(ground, "R7", Fault::LostCache, WRITERS, seed)?;
    stage.order(Order::FailSync { at }, STORE);
    let mut findings = Findings::default();
    let state = match stage.subject.start().await {
        Ok((server, _)) => failing(&mut stage, server, &mut findings).await?,
        Err(_) if stage.shim.done()?.is_some() => State::NeverBegan,
        Err(error) => return Err(error),
    };
    if state == State::Writing {
        let what = format!("the server goes on writing after sync {at} failed");
        findings.add(Broken::Other, what);
    }
    stage.disk.recover()?;
    stage.order_nothing();
    let mut tally = stage.judge().await?;
    tally.findings.join(findings);
    let kept = (!tally.findings.is_clean()).then(|| {
        let folder = stage.keep();
        format!("sync {at}: kept in {}", folder.display())
    });
    Ok(Ended { state, tally, kept })
}

/// Writes until a sync has failed and a while longer, then kills the server.
async fn failing(stage: &mut Stage, mut server: Server, findings: &mut Findings) -> Result<State> {
    let mut connection = Connection::open(server.address()).await?;
    let key = tox::server_key(&mut connection).await?;
    let run = Run::new(server.address(), key);
    let load = stage.subject.begin(&run).await?;
    let began = clock::now();
    let failure = loop {
        if let Some(done) = stage.shim.done()? {
            break done.at;
        }
        ensure!(began.elapsed() < FAILURE_WAIT, "no sync has failed");
        tokio::time::sleep(LOOK).await;
    };
    tokio::time::sleep(AFTER).await;
    let state = if server.ended()?.is_some() {
        State::Ended
    } else if is_read_only(server.address()).await? {
        State::ReadOnly
    } else {
        State::Writing
    };
    server.kill()?;
    stage.subject.end(load, findings).await?;
    for writer in &stage.subject.writers {
        if writer.last_acknowledged.is_some_and(|sent| sent > failure) {
            let what = format!("writer {} was answered after it", writer.number());
            findings.add(
                Broken::Wrong,
                format!("a write sent after a failed sync: {what}"),
            );
        }
    }
    Ok(state)
}

async fn is_read_only(server: SocketAddr) -> Result<bool> {
    let mut connection = Connection::open(server).await?;
    let ready = connection.get("/readyz").await?;
    let said = String::from_utf8_lossy(&ready.body);
    Ok(ready.status == 503 && said.contains("read-only"))
}
