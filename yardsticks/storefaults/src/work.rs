//! The workload and its check: batch `n` writes 8 rows whose content follows from `n`, and the
//! counter `last`. A store is right when it holds exactly the batches 1 to `last`.

use std::io::Write;
use std::path::Path;

use crate::engines::{Engine, Outcome, Rows, open};

pub const ROWS: u64 = 8;

fn key(batch: u64, row: u64) -> Vec<u8> {
    // Spread over the key space, so that pages are touched all over.
    let spread = batch.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
    format!("r/{spread:016x}/{batch:08}/{row}").into_bytes()
}

fn value(batch: u64, row: u64) -> Vec<u8> {
    let mut state = batch.wrapping_mul(31).wrapping_add(row).wrapping_add(1);
    let mut bytes = Vec::with_capacity(304);
    while bytes.len() < 300 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

pub fn rows(batch: u64) -> Rows {
    let mut rows: Rows = (0..ROWS)
        .map(|row| (key(batch, row), value(batch, row)))
        .collect();
    rows.push((b"last".to_vec(), batch.to_be_bytes().to_vec()));
    rows
}

pub fn last(engine: &dyn Engine) -> Outcome<u64> {
    let Some(bytes) = engine.get(b"last")? else {
        return Ok(0);
    };
    Ok(u64::from_be_bytes(bytes.as_slice().try_into()?))
}

/// Writes batches until `until`, one line on standard output for each acknowledged one.
pub fn write(name: &str, dir: &Path, until: u64, settle_at: u64, sync: bool) -> Outcome<()> {
    let engine = open(name, dir, sync)?;
    let mut out = std::io::stdout().lock();
    for batch in last(engine.as_ref())? + 1..=until {
        engine.commit(&rows(batch))?;
        if batch == settle_at {
            engine.settle()?;
        }
        writeln!(out, "{batch}")?;
        out.flush()?;
    }
    Ok(())
}

#[derive(Debug, Default)]
pub struct Verdict {
    pub last: u64,
    pub missing: u64,
    pub wrong: u64,
    pub torn: u64,
    pub read_errors: u64,
}

/// Reads everything; an error of the engine is counted, not hidden.
pub fn verify(engine: &dyn Engine) -> Outcome<Verdict> {
    let mut verdict = Verdict {
        last: last(engine)?,
        ..Verdict::default()
    };
    for batch in 1..=verdict.last + 3 {
        for row in 0..ROWS {
            match engine.get(&key(batch, row)) {
                Err(_) => verdict.read_errors += 1,
                Ok(None) if batch <= verdict.last => verdict.missing += 1,
                Ok(None) => {}
                Ok(Some(_)) if batch > verdict.last => verdict.torn += 1,
                Ok(Some(found)) if found != value(batch, row) => verdict.wrong += 1,
                Ok(Some(_)) => {}
            }
        }
    }
    Ok(verdict)
}

/// What `verify` says on standard output, read back by the round.
pub fn print_verdict(name: &str, dir: &Path) -> Outcome<()> {
    let engine = open(name, dir, true)?;
    let v = verify(engine.as_ref())?;
    println!(
        "{} {} {} {} {}",
        v.last, v.missing, v.wrong, v.torn, v.read_errors
    );
    Ok(())
}
