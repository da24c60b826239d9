//! A data directory with known content, partly in tables and partly in journals: what R5 damages
//! copies of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use merkle::note::Checkpoint;
use serde::Deserialize;
use tempfile::TempDir;

use super::Ground;
use crate::http::Connection;
use crate::log_view::Trust;
use crate::random::Random;
use crate::server::Launch;
use crate::tools::run;
use crate::tox::{self, Profile, Record};
use crate::traffic::Population;

/// Names pushed in one go until the engine has written rows into tables.
const STEP: u64 = 6_000;
const NAMES_MAX: u64 = 60_000;
/// Names that are written to once more, so that this stands in journals.
const LATE: u64 = 300;
const CONNECTIONS: u64 = 32;
const START_WAIT: Duration = Duration::from_secs(60);
const STOP_WAIT: Duration = Duration::from_secs(30);
/// Longest wait for the log to cover all writes.
const COVER_WAIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// The directory and what is in it.
pub(crate) struct Base {
    pub(crate) trust: Trust,
    /// The newest checkpoint that was published.
    pub(crate) newest: Checkpoint,
    /// What the check says of it: rows and commit number.
    pub(crate) whole: Whole,
    pub(crate) population: Population,
    scratch: TempDir,
}

/// What `store check` says of a whole store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Whole {
    pub(crate) rows: Option<u64>,
    pub(crate) commit: Option<u64>,
}

/// What must be shown of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) record: Option<Record>,
    pub(crate) links: u32,
}

impl Base {
    /// Makes it with a real server.
    pub(crate) async fn make(ground: &Ground) -> Result<Self> {
        let scratch = ground.scratch("R5-base")?;
        let log = scratch.path().join("server.log");
        let launch = Launch::sealbook(&ground.sealbook, scratch.path(), &log)?;
        let mut server = launch.start()?;
        let mut connection = server.connect(START_WAIT).await?;
        let trust = Trust::first_contact(&mut connection).await?;
        let mut population = Population {
            names: 0,
            seed: ground.seed,
        };
        while !has_tables(&scratch.path().join("data")) {
            ensure!(population.names < NAMES_MAX, "the engine writes no tables");
            let from = population.names;
            population.names += STEP;
            population
                .fill_from(from, server.address(), CONNECTIONS, &ground.output)
                .await?;
        }
        // A connection of its own: the server has closed one that was idle for so long.
        let mut connection = Connection::open(server.address()).await?;
        write_late(&mut connection, &population).await?;
        wait_for_log(&mut connection, &trust, &population).await?;
        let newest = trust.newest(&mut connection).await?;
        drop(connection);
        let (status, _) = server.terminate(STOP_WAIT).await?;
        ensure!(status.success(), "the server ended: {status}");
        let checked = scratch.path().join("checked");
        copy(&scratch.path().join("data"), &checked)?;
        let (code, said) = check(ground, &checked)?;
        ensure!(code == 0, "the check of a whole store says {code}: {said}");
        let whole = serde_json::from_str(&said).context("read what the check says")?;
        fs::remove_dir_all(&checked).context("remove a copy")?;
        Ok(Self {
            trust,
            newest,
            whole,
            population,
            scratch,
        })
    }

    /// Copies the data directory.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<()> {
        copy(&self.scratch.path().join("data"), folder)
    }

    /// A name, and what must be shown of it. Numbers from the population's size on are nobody's.
    pub(crate) fn expected(&self, number: u64) -> (Profile, Expected) {
        let profile = self.population.profile(number);
        let record = |version| {
            Some(Record {
                version,
                privacy: 1,
            })
        };
        let (record, links) = match late(number) {
            _ if number >= self.population.names => (None, 0),
            Late::Nothing => (record(1), 1),
            Late::Changed => (record(2), 2),
            Late::Deleted => (None, 2),
        };
        (profile, Expected { record, links })
    }

    /// A number of a name: mostly one that was written to late, at times nobody's.
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        match random.below(4) {
            0 | 1 => random.below(LATE),
            2 => random.below(self.population.names),
            _ => random.below(self.population.names + LATE),
        }
    }
}

/// What happened to a name after the tables were written.
enum Late {
    Nothing,
    Changed,
    Deleted,
}

fn late(number: u64) -> Late {
    match number {
        LATE.. => Late::Nothing,
        _ if number.is_multiple_of(3) => Late::Deleted,
        _ => Late::Changed,
    }
}

async fn write_late(connection: &mut Connection, population: &Population) -> Result<()> {
    let key = tox::server_key(connection).await?;
    let mut random = Random::stream(population.seed, u64::MAX);
    for number in 0..LATE {
        let profile = population.profile(number);
        let body = match late(number) {
            Late::Nothing => continue,
            Late::Deleted => profile.delete(&key, &mut random)?,
            Late::Changed => {
                let record = Record {
                    version: 2,
                    privacy: 1,
                };
                profile.push(&key, &record, &mut random)?
            }
        };
        let reply = tox::ask(connection, &body).await?;
        ensure!(reply.c == 0, "a late write is refused with {}", reply.c);
    }
    Ok(())
}

async fn wait_for_log(
    connection: &mut Connection,
    trust: &Trust,
    population: &Population,
) -> Result<()> {
    let began = crate::clock::now();
    let last = population.profile(LATE - 1);
    while trust.prove(connection, &last).await?.links < 2 {
        ensure!(began.elapsed() < COVER_WAIT, "the log does not cover it");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn has_tables(data: &Path) -> bool {
    let tables = data.join("store/fjall/keyspaces/2/tables");
    fs::read_dir(tables).is_ok_and(|mut entries| entries.next().is_some())
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    cp.args(["-a", "--sparse=always", "--reflink=auto"]);
    run(cp.arg(from).arg(to))
}

/// `store check` on a data directory; its exit code and what it printed.
pub(crate) fn check(ground: &Ground, data: &Path) -> Result<(i32, String)> {
    let store = format!("file:{}", data.join("store").display());
    ask(ground, &["store", "check", "--store"], store.into())
}

/// `log verify` on a data directory; its exit code and what it printed.
pub(crate) fn verify(ground: &Ground, data: &Path) -> Result<(i32, String)> {
    ask(ground, &["log", "verify"], data.to_owned())
}

fn ask(ground: &Ground, words: &[&str], last: PathBuf) -> Result<(i32, String)> {
    let output = Command::new(&ground.sealbook)
        .arg("--json")
        .args(words)
        .arg(last)
        .current_dir(&ground.parent)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", ground.sealbook.display()))?;
    let code = output.status.code();
    let said = if code == Some(0) {
        output.stdout
    } else {
        output.stderr
    };
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().last().unwrap_or_default().to_owned();
    let code = code.with_context(|| format!("{words:?} ended by a signal: {said}"))?;
    Ok((code, last))
}
