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
