//! B10, B11 and B16: memory, starting, and doing nothing.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::line::{Line, Target};
use super::{Bed, START_WAIT, file_bytes};
use crate::clock;
use crate::process;
use crate::server::Server;
use crate::stats::{median, ms};
use crate::tox;
use crate::traffic::Population;

/// Restarts of each kind.
const RESTARTS: u32 = 3;
const STOP_WAIT: Duration = Duration::from_secs(60);
/// How long an idle server is watched, after it has settled.
const SETTLE: Duration = Duration::from_secs(2);
const WATCH: Duration = Duration::from_secs(10);
const MIB: f64 = 1_048_576.0;
/// The caches of the embedded store: 64 MiB of records, 32 MiB of blocks.
const CACHES_MIB: f64 = 96.0;
/// What a server may take besides its caches.
const BEYOND_CACHES_MIB: f64 = 128.0;

/// B16: a server with an empty store.
pub(super) async fn idle(bed: &Bed) -> Result<Vec<Line>> {
    bed.output.progress("B16");
    let began = clock::now();
    let server = answering(bed, "nobody", tox::NO_USER).await?;
    let start = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let resident = bytes(process::resident_bytes(server.pid())?);
    let before = process::cpu(server.pid())?;
    tokio::time::sleep(WATCH).await;
    let used = process::cpu(server.pid())?.saturating_sub(before);
    server.terminate(STOP_WAIT).await?;
    let again = clock::now();
    let server = answering(bed, "nobody", tox::NO_USER).await?;
    let restart = again.elapsed();
    server.terminate(STOP_WAIT).await?;
    let line = |what: &str, ours, unit, most, note: String| Line {
        id: "B16",
        what: what.to_owned(),
        ours,
        unit,
        yardstick: None,
        target: Some(Target::AtMost(most)),
        note,
    };
    let percent = 100.0 * used.as_secs_f64() / WATCH.as_secs_f64();
    let none = String::new;
    Ok(vec![
        line("idle, resident memory", resident / MIB, "MiB", 40.0, none()),
        line(
            "idle, CPU",
            percent,
            "%",
            0.2,
            format!("over {WATCH:?}, in ticks of 10 ms"),
        ),
        line(
            "binary, without debug information",
            bytes(stripped_bytes(bed)?) / MIB,
            "MiB",
            30.0,
            format!(
                "{:.1} MiB with it",
                bytes(file_bytes(&bed.launch.program)?) / MIB
            ),
        ),
        line(
            "start with an empty store, to the first look-up",
            ms(restart),
            "ms",
            100.0,
            format!(
                "the very first start, which makes keys and store: {:.0} ms",
                ms(start)
            ),
        ),
    ])
}

/// B10: memory of a server that holds the names and has answered for a while.
pub(super) fn full(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    Ok(vec![Line {
        id: "B10",
        what: format!("resident memory with {} names", bed.population.names),
        ours: bytes(process::resident_bytes(server.pid())?) / MIB,
        unit: "MiB",
        yardstick: None,
        target: Some(Target::AtMost(CACHES_MIB + BEYOND_CACHES_MIB)),
        note: format!("its caches are bounded at {CACHES_MIB:.0} MiB"),
    }])
}

/// B11: restarts with the names loaded, after a clean stop and after a kill.
pub(super) async fn start(bed: &Bed, mut server: Server) -> Result<(Vec<Line>, Server)> {
    let name = Population::name(bed.population.names / 2);
    let mut clean = Vec::new();
    let mut killed = Vec::new();
    for round in 0..RESTARTS {
        bed.output.progress(&format!("B11, round {}", round + 1));
        for (kill, times) in [(false, &mut clean), (true, &mut killed)] {
            if kill {
                server.kill()?;
            } else {
                server.terminate(STOP_WAIT).await?;
            }
            let began = clock::now();
            server = answering(bed, &name, 0).await?;
            times.push(ms(began.elapsed()));
        }
    }
    let line = |what: &str, times: &[f64], most| Line {
        id: "B11",
        what: format!(
            "{} names, first right look-up after {what}",
            bed.population.names
        ),
        ours: median(times),
        unit: "ms",
        yardstick: None,
        target: Some(Target::AtMost(most)),
        note: format!("each of {RESTARTS}: {times:.0?} ms; files in the page cache"),
    };
    let lines = vec![
        line("a clean stop", &clean, 1000.0),
        line("kill -9", &killed, 5000.0),
    ];
    Ok((lines, server))
}

/// Starts the server and waits for the right answer to one look-up.
async fn answering(bed: &Bed, name: &str, code: i32) -> Result<Server> {
    let mut server = bed.launch.start()?;
    let mut connection = server.connect(START_WAIT).await?;
    let reply = tox::ask(&mut connection, &tox::lookup(name)).await?;
    ensure!(
        reply.c == code,
        "the first look-up answers {}, not {code}",
        reply.c
    );
    Ok(server)
}

/// What is left of the programme after `strip`, as packages ship it.
fn stripped_bytes(bed: &Bed) -> Result<u64> {
    let stripped = bed.scratch.path().join("stripped");
    let status = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(&bed.launch.program)
        .status()
        .context("run strip")?;
    ensure!(status.success(), "strip: {status}");
    file_bytes(&stripped)
}

fn bytes(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
