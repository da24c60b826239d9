//! The rig against the real thing.

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
    let mounts = || std::fs::read_to_string("/proc/mounts").unwrap();
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
