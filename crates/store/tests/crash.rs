//! Killed processes, and two processes on one directory.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers may panic"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine::ports::store::{Direction, Freshness, Health, Key, KeyRange, Store};
use store::{OpenError, Options};

const WRITERS: usize = 8;

/// One test at a time: a child that another test is starting holds copies of this process's files,
/// locks included, until it becomes its own programme.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The example, which cargo builds with the tests of the whole package.
fn crashwriter(dir: &Path) -> Child {
    let mut program: PathBuf = std::env::current_exe().expect("the test's own path");
    program.pop();
    program.pop();
    program.push("examples/crashwriter");
    let mut command = Command::new(&program);
    command
        .arg(dir)
        .arg(WRITERS.to_string())
        .stdout(Stdio::piped());
    let started = command.spawn();
    started.unwrap_or_else(|error| {
        unreachable!("{}: {error}; run `cargo test -p store`", program.display())
    })
}

/// Lets the child write until `lines` lines are read, kills it, and returns the last acknowledged
/// link of each writer.
fn run_and_kill(dir: &Path, lines: usize, ledger: &mut [u64]) {
    let mut child = crashwriter(dir);
    let out = child.stdout.take().expect("the child's output");
    let mut read = 0;
    for line in BufReader::new(out).lines() {
        let line = line.expect("a line");
        if let Some((writer, number)) = line.split_once(' ') {
            let writer: usize = writer.parse().expect("a writer");
            ledger[writer] = number.parse().expect("a number");
        }
        read += 1;
        if read == lines {
            // Lines already in the pipe were acknowledged too, and are read before it closes.
            child.kill().expect("kill");
        }
    }
    child.wait().expect("the child's end");
}

async fn assert_whole(store: &dyn Store, ledger: &[u64]) {
    for (writer, acknowledged) in ledger.iter().enumerate() {
        let head = Key::from(format!("head/{writer}"));
        let found = store.get_many(&[head], Freshness::Now).await.unwrap();
        let head: u64 = match &found[0] {
            Some((_, value)) => std::str::from_utf8(value).unwrap().parse().unwrap(),
            None => 0,
        };
        assert!(
            head >= *acknowledged,
            "writer {writer}: {acknowledged} acknowledged, {head} found"
        );
        let start = Key::from(format!("link/{writer}/"));
        let range = KeyRange {
            start,
            end: Some(Key::from(format!("link/{writer}0"))),
        };
        let links = store
            .scan(range, Direction::Forward, u32::MAX, Freshness::Now)
            .await
            .unwrap();
        let names: Vec<Key> = links.into_iter().map(|link| link.0).collect();
        let whole: Vec<Key> = (1..=head)
            .map(|number| Key::from(format!("link/{writer}/{number:08}")))
            .collect();
        assert_eq!(names, whole, "links up to the head, and no other");
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_acknowledged() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut ledger = [0; WRITERS];
    for round in 0..12 {
        run_and_kill(&path, 1 + round * 61, &mut ledger);
        let store = store::open(&format!("file:{}", path.display()), Options::default()).await;
        let store = store.expect("a killed store opens");
        assert_eq!(store.health(), Health::Ready);
        assert_whole(&*store, &ledger).await;
        store.close().await;
    }
    assert!(
        ledger.iter().sum::<u64>() > 1000,
        "the writers wrote: {ledger:?}"
    );
}

#[tokio::test]
async fn a_second_process_is_refused_with_the_first_ones_id() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let url = format!("file:{}", path.display());
    let mut child = crashwriter(&path);
    let mut first = String::new();
    // Kept to the end: the child would die of a closed pipe.
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    assert_eq!(first, "open\n");
    let Err(refused) = store::open(&url, Options::default()).await else {
        unreachable!("two processes hold the store")
    };
    child.kill().unwrap();
    child.wait().unwrap();
    drop(output);
    let expected = Some(child.id());
    assert!(
        matches!(&refused, OpenError::Held { holder, .. } if *holder == expected),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains(&format!("process {}", child.id())),
        "{refused}"
    );

    let store = store::open(&url, Options::default())
        .await
        .expect("the holder is gone");
    let again = store::open(&url, Options::default()).await;
    assert!(
        matches!(again, Err(OpenError::Held { holder: Some(pid), .. }) if pid == std::process::id())
    );
    store.close().await;
    drop(
        store::open(&url, Options::default())
            .await
            .expect("the store was closed"),
    );
}
