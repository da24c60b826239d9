//! How a store opens, and what it says when it does not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::ports::store::{Batch, CommitError, Expect, Health, Key, Store};
use pgrig::{Postgres, Settings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use store::{OpenError, Options};
use tokio::task::{JoinSet, block_in_place};

use crate::rig::{self, open, put, try_open};

async fn refusal(url: &str) -> OpenError {
    match try_open(url).await {
        Ok(_) => panic!("{url} was opened"),
        Err(refused) => {
            let said = refused.to_string();
            assert!(!said.contains("secret"), "the password is not told: {said}");
            refused
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_at_once_on_an_empty_database() {
    let url = rig::fresh_url("").await;
    let mut opening = JoinSet::new();
    for number in 0..8 {
        let url = url.clone();
        opening.spawn(async move {
            let store = open(&url).await;
            let name = format!("1/{number}");
            store.commit(put(&name, "1")).await.expect("a commit");
            assert!(store.is_shared(), "others may have it open");
            store.close().await;
        });
    }
    opening.join_all().await;
    let versions = rig::sql(&url, "SELECT version FROM kv_schema").await;
    assert_eq!(versions, ["1"], "the tables were made once");
    let rows = rig::sql(&url, "SELECT count(*) FROM kv_rec").await;
    assert_eq!(rows, ["8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_there_is_not_made_by_looking() {
    let url = rig::fresh_url("").await;
    let look = || store::open_existing(&url, Options::default());
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()";
    assert!(look().await.expect("an answer").is_none());
    assert!(rig::sql(&url, tables).await.is_empty(), "nothing was made");
    // Another server is about to make them.
    rig::sql(&url, "CREATE TABLE kv_schema (version integer)").await;
    assert!(look().await.expect("an answer").is_none());
    rig::sql(&url, "DROP TABLE kv_schema").await;
    open(&url).await.close().await;
    let store = look().await.expect("an answer").expect("a store");
    store.commit(put("1/a", "1")).await.expect("a commit");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_commits_that_are_durable_are_timed() {
    let url = rig::fresh_url("").await;
    let timed = Arc::new(AtomicU32::new(0));
    let count = timed.clone();
    let options = Options {
        on_sync: Some(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })),
        ..Options::default()
    };
    let store = store::open(&url, options).await.expect("the store opens");
    let batch = Batch {
        checks: vec![(Key::from_static(b"1/a"), Expect::Absent)],
        ..put("1/a", "1")
    };
    store.commit(batch.clone()).await.expect("a commit");
    assert_eq!(timed.load(Ordering::SeqCst), 1);
    let refused = store.commit(batch).await;
    assert!(matches!(refused, Err(CommitError::Conflict(0))));
    assert_eq!(timed.load(Ordering::SeqCst), 1, "a refusal is no commit");
    store.close().await;
}

/// Sessions of a store, by the name its URL gives them.
async fn sessions(url: &str, name: &str) -> usize {
    let of = format!("SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}'");
    rig::sql(url, &of).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_twice_at_once_and_dropping_end_everything() {
    let url = rig::fresh_url("").await;
    for (name, closes) in [("closed", true), ("dropped", false)] {
        let named = format!("{url}&application_name={name}");
        let store = open(&named).await;
        let batches = (0..200).map(|at| {
            let store = store.clone();
            async move { store.commit(put(&format!("1/{name}/{at}"), "1")).await }
        });
        let mut writing: JoinSet<_> = batches.collect();
        writing.join_next().await;
        if closes {
            tokio::join!(store.close(), store.close());
            assert_eq!(
                store.health(),
                Health::ReadOnly("the store is closed".into())
            );
            store.close().await;
        }
        writing.abort_all();
        while writing.join_next().await.is_some() {}
        drop(store);
        let begun = tokio::time::Instant::now();
        while sessions(&url, name).await > 0 {
            assert!(begun.elapsed().as_secs() < 30, "{name}: sessions stay");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let url = rig::fresh_url("").await;
    open(&url).await.close().await;
    rig::sql(&url, "UPDATE kv_schema SET version = 7").await;
    let refused = refusal(&url).await;
    let OpenError::NewerSchema { found: 7, known: 1 } = refused else {
        panic!("{refused}")
    };
}

#[tokio::test]
async fn nobody_there_and_nothing_to_read() {
    // Port 1 of loopback: nobody listens there.
    let refused = refusal("postgres://u:secret@127.0.0.1:1/d").await;
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{said}");
    assert!(
        said.contains("127.0.0.1:1") && said.contains("refused"),
        "{said}"
    );
    let refused = refusal("postgres://u:secret@h/d?sslmode=never").await;
    assert!(matches!(refused, OpenError::BadUrl { .. }), "{refused}");
    let refused = refusal("mysql://u:secret@h/d").await;
    assert!(matches!(refused, OpenError::UnknownScheme(_)), "{refused}");
    let refused = refusal("postgres://u:secret@h/d?sslrootcert=/nowhere").await;
    assert!(matches!(refused, OpenError::Authorities(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_tls() {
    let settings = Settings {
        password: Some("right".to_owned()),
        ..Settings::default()
    };
    let server = block_in_place(|| Postgres::start(settings)).expect("a server");
    passwords_decide(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    without_tls(&server).await;
    let trusted = block_in_place(|| switch_tls_on(&server, folder.path()));
    certificates_decide(&server, folder.path(), &trusted).await;
}

async fn passwords_decide(server: &Postgres) {
    let url = server.url();
    open(&url).await.close().await;
    let refused = refusal(&url.replace(":right@", ":secret@")).await;
    assert!(
        matches!(refused, OpenError::LoginRefused { .. }),
        "{refused}"
    );
    let bare = url.replace(":right@", "@");
    let refused = refusal(&bare).await;
    assert!(
        matches!(refused, OpenError::LoginRefused { .. }),
        "{refused}"
    );
    let refused = refusal(
        &url.replace("/sealbook", "/nowhere")
            .replace("/nowhere:", "/sealbook:"),
    )
    .await;
    assert!(matches!(refused, OpenError::NoDatabase { .. }), "{refused}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "right\n").expect("write");
    let mut options = Options {
        password_file: Some(file.path().to_owned()),
        ..Options::default()
    };
    let store = store::open(&bare, options.clone())
        .await
        .expect("the file's password");
    store.close().await;
    fs::write(file.path(), "right\nand a remark\n").expect("write");
    let store = store::open(&bare, options.clone()).await;
    store.expect("the first line is it").close().await;
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    options.password_file = Some(pipe);
    let refused = store::open(&bare, options.clone()).await.err();
    let said = refused.expect("a pipe is not waited for").to_string();
    assert!(said.contains("regular"), "{said}");
    options.password_file = Some("/nowhere".into());
    let refused = store::open(&bare, options).await.err();
    let said = refused
        .map(|refused| refused.to_string())
        .unwrap_or_default();
    assert!(said.contains("/nowhere"), "{said}");
}

async fn without_tls(server: &Postgres) {
    let url = format!("{}?sslmode=require", server.url());
    let refused = refusal(&url).await;
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::NotTrusted { .. }), "{said}");
    assert!(
        said.contains("sslmode=disable") && said.contains("store.ca_file"),
        "it says what to do: {said}"
    );
}

async fn certificates_decide(server: &Postgres, folder: &Path, trusted: &Path) {
    let url = server.url();
    for mode in ["require", "verify-ca", "verify-full"] {
        let ca = trusted.display();
        let store = open(&format!("{url}?sslmode={mode}&sslrootcert={ca}")).await;
        store.commit(put("1/tls", mode)).await.expect("a commit");
        assert_eq!(store.health(), Health::Ready);
        store.close().await;
    }
    let options = Options {
        ca_file: Some(trusted.to_owned()),
        ..Options::default()
    };
    let store = store::open(&format!("{url}?sslmode=require"), options).await;
    let store: Arc<dyn Store> = store.expect("the file's authority");
    store.close().await;
    let (stranger, _) = authority();
    let other = folder.join("other.pem");
    fs::write(&other, stranger).expect("write");
    for ca in [&other, Path::new("/etc/hostname")] {
        let url = format!("{url}?sslmode=require&sslrootcert={}", ca.display());
        let refused = refusal(&url).await;
        let is_refused = match ca == other {
            true => matches!(refused, OpenError::NotTrusted { .. }),
            false => matches!(refused, OpenError::Authorities(_)),
        };
        assert!(is_refused, "{refused}");
    }
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), Issuer::new(params, key))
}

/// Gives the server a certificate; answers the file with its authority's.
fn switch_tls_on(server: &Postgres, folder: &Path) -> PathBuf {
    let (ca, issuer) = authority();
    let ca_file = folder.join("ca.pem");
    fs::write(&ca_file, ca).expect("write");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let data = server.data();
    let owner = fs::metadata(&data).expect("the server's folder");
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let file = data.join(name);
        fs::write(&file, text).expect("write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
        chown(&file, Some(owner.uid()), Some(owner.gid())).expect("owner");
    }
    server.psql("ALTER SYSTEM SET ssl = on").expect("a setting");
    server.psql("SELECT pg_reload_conf()").expect("a reload");
    ca_file
}
