//! R4: one write of a script is torn and the server killed with it, for every write in turn.

use anyhow::Result;

use super::Ground;
use super::rounds::{side_by_side, spread};
use super::shim::{Done, Order};
use super::stage::{Played, Stage};
use super::table::{Row, Tally};
use crate::crash::disk::Fault;
use crate::findings::{Broken, Findings};
use crate::random::Random;

/// How much of a torn write is done, in percent; a hundred is a kill right behind a write.
const PERCENTS: [u64; 5] = [0, 3, 50, 97, 100];
/// What the server says when it drops the end of a journal, or of the file of commit numbers.
const DROPPED: &str = "dropped a torn";

/// R4.
pub(crate) async fn run(ground: &Ground, row: &mut Row) -> Result<()> {
    let writes = count(ground).await?;
    let places = spread(writes, ground.runs(100, writes));
    let total = places.len();
    let (mut cut, mut told) = (0_u64, 0_u64);
    let make = |at| {
        let ground = ground.clone();
        async move { Box::pin(round(&ground, at)).await }
    };
    let tally = &mut row.tally;
    let notes = &mut row.notes;
    side_by_side(places, make, |ended: Ended| {
        cut += u64::from(ended.played == Played::Cut);
        told += u64::from(ended.told);
        notes.extend(ended.kept);
        tally.join(ended.tally);
        let text = format!("R4: {}/{total} writes torn", tally.runs);
        ground.output.progress(&text);
    })
    .await?;
    row.notes.push(format!(
        "{total} of about {writes} writes torn, {cut} servers killed, {told} starts told of a \
         dropped end"
    ));
    Ok(())
}

/// How many writes the script makes, stop included. Not the same each time: the log follows by
/// the clock.
async fn count(ground: &Ground) -> Result<u64> {
    let mut stage = Stage::set(ground, "R4", Fault::Kill, 1, ground.seed)?;
    let data = stage.disk.data().display().to_string();
    stage.order(Order::Count, &data);
    stage.play(&mut Findings::default()).await?;
    Ok(stage.shim.counted()?.0)
}

struct Ended {
    played: Played,
    told: bool,
    tally: Tally,
    kept: Option<String>,
}

async fn round(ground: &Ground, at: u64) -> Result<Ended> {
    let mut stage = Stage::set(ground, "R4", Fault::Kill, 1, ground.seed)?;
    let data = stage.disk.data().display().to_string();
    let pick = Random::stream(ground.seed, at).next() % 5;
    let percent = PERCENTS.get(usize::try_from(pick)?).copied().unwrap_or(50);
    stage.order(Order::Tear { at, percent }, &data);
    let mut findings = Findings::default();
    let played = stage.play(&mut findings).await?;
    stage.order_nothing();
    let before = stage.said()?.len();
    let mut tally = stage.judge().await?;
    tally.findings.join(findings);
    let said = stage.said()?;
    let dropped = said.iter().skip(before);
    let dropped = dropped.filter(|line| line.contains(DROPPED)).count();
    let done = stage.shim.done()?;
    if let Some(what) = silence(done.as_ref(), dropped) {
        tally.findings.add(Broken::Other, what);
    }
    let kept = (!tally.findings.is_clean()).then(|| {
        format!(
            "write {at} ({percent} %, {done:?}): kept in {}",
            stage.keep().display()
        )
    });
    Ok(Ended {
        played,
        told: dropped > 0,
        tally,
        kept,
    })
}

/// What is wrong with what was said of a torn write: a journal's torn end must be told, in one line.
fn silence(done: Option<&Done>, dropped: usize) -> Option<String> {
    let done = done?;
    let of_journal = done.path.extension().is_some_and(|it| it == "jnl");
    let torn = of_journal && done.written > 0 && done.written < done.bytes;
    if dropped > 1 || (torn && dropped == 0) {
        return Some(format!("{dropped} lines tell of {done:?}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_journal_is_told_in_one_line() {
        let done = |path: &str, written| Done {
            at: crate::clock::now(),
            bytes: 10,
            written,
            path: path.into(),
        };
        let torn = done("store/fjall/0.jnl", 3);
        assert!(silence(Some(&torn), 0).is_some());
        assert!(silence(Some(&torn), 2).is_some());
        assert_eq!(silence(Some(&torn), 1), None);
        assert_eq!(silence(Some(&done("store/fjall/0.jnl", 10)), 0), None);
        assert_eq!(silence(Some(&done("store/commits", 3)), 0), None);
        assert_eq!(silence(None, 0), None);
    }
}
