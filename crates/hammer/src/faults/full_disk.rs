//! R6, first half: others fill the small disk that the server's data is on, and make room again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Ground;
use super::judge::{self, Times};
use super::stage::Stage;
use super::table::{Row, Tally};
use crate::crash::disk::Fault;
use crate::findings::Broken;
use crate::http::Connection;
use crate::loop_disk::LoopDisk;
use crate::server::Server;
use crate::session::Run;
use crate::stats::ms;
use crate::tox;

const DISK_BYTES: u64 = 64 << 20;
const WRITERS: u64 = 16;
/// In about 50 the engine writes out its memory for the first time; what it stores itself in many more
/// would leave no room, as it keeps its first journal up to 64 MB.
const ROUNDS_OF_A_DISK: u64 = 60;
/// Load before the disk fills up.
const LOAD: Duration = Duration::from_millis(500);
const FILLER: &str = "filler";
/// The filler grows by these many bytes at a time, each until no more fit.
const CHUNK_BYTES: [usize; 3] = [1 << 20, 4096, 1];

/// The first half of R6.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    if let Some(why) = &ground.no_disk {
        row.skipped = Some(format!("the half with a disk of its own: {why}"));
        return Ok(());
    }
    let rounds = ground.runs(1, 20);
    let mut worst = Times::default();
    while row.tally.runs < rounds {
        let left = rounds - row.tally.runs;
        let times = Box::pin(one_disk(ground, row, left.min(ROUNDS_OF_A_DISK))).await?;
        worst = worst.or_worse(times);
        let text = format!("R6: {}/{rounds} times full", row.tally.runs);
        ground.output.progress(&text);
    }
    row.notes.push(format!(
        "64 MiB filled by others {rounds} time(s): slowest refusal {:.0} ms, writes back {:.0} ms \
         after there was room, by the same process",
        ms(worst.refusal_max),
        ms(worst.resume)
    ));
    Ok(())
}

/// One disk and one server, through some rounds.
async fn one_disk(ground: &Ground, row: &mut Row, rounds: u64) -> Result<Times> {
    let seed = ground.seed.wrapping_add(row.tally.runs);
    let mut stage = Stage::set(ground, row.id, Fault::Kill, WRITERS, seed)?;
    let mount = stage.disk.data().to_owned();
    let folder = mount.parent().context("the mount has no parent")?;
    // Dropped before the stage: a disk is unmounted before its folder goes.
    let _disk = LoopDisk::make(folder, &mount, DISK_BYTES)?;
    let (server, _) = stage.subject.start().await?;
    let mut worst = Times::default();
    for _ in 0..rounds {
        let times = one(&mut stage, &server, &mount, &mut row.tally).await?;
        worst = worst.or_worse(times);
        row.tally.runs += 1;
    }
    stage.judge_running(server, &mut row.tally).await?;
    row.tally.acknowledged += stage.subject.acknowledged();
    row.tally.checkpoints += stage.subject.checkpoints();
    Ok(worst)
}

async fn one(stage: &mut Stage, server: &Server, mount: &Path, tally: &mut Tally) -> Result<Times> {
    let findings = &mut tally.findings;
    let mut connection = Connection::open(server.address()).await?;
    let mut run = Run::new(server.address(), tox::server_key(&mut connection).await?);
    run.until_refused = true;
    let mut load = stage.subject.begin(&run).await?;
    // Under load, so that some writes are under way when the space goes.
    tokio::time::sleep(LOAD).await;
    fill(&mount.join(FILLER))?;
    stage.subject.written(&mut load).await?;
    let refusal_max = judge::refusals(stage, &run, findings).await?;
    if judge::reads(stage, &run, findings).await? == 0 {
        findings.add(Broken::Other, "no name to read while the disk was full");
    }
    fs::remove_file(mount.join(FILLER)).context("remove the filler")?;
    let resume = judge::resume(stage, &run, findings).await?;
    stage.subject.end(load, findings).await?;
    let checked = stage.subject.check(server.address()).await?;
    tally.note(checked);
    Ok(Times {
        refusal_max,
        resume,
    })
}

/// Writes until not a byte more fits.
fn fill(path: &Path) -> Result<()> {
    let mut file = File::create(path).context("make the filler")?;
    for size in CHUNK_BYTES {
        let chunk = vec![0xff; size];
        loop {
            match file.write_all(&chunk) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error).context("fill the disk"),
            }
        }
    }
    Ok(())
}
