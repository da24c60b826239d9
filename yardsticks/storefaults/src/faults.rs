//! The rounds: each makes one fault and classifies what the engine made of it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engines::{Outcome, open};
use crate::work;

struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

pub fn run(kind: &str, engine: &str, rounds: u64, tools: &Path) -> Outcome<()> {
    let base = std::env::temp_dir().join(format!("storefaults-{kind}-{engine}"));
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut seed = Seed(0x5EED_0000 + rounds);
    if kind == "damage" {
        make_store(engine, &base.join("whole"))?;
    }
    for round in 1..=rounds {
        let result = match kind {
            "power" => power(engine, &base, tools, &mut seed, true)?,
            "nosync" => power(engine, &base, tools, &mut seed, false)?,
            "torn" => torn(engine, &base, tools, round)?,
            "damage" => damage(engine, &base, &mut seed, round)?,
            "full" => full(engine, &base)?,
            _ => return Err(format!("unknown fault {kind}").into()),
        };
        *counts.entry(result).or_default() += 1;
    }
    println!("{kind} {engine} {rounds} rounds: {counts:?}");
    fs::remove_dir_all(&base)?;
    Ok(())
}

fn this() -> Outcome<PathBuf> {
    Ok(std::env::current_exe()?)
}

fn sh(program: &str, args: &[&str]) -> Outcome<()> {
    let status = Command::new(program).args(args).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} {args:?}: {status}").into())
    }
}

fn text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| "path is not UTF-8".into())
}

/// Names what a damaged store did, given the last batch it had acknowledged.
fn judge(engine: &str, dir: &Path, acked: u64) -> Outcome<String> {
    let mut child = Command::new(this()?)
        .args(["verify", engine, text(dir)?])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > Duration::from_secs(10) {
            child.kill()?;
            child.wait()?;
            return Ok("hangs".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        if std::env::var_os("SAY").is_some() {
            eprintln!("{engine}: {}", said.trim());
        }
        let kind = if said.contains("panicked") {
            "panics"
        } else if output.status.code().is_none() {
            "killed by a signal"
        } else {
            "refuses to open or read"
        };
        return Ok(kind.into());
    }
    let line = String::from_utf8(output.stdout)?;
    let n: Vec<u64> = line
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [last, missing, wrong, torn, read_errors] = n.as_slice() else {
        return Err("bad verdict line".into());
    };
    if std::env::var_os("SAY").is_some() && (last < &acked || *missing > 0) {
        eprintln!("{engine}: acknowledged {acked}, found {last}, rows missing {missing}");
    }
    Ok(
        match (wrong, torn, read_errors, last < &acked || *missing > 0) {
            (1.., _, _, _) => "WRONG VALUES".into(),
            (_, 1.., _, _) => "TORN BATCH".into(),
            (_, _, 1.., _) => "opens, read errors".into(),
            (_, _, _, true) => "LOST SILENTLY".into(),
            _ => "whole".into(),
        },
    )
}

/// Runs the writer until `stop` has cut the power; returns the last batch acknowledged before the
/// cut began, and the last one acknowledged at all.
fn write_until(
    mut command: Command,
    wait: Duration,
    stop: impl FnOnce() -> Outcome<()>,
) -> Outcome<(u64, u64)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().ok_or("no pipe")?;
    let acked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&acked);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            counter.store(line.parse().unwrap_or(0), Ordering::SeqCst);
        }
    });
    std::thread::sleep(wait);
    let before = acked.load(Ordering::SeqCst);
    stop()?;
    let _ = child.kill();
    child.wait()?;
    reader.join().map_err(|_| "reader failed")?;
    Ok((before, acked.load(Ordering::SeqCst)))
}

fn mount_new(base: &Path, size: &str) -> Outcome<(PathBuf, PathBuf)> {
    let (image, mount) = (base.join("image"), base.join("mount"));
    let _ = fs::remove_file(&image);
    fs::create_dir_all(&mount)?;
    sh("truncate", &["-s", size, text(&image)?])?;
    sh("mkfs.ext4", &["-q", "-F", text(&image)?])?;
    sh("mount", &["-o", "loop", text(&image)?, text(&mount)?])?;
    Ok((image, mount))
}

/// R2 (and R3 with `sync` false): the power goes while batches are written.
fn power(engine: &str, base: &Path, tools: &Path, seed: &mut Seed, sync: bool) -> Outcome<String> {
    let (image, mount) = mount_new(base, "256M")?;
    let mut command = Command::new(this()?);
    let mode = if sync { "sync" } else { "nosync" };
    command.args(["write", engine, text(&mount)?, "1000000", "40", mode]);
    let wait = Duration::from_millis(60 + seed.below(400));
    let (before, acked) = write_until(command, wait, || {
        sh(text(&tools.join("shut"))?, &[text(&mount)?, "2"])
    })?;
    sh("umount", &[text(&mount)?])?;
    sh("mount", &["-o", "loop", text(&image)?, text(&mount)?])?;
    let verdict = judge(engine, &mount, before);
    let strict = judge(engine, &mount, acked);
    sh("umount", &[text(&mount)?])?;
    let (mut verdict, strict) = (verdict?, strict?);
    if verdict == "whole" && strict != "whole" {
        verdict = "whole but for a batch acknowledged while the cut was made".into();
    }
    Ok(if acked == 0 {
        format!("{verdict} (nothing acknowledged yet)")
    } else {
        verdict
    })
}

