//! The rig against the real thing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers may panic"
)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgrig::{Postgres, Settings};

#[test]
fn a_server_keeps_its_rows_over_stop_kill_and_pause() {
    let mut server = Postgres::start(Settings::durable()).unwrap();
    server.psql("CREATE TABLE kept AS SELECT 1 AS n").unwrap();
    server.restart().unwrap();
    server.psql("INSERT INTO kept VALUES (2)").unwrap();
    server.kill().unwrap();
    assert!(server.family().is_err() || server.psql("SELECT 1").is_err());
    server.run().unwrap();
    assert_eq!(server.psql("SELECT sum(n) FROM kept").unwrap(), "3\n");
    server.pause().unwrap();
    server.resume().unwrap();
    assert_eq!(server.psql("SHOW fsync").unwrap(), "on\n");
    assert!(server.cpu_time().unwrap() > Duration::ZERO);
}

#[test]
fn a_standby_holds_what_was_committed_and_takes_over() {
    let mut primary = Postgres::start(Settings::default()).unwrap();
    let standby = primary.standby().unwrap();
    primary.psql("CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    primary.kill().unwrap();
    standby.psql("INSERT INTO kept VALUES (8)").unwrap_err();
    standby.promote().unwrap();
    standby.psql("INSERT INTO kept VALUES (8)").unwrap();
    assert_eq!(standby.psql("SELECT sum(n) FROM kept").unwrap(), "15\n");
    let url = Postgres::url_of(&[&primary, &standby]);
    assert!(
        url.contains(&format!(
            ":{},127.0.0.1:{}/",
            primary.port(),
            standby.port()
        )),
        "{url}"
    );
}

#[test]
fn a_password_is_asked_for() {
    let settings = Settings {
        password: Some("open sesame".into()),
        ..Settings::default()
    };
    let server = Postgres::start(settings).unwrap();
    assert_eq!(server.psql("SELECT 1").unwrap(), "1\n");
    assert!(server.url().starts_with("postgres://sealbook:open"));
}

#[test]
fn two_servers_take_turns() {
    let mut one = Postgres::start(Settings::default()).unwrap();
    let mut two = one.standby().unwrap();
    one.psql("CREATE TABLE kept AS SELECT 1 AS n").unwrap();
    one.kill().unwrap();
    two.promote().unwrap();
    one.follow(&two).unwrap();
    two.psql("INSERT INTO kept VALUES (2)").unwrap();
    two.kill().unwrap();
    one.promote().unwrap();
    two.follow(&one).unwrap();
    one.psql("INSERT INTO kept VALUES (4)").unwrap();
    assert_eq!(one.psql("SELECT sum(n) FROM kept").unwrap(), "7\n");
}

#[test]
fn a_cut_off_standby_holds_commits_up() {
    let mut primary = Postgres::start(Settings::default()).unwrap();
    let standby = primary.standby().unwrap();
    standby.cut_off().unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| primary.psql("CREATE TABLE late AS SELECT 1 AS n"));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while primary.psql(waiting).unwrap() != "1\n" {}
        assert!(!commit.is_finished());
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        primary.psql(end).unwrap();
        commit.join().unwrap().unwrap_err();
    });
    primary.kill().unwrap();
    standby.promote().unwrap();
    standby.psql("SELECT n FROM late").unwrap_err();
}

#[test]
fn an_asynchronous_standby_holds_nothing_up_and_loses_rows() {
    let settings = Settings {
        synchronous: false,
        ..Settings::default()
    };
    let mut primary = Postgres::start(settings).unwrap();
    let standby = primary.standby().unwrap();
    standby.cut_off().unwrap();
    primary.psql("CREATE TABLE late AS SELECT 1 AS n").unwrap();
    primary.kill().unwrap();
    standby.promote().unwrap();
    standby.psql("SELECT n FROM late").unwrap_err();
}

