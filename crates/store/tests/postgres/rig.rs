//! The database that the tests share, and stores in schemas of their own.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use engine::ports::store::{Batch, Key, Store};
use pgrig::{Postgres, Settings};
use store::{OpenError, Options};
use testkit::Hooked;
use tokio_postgres::NoTls;

/// Where the tests' stores go: the database that `STORE_URL` names, or a server of our own, which
/// ends with this process.
static URL: LazyLock<(String, Option<Postgres>)> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are told where a database is"
    )]
    let given = std::env::var("STORE_URL").ok();
    match given.filter(|url| url.starts_with("postgres")) {
        Some(url) => (url, None),
        None => {
            let settings = Settings {
                connections: 300,
                ..Settings::default()
            };
            let server = Postgres::start(settings).expect("PostgreSQL starts");
            (server.url(), Some(server))
        }
    }
});

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// A URL of an empty schema, with `options` for the session beside its search path.
pub(crate) async fn fresh_url(options: &str) -> String {
    fresh_url_in(&URL.0, options).await
}

/// The same in a database of the test's own.
pub(crate) async fn fresh_url_in(url: &str, options: &str) -> String {
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", std::process::id());
    sql(url, &format!("CREATE SCHEMA {schema}")).await;
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-csearch_path%3D{schema}{options}")
}

/// Runs statements on a connection of their own.
pub(crate) async fn sql(url: &str, statements: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connect");
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    let messages = client.simple_query(statements).await.expect("statements");
    messages
        .into_iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect()
}

/// Opens a store.
pub(crate) async fn open(url: &str) -> Arc<dyn Store> {
    try_open(url).await.expect("the store opens")
}

/// Opens a store, or not.
pub(crate) async fn try_open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    store::open(url, Options::default()).await
}

/// A batch that puts one row.
pub(crate) fn put(name: &str, value: &str) -> Batch {
    Batch {
        puts: vec![(
            Key::copy_from_slice(name.as_bytes()),
            Bytes::copy_from_slice(value.as_bytes()),
        )],
        ..Batch::default()
    }
}

/// Several processes over one database, as one store: each call goes to the next of them.
pub(crate) fn taking_turns(stores: Vec<Arc<dyn Store>>) -> Arc<dyn Store> {
    let turn = AtomicU32::new(0);
    Arc::new(Hooked::choosing(move |_| {
        let turn = turn.fetch_add(1, Ordering::Relaxed) as usize;
        Arc::clone(stores.get(turn % stores.len()).expect("a store"))
    }))
}
