//! A disk that really is full: a small tmpfs, where mounting is allowed. (The same through a seam,
//! everywhere: the unit tests of `embedded`.)

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use engine::ports::store::{Batch, CommitError, Freshness, Health, Key, Store};
use store::Options;

struct SmallDisk {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(mib: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self {
            path: dir.path().to_owned(),
            _dir: dir,
        })
    }

    /// Takes all the space; freed by removing the file it returns.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.path).status().unwrap();
        assert!(done.success() || std::thread::panicking());
    }
}

fn row(number: u32) -> Batch {
    let value = Bytes::from(vec![b'x'; 10_000]);
    Batch {
        puts: vec![(Key::from(number.to_string()), value)],
        ..Batch::default()
    }
}

async fn assert_holds(store: &dyn Store, count: u32) {
    let keys: Vec<Key> = (0..count)
        .map(|number| Key::from(number.to_string()))
        .collect();
    let rows = store.get_many(&keys, Freshness::Now).await.unwrap();
    assert!(
        rows.iter()
            .all(|row| row.as_ref().is_some_and(|row| row.1.len() == 10_000))
    );
}

async fn fill_and_free(path: &Path, disk: &SmallDisk, reserve_bytes: Option<u64>) {
    let url = format!("file:{}", path.display());
    let options = Options {
        reserve_bytes,
        ..Options::default()
    };
    let store = store::open(&url, options).await.unwrap();
    let mut written = 0;
    while written < 100 {
        store.commit(row(written)).await.unwrap();
        written += 1;
    }
    for _ in 0..3 {
        let filler = disk.fill();
        let refused = loop {
            match store.commit(row(written)).await {
                Ok(_) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
        let again = store.commit(row(written)).await;
        assert!(
            matches!(again, Err(CommitError::Unavailable(_))),
            "{again:?}"
        );
        assert!(matches!(store.health(), Health::WritesPaused(_)));
        assert_holds(&*store, written).await;

        fs::remove_file(filler).unwrap();
        store
            .commit(row(written))
            .await
            .expect("there is space again");
        written += 1;
        assert_eq!(store.health(), Health::Ready);
        assert_holds(&*store, written).await;
    }
    store.close().await;
    let store = store::open(&url, Options::default()).await.unwrap();
    assert_holds(&*store, written).await;
    store.close().await;
}

#[tokio::test]
async fn writes_pause_on_a_full_disk_and_resume() {
    let Some(disk) = SmallDisk::mount(16) else {
        eprintln!("not run: this process may not mount a file system");
        return;
    };
    // With the reserve, the engine never meets the full disk; without, it does and is reopened.
    fill_and_free(&disk.path.join("with"), &disk, None).await;
    fill_and_free(&disk.path.join("without"), &disk, Some(0)).await;
}

/// 64 KiB that cannot be compressed.
fn noise(number: u32) -> Batch {
    let mut state = u64::from(number) + 1;
    let words = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 32) as u32
    });
    let value: Vec<u8> = words.take(16 << 10).flat_map(u32::to_le_bytes).collect();
    Batch {
        puts: vec![(Key::from(number.to_string()), Bytes::from(value))],
        ..Batch::default()
    }
}

/// The engine writes out its memory when 32 MiB are in it, and meets a full disk, which no group does.
#[tokio::test]
async fn writes_resume_when_the_engine_met_the_full_disk_in_the_background() {
    let Some(disk) = SmallDisk::mount(96) else {
        eprintln!("not run: this process may not mount a file system");
        return;
    };
    let ballast = disk.path.join("ballast");
    fs::write(&ballast, vec![7; 40 << 20]).unwrap();
    let url = format!("file:{}", disk.path.join("store").display());
    let options = Options {
        reserve_bytes: Some(16 << 20),
        ..Options::default()
    };
    let store = store::open(&url, options).await.unwrap();
    let mut written = 0;
    let refused = loop {
        match store.commit(noise(written)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
    assert!(written > 400, "{written}: its memory was full first");
    // The engine's memory needs more than the reserve, and its table takes what there is.
    while rustix::fs::statvfs(&disk.path).unwrap().f_bavail > 0 {
        tokio::task::yield_now().await;
    }
    fs::remove_file(ballast).unwrap();
    loop {
        match store.commit(noise(written)).await {
            Ok(_) => break,
            Err(CommitError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(store.health(), Health::Ready);
    let keys: Vec<Key> = (0..=written).map(|at| Key::from(at.to_string())).collect();
    let rows = store.get_many(&keys, Freshness::Now).await.unwrap();
    assert!(rows.iter().all(Option::is_some), "nothing is lost");
    store.close().await;
}