#[test]
fn nobody_comes_in_past_a_crowd_or_a_refusal() {
    let settings = Settings {
        connections: 8,
        ..Settings::default()
    };
    let server = Postgres::start(settings).unwrap();
    let crowd = server.exhaust().unwrap();
    assert_eq!(crowd.count(), 8);
    server.psql("SELECT 1").unwrap_err();
    drop(crowd);
    server.refuse().unwrap();
    server.psql("SELECT 1").unwrap_err();
    server.admit().unwrap();
    server.psql("SELECT 1").unwrap();
}

#[test]
fn a_full_disk_refuses_rows_until_there_is_room() {
    if !pgrig::can_mount() {
        return;
    }
    let settings = Settings {
        disk_bytes: Some(128 << 20),
        ..Settings::default()
    };
    let mut server = Postgres::start(settings).unwrap();
    let fill =
        "CREATE TABLE IF NOT EXISTS kept AS SELECT repeat('x', 999) FROM generate_series(1, 9999)";
    server.fill().unwrap();
    server.psql(fill).unwrap_err();
    server.free().unwrap();
    server.psql(fill).unwrap();
    let mounts = || fs::read_to_string("/proc/mounts").unwrap();
    let saved = tempfile::tempdir().unwrap();
    server.save(&saved.path().join("copy")).unwrap();
    for file in ["PG_VERSION", "pg_wal/archive_status", "log"] {
        assert!(saved.path().join("copy").join(file).exists(), "{file}");
    }
    let folder = server.data().display().to_string();
    let disk = folder.strip_suffix("/data").unwrap().to_owned();
    assert!(mounts().contains(&disk));
    drop(server);
    assert!(!mounts().contains(&disk));
}

/// A folder for temporary files, as the system has one.
fn temporary() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    dir
}

fn rig(temporary: &Path, script: &str) -> Command {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_pgrig"));
    rig.args(["--", "sh", "-c", script])
        .env("TMPDIR", temporary);
    rig
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[expect(
    clippy::disallowed_methods,
    reason = "processes that are nobody's children tell nobody that they have ended"
)]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..600 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain until {what}");
}

#[test]
fn a_killed_run_takes_its_server_and_its_folder_along() {
    for pauses in [false, true] {
        let dir = temporary();
        let mut run = rig(dir.path(), "echo $STORE_URL; exec sleep 1000");
        run.process_group(0).stdout(Stdio::piped());
        let mut run = run.spawn().unwrap();
        let mut url = String::new();
        let mut said = BufReader::new(run.stdout.take().unwrap());
        said.read_line(&mut url).unwrap();
        let port = url.rsplit(':').next().unwrap();
        let port: u16 = port.split('/').next().unwrap().parse().unwrap();
        let [name] = names(dir.path()).try_into().unwrap();
        let pid_file = dir.path().join(name).join("data/postmaster.pid");
        let pid = fs::read_to_string(pid_file).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        if pauses {
            // A paused server hears nothing.
            let stop = Command::new("kill").args(["-STOP", &pid]).status();
            assert!(stop.unwrap().success());
        }
        // All of the run, as who runs tests does when they take too long.
        let group = format!("-{}", run.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.unwrap().success());
        run.wait().unwrap();
        wait_until("the folder is gone", || names(dir.path()).is_empty());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!Path::new("/proc").join(pid).exists());
    }
}

#[test]
fn what_is_left_of_dead_runs_is_removed_and_nothing_else() {
    let dir = temporary();
    for name in ["pgrig-dead", "pgrig-alive", "pgrig-lived-in", "other"] {
        fs::create_dir_all(dir.path().join(name).join("data")).unwrap();
        File::create(dir.path().join(name).join("lock")).unwrap();
    }
    fs::create_dir(dir.path().join("pgrig-unknown")).unwrap();
    let lock = File::open(dir.path().join("pgrig-alive/lock")).unwrap();
    lock.lock().unwrap();
    let mut lives = Command::new("sleep");
    lives
        .arg("1000")
        .current_dir(dir.path().join("pgrig-lived-in/data"));
    let mut lives = lives.spawn().unwrap();
    assert!(rig(dir.path(), "true").status().unwrap().success());
    lives.kill().unwrap();
    lives.wait().unwrap();
    let left = ["other", "pgrig-alive", "pgrig-lived-in", "pgrig-unknown"];
    assert_eq!(names(dir.path()), left);
}
