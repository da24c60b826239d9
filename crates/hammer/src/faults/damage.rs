//! R5: files of a stopped server are damaged at random places. The checks must find it, the server
//! must not answer wrongly, and no proof may verify to something that never was.

mod answers;
mod places;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::Ground;
use super::base::{Base, check, copy, verify};
use super::rounds::side_by_side;
use super::table::Row;
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::random::Random;
use crate::server::{Launch, Server};
use answers::Answers;

/// Names asked for in each run.
const SAMPLE: u64 = 40;
const START_WAIT: Duration = Duration::from_secs(60);
/// Exit codes of the commands: whole, and damaged.
const WHOLE: i32 = 0;
const UNVERIFIED: i32 = 4;

/// R5.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    let base = Arc::new(Base::make(ground).await?);
    let runs = ground.runs(100, 2_000);
    let make = |number| {
        let (ground, base) = (ground.clone(), base.clone());
        async move { Box::pin(round(&ground, &base, number)).await }
    };
    let mut sums = Sums::default();
    side_by_side(1..=runs, make, |ended: Ended| {
        sums.add(&ended);
        row.notes.extend(ended.kept);
        row.tally.findings.join(ended.findings);
        row.tally.runs += 1;
        row.tally.names_checked += SAMPLE;
        let text = format!("R5: {}/{runs} damaged, {}", row.tally.runs, sums.text());
        ground.output.progress(&text);
    })
    .await?;
    row.notes.push(sums.text());
    Ok(())
}

/// Who noticed a damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Noticed {
    /// `store check`, and whether it named a file.
    check: bool,
    named: bool,
    /// `log verify`.
    verify: bool,
    /// The server did not start, or is read-only.
    start: bool,
    /// Nobody needs to: everything is still there.
    harmless: bool,
}

struct Ended {
    noticed: Noticed,
    answers: Answers,
    findings: Findings,
    kept: Option<String>,
}

/// Counts over all runs.
#[derive(Default)]
struct Sums {
    check: u64,
    named: u64,
    verify_only: u64,
    start: u64,
    harmless: u64,
    answers: Answers,
}

impl Sums {
    fn add(&mut self, ended: &Ended) {
        let it = ended.noticed;
        self.check += u64::from(it.check);
        self.named += u64::from(it.named);
        self.verify_only += u64::from(it.verify && !it.check);
        self.start += u64::from(it.start);
        self.harmless += u64::from(it.harmless);
        self.answers.join(&ended.answers);
    }

    fn text(&self) -> String {
        format!(
            "found by store check {} ({} with file), by log verify alone {}, without effect {}; {} \
             servers refused to start or to write; answers: {}",
            self.check,
            self.named,
            self.verify_only,
            self.harmless,
            self.start,
            self.answers.text()
        )
    }
}

async fn round(ground: &Ground, base: &Base, number: u64) -> Result<Ended> {
    let mut random = Random::stream(ground.seed, number);
    let scratch = ground.scratch("R5")?;
    let data = scratch.path().join("data");
    base.copy_to(&data)?;
    let place = places::damage(&data, &mut random)?;
    // The checks and the server mend what they may, so each gets the damage as it is.
    let (checked, verified) = (
        scratch.path().join("checked"),
        scratch.path().join("verified"),
    );
    copy(&data, &checked)?;
    copy(&data, &verified)?;
    let mut findings = Findings::default();
    let (started, answers) = served(ground, base, &scratch, &mut random, &mut findings).await?;
    let (check_code, check_said) = check(ground, &checked)?;
    let (verify_code, verify_said) = verify(ground, &verified)?;
    let same = check_code == WHOLE && serde_json::from_str(&check_said).ok() == Some(base.whole);
    let noticed = Noticed {
        check: check_code != WHOLE,
        named: check_code == UNVERIFIED && check_said.contains("store/"),
        verify: verify_code != WHOLE,
        start: !started,
        harmless: same && verify_code == WHOLE && started,
    };
    // The checks are about the store; keys and what is remembered beside it are the server's to
    // check, also where one of them was swapped with a file of the store that is not used any more.
    let is_beside = is_beside_store(&place) && noticed.start;
    if !(noticed.check || noticed.verify || noticed.harmless || is_beside) {
        let what = format!("{place}: neither check finds it; {check_said}");
        findings.add(Broken::Other, what);
    }
    let kept = (!findings.is_clean()).then(|| {
        let folder = scratch.keep();
        format!(
            "run {number}: {place}; check {check_code} {check_said}; verify {verify_code} \
             {verify_said}; kept in {}",
            folder.display()
        )
    });
    Ok(Ended {
        noticed,
        answers,
        findings,
        kept,
    })
}

/// Whether one of the paths in what was done is not of the store.
fn is_beside_store(place: &str) -> bool {
    place
        .split(' ')
        .any(|word| word.contains("/data/") && !word.contains("/data/store/"))
}

/// Starts the server on the damage and asks it; whether it works as if nothing had happened, and
/// what it answered.
async fn served(
    ground: &Ground,
    base: &Base,
    scratch: &TempDir,
    random: &mut Random,
    findings: &mut Findings,
) -> Result<(bool, Answers)> {
    let log = scratch.path().join("server.log");
    let launch = Launch::sealbook(&ground.sealbook, scratch.path(), &log)?;
    let mut server = launch.start()?;
    let mut answers = Answers::default();
    let Some(mut connection) = first_answer(&mut server).await else {
        // Refused to start: no answer is a wrong one. A server that hangs or breaks is another matter.
        let refused = server.ended_within(START_WAIT).await?;
        if refused.and_then(|status| status.code()).is_none() {
            let what = format!("neither started nor refused: {refused:?}");
            findings.add(Broken::Other, what);
        }
        return Ok((false, answers));
    };
    for _ in 0..SAMPLE {
        let number = base.draw(random);
        if let Err(error) = answers.ask(&mut connection, base, number).await {
            let what = format!("a look-up breaks off: {error:#}; {}", server.last_words());
            findings.add(Broken::Other, what);
            break;
        }
    }
    let ready = ready(&mut connection, &mut server).await?;
    for wrong in answers.wrong.drain(..) {
        if ready {
            findings.add(Broken::Wrong, wrong);
        } else {
            answers.stale += 1;
        }
    }
    for wrong in answers.proven_wrong.drain(..) {
        findings.add(Broken::Wrong, wrong);
    }
    server.kill()?;
    Ok((ready, answers))
}

/// A connection to a server that works; the socket is open before the store is.
async fn first_answer(server: &mut Server) -> Option<Connection> {
    let connection = server.connect(START_WAIT).await.ok()?;
    let mut connection = connection.waiting(START_WAIT);
    connection.get("/livez").await.ok()?;
    Some(connection)
}

/// Whether the server takes itself for whole; false when it says that it will not write.
async fn ready(connection: &mut Connection, server: &mut Server) -> Result<bool> {
    let answer = connection.get("/readyz").await;
    let answer = answer.with_context(|| server.last_words())?;
    let said = String::from_utf8_lossy(&answer.body);
    Ok(!said.contains("read-only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beside_the_store_is_told_from_one_of_it() {
        assert!(is_beside_store(
            "/t/data/keys/log.key: bit 1 of byte 2 of 65 flipped"
        ));
        assert!(is_beside_store(
            "/t/data/store/fjall/v1 and /t/data/keys/log.key swapped"
        ));
        assert!(!is_beside_store(
            "/t/data/store/fjall/v1 and /t/data/store/commits swapped"
        ));
        assert!(!is_beside_store(
            "/t/data/store/commits: cut from 9 bytes to 1"
        ));
    }
}