/// R4: the `at`-th write to a file of the store is torn.
fn torn(engine: &str, base: &Path, tools: &Path, at: u64) -> Outcome<String> {
    let dir = base.join("torn");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let mut command = Command::new(this()?);
    command
        .args(["write", engine, text(&dir)?, "100", "30", "sync"])
        .env("LD_PRELOAD", tools.join("torn.so"))
        .env("TORN_MATCH", &dir)
        .env("TORN_AT", at.to_string());
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = String::new();
    child
        .stdout
        .take()
        .ok_or("no pipe")?
        .read_to_string(&mut lines)?;
    let finished = child.wait()?.success();
    let acked = lines
        .lines()
        .last()
        .and_then(|l| l.parse().ok())
        .unwrap_or(0);
    let verdict = judge(engine, &dir, acked)?;
    if std::env::var_os("SAY").is_some() && verdict != "whole" {
        eprintln!(
            "{engine}: at {at}, acked {acked}, {:?}: {verdict}",
            started.elapsed()
        );
    }
    Ok(match (finished, acked) {
        (true, _) => format!("{verdict} (no such write)"),
        (false, 0) => format!("{verdict} (nothing acknowledged yet)"),
        (false, _) => verdict,
    })
}

const DAMAGE_BATCHES: u64 = 300;

/// A store with 300 batches, half of them in the engine's main files, killed without closing.
fn make_store(engine: &str, dir: &Path) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    let mut child = Command::new(this()?)
        .args(["write", engine, text(dir)?, "1000000", "150", "sync"])
        .stdout(Stdio::piped())
        .spawn()?;
    let out = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    for line in out.lines() {
        if line?.parse::<u64>()? >= DAMAGE_BATCHES {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// R5: a flipped bit, a cut file or a zeroed page, at a random used place.
fn damage(engine: &str, base: &Path, seed: &mut Seed, round: u64) -> Outcome<String> {
    let dir = base.join("damaged");
    let _ = fs::remove_dir_all(&dir);
    sh(
        "cp",
        &[
            "-a",
            "--sparse=always",
            text(&base.join("whole"))?,
            text(&dir)?,
        ],
    )?;
    let mut files = Vec::new();
    used_files(&dir, &mut files)?;
    let total: u64 = files.iter().map(|(_, used)| used).sum();
    let mut place = seed.below(total);
    let (path, used) = files
        .iter()
        .find(|(_, used)| {
            let here = place < *used;
            if !here {
                place -= used;
            }
            here
        })
        .ok_or("no files")?;
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let kind = match round % 3 {
        0 => {
            let mut byte = [0];
            file.seek(SeekFrom::Start(place))?;
            file.read_exact(&mut byte)?;
            byte[0] ^= 1 << seed.below(8);
            file.seek(SeekFrom::Start(place))?;
            file.write_all(&byte)?;
            "bit"
        }
        1 => {
            file.set_len(place)?;
            "cut"
        }
        _ => {
            let page = place / 4096 * 4096;
            file.seek(SeekFrom::Start(page))?;
            file.write_all(&vec![0; usize::try_from((used - page).min(4096))?])?;
            "page"
        }
    };
    Ok(format!("{kind}: {}", judge(engine, &dir, DAMAGE_BATCHES)?))
}

/// Files and how far they are used: up to their last byte that is not zero.
fn used_files(dir: &Path, files: &mut Vec<(PathBuf, u64)>) -> Outcome<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            used_files(&path, files)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        let used = bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |at| at + 1);
        if used > 0 {
            files.push((path, u64::try_from(used)?));
        }
    }
    files.sort();
    Ok(())
}

/// R6: another writer fills the disk; then its files go away.
fn full(engine: &str, base: &Path) -> Outcome<String> {
    let (_, mount) = mount_new(base, "64M")?;
    let output = Command::new(this()?)
        .args(["fill", engine, text(&mount)?])
        .stderr(Stdio::inherit())
        .output();
    sh("umount", &[text(&mount)?])?;
    let output = output?;
    if !output.status.success() {
        return Ok(format!("child failed: {}", output.status));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

pub fn fill_child(engine: &str, dir: &Path) -> Outcome<()> {
    let store = open(engine, dir, true)?;
    let mut acked = 0;
    while acked < 200 {
        store.commit(&work::rows(acked + 1))?;
        acked += 1;
    }
    let filler = dir.join("filler");
    let mut file = File::create(&filler)?;
    for size in [1 << 20, 4096] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
    let _ = file.sync_all();
    let error = loop {
        match store.commit(&work::rows(acked + 1)) {
            Ok(()) => acked += 1,
            Err(error) => break error.to_string(),
        }
        if acked > 20_000 {
            return Err("the disk never filled".into());
        }
    };
    let during = work::verify(store.as_ref())?;
    let reads = during.last == acked && during.missing + during.wrong + during.torn == 0;
    drop(file);
    fs::remove_file(&filler)?;
    let mut resumed = "same handle";
    let next = work::rows(acked + 1);
    if store.commit(&next).is_err() {
        std::thread::sleep(Duration::from_secs(5));
        if store.commit(&next).is_err() {
            resumed = "handle reopened";
        }
    }
    let store = if resumed == "handle reopened" {
        drop(store);
        let store = open(engine, dir, true)?;
        store.commit(&next)?;
        store
    } else {
        store
    };
    let after = work::verify(store.as_ref())?;
    let whole = after.last > acked && after.missing + after.wrong + after.torn == 0;
    let error = error.chars().take(60).collect::<String>();
    println!(
        "refused with {error:?}; reads right {reads}; writes resume on {resumed}; whole {whole}"
    );
    Ok(())
}
