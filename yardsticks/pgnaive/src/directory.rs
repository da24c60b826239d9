//! Tables, prepared statements and the transaction.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};

use crate::push::Push;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS names
        (name text PRIMARY KEY, tox_id text NOT NULL, bio text NOT NULL, privacy smallint NOT NULL);
    CREATE TABLE IF NOT EXISTS bindings (tox_id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE IF NOT EXISTS seq (id int PRIMARY KEY, n bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS log (n bigint PRIMARY KEY, name text NOT NULL, tox_id text NOT NULL);
    INSERT INTO seq VALUES (1, 0) ON CONFLICT DO NOTHING;";

/// Connections, each taken by one client at a time.
pub struct Directory {
    idle: Mutex<Vec<Connection>>,
    count: Semaphore,
}

impl Directory {
    /// Makes the tables and opens the connections.
    pub async fn open(url: &str, connections: usize) -> Outcome<Self> {
        connect(url).await?.batch_execute(TABLES).await?;
        let mut idle = Vec::new();
        for _ in 0..connections {
            idle.push(Connection::prepare(connect(url).await?).await?);
        }
        Ok(Self {
            count: Semaphore::new(idle.len()),
            idle: Mutex::new(idle),
        })
    }

    /// Waits for a connection that nobody uses.
    pub async fn take(&self) -> Connection {
        self.count.acquire().await.expect("never closed").forget();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().expect("as many connections as permits")
    }

    /// Gives it to the next.
    pub fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(connection);
        self.count.add_permits(1);
    }
}

async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async {
        if let Err(error) = connection.await {
            eprintln!("{error}");
        }
    });
    Ok(client)
}

/// One connection with its statements.
pub struct Connection {
    client: Client,
    name: Statement,
    binding: Statement,
    next: Statement,
    entry: Statement,
}

impl Connection {
    async fn prepare(client: Client) -> Outcome<Self> {
        let name = "INSERT INTO names (name, tox_id, bio, privacy) VALUES ($1, $2, $3, $4)";
        let binding = "INSERT INTO bindings (tox_id, name) VALUES ($1, $2)";
        let next = "UPDATE seq SET n = n + 1 WHERE id = 1 RETURNING n";
        let entry = "INSERT INTO log (n, name, tox_id) VALUES ($1, $2, $3)";
        Ok(Self {
            name: client.prepare(name).await?,
            binding: client.prepare(binding).await?,
            next: client.prepare(next).await?,
            entry: client.prepare(entry).await?,
            client,
        })
    }

    /// One registration, one transaction.
    pub async fn register(&self, push: &Push) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute("BEGIN").await?;
        let written = self.write(push).await;
        let end = if written.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.client.batch_execute(end).await?;
        written
    }

    async fn write(&self, push: &Push) -> Result<(), tokio_postgres::Error> {
        let client = &self.client;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&push.name, &push.tox_id, &push.bio, &push.privacy];
        client.execute(&self.name, &row).await?;
        client
            .execute(&self.binding, &[&push.tox_id, &push.name])
            .await?;
        let next = client.query_one(&self.next, &[]).await?;
        let n: i64 = next.try_get(0)?;
        client
            .execute(&self.entry, &[&n, &push.name, &push.tox_id])
            .await?;
        Ok(())
    }
}
