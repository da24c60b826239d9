//! The tables, and how they come to be.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::connection::Connection;
use super::failure::reason;
use super::jitter;
use super::statements::commit_function;
use crate::OpenError;

/// Version of the schema that this release makes and knows.
const VERSION: i32 = 1;
/// Tries when several servers make the tables at once.
const TRIES: u32 = 30;
/// Longest pause between two of them.
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// Longest time for all of it.
const WAIT: Duration = Duration::from_secs(60);

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS kv_schema (
        one     boolean     NOT NULL PRIMARY KEY CHECK (one),
        version integer     NOT NULL,
        probed  timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO kv_schema (one, version) VALUES (true, 0) ON CONFLICT (one) DO NOTHING";

/// Makes the tables unless they are there; several servers may do so at once.
///
/// # Errors
/// When a later release made them, or the database refuses.
pub(crate) async fn prepare(connection: &mut Connection) -> Result<(), OpenError> {
    match timeout(WAIT, prepare_patiently(connection.client())).await {
        Ok(done) => done,
        Err(_) => {
            let waited = WAIT.as_secs();
            Err(OpenError::Refused(format!(
                "the tables were not made within {waited} s"
            )))
        }
    }
}

/// Whether somebody has made the tables. One read.
///
/// # Errors
/// When the database refuses to say.
pub(crate) async fn is_made(connection: &mut Connection) -> Result<bool, OpenError> {
    let found = timeout(WAIT, found(connection.client())).await;
    match found {
        Ok(found) => Ok(found.map_err(refused)?.is_some_and(|version| version > 0)),
        Err(_) => {
            let waited = WAIT.as_secs();
            Err(OpenError::Refused(format!("no answer within {waited} s")))
        }
    }
}

/// The version of the schema; `None` where there is none.
async fn found(client: &Client) -> Result<Option<i32>, Error> {
    match client.query_opt("SELECT version FROM kv_schema", &[]).await {
        Ok(row) => row.map(|row| row.try_get(0)).transpose(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn prepare_patiently(client: &mut Client) -> Result<(), OpenError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match prepare_once(client).await {
            Ok(found) if found > VERSION => {
                return Err(OpenError::NewerSchema {
                    found,
                    known: VERSION,
                });
            }
            Ok(_) => return warn_of_settings(client).await.map_err(refused),
            Err(error) if is_race(&error) && tries < TRIES => sleep(jitter(PAUSE_MAX)).await,
            Err(error) => return Err(refused(error)),
        }
    }
}

/// Answers the version found, or made.
async fn prepare_once(client: &mut Client) -> Result<i32, Error> {
    if let Some(found) = found(client).await?.filter(|found| *found >= VERSION) {
        return Ok(found);
    }
    let is_yugabyte = is_yugabyte(client).await?;
    let work = client.transaction().await?;
    if is_yugabyte {
        // Keys in their order, not by their hash: ranges are read.
        work.batch_execute("SET LOCAL yb_use_hash_splitting_by_default = off")
            .await?;
    }
    work.batch_execute(TABLE).await?;
    let lock = "SELECT version FROM kv_schema FOR UPDATE";
    let found: i32 = work.query_one(lock, &[]).await?.try_get(0)?;
    if found >= VERSION {
        return Ok(found);
    }
    work.batch_execute(include_str!("tables.sql")).await?;
    if !is_yugabyte {
        work.batch_execute(include_str!("storage.sql")).await?;
    }
    work.batch_execute(&commit_function()).await?;
    work.execute("UPDATE kv_schema SET version = $1", &[&VERSION])
        .await?;
    work.commit().await?;
    tracing::info!(version = VERSION, "made the store's tables in the database");
    Ok(VERSION)
}

async fn is_yugabyte(client: &Client) -> Result<bool, Error> {
    let row = client.query_one("SELECT version()", &[]).await?;
    Ok(row.try_get::<_, &str>(0)?.contains("-YB-"))
}

/// Says what an operator would want to know before relying on the database.
async fn warn_of_settings(client: &Client) -> Result<(), Error> {
    let sql = "SELECT name FROM pg_settings
                WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
    if is_yugabyte(client).await? {
        return Ok(());
    }
    for row in client.query(sql, &[]).await? {
        let setting: &str = row.try_get(0)?;
        tracing::warn!(
            setting,
            "the database may lose what it acknowledged in a crash: a setting is off"
        );
    }
    Ok(())
}

/// Whether another server was at it at the same time.
fn is_race(error: &Error) -> bool {
    let Some(code) = error.code() else {
        return false;
    };
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // Two changes of one row of the catalogue.
        SqlState::INTERNAL_ERROR,
    ];
    codes.contains(code)
}

fn refused(error: Error) -> OpenError {
    OpenError::Refused(reason(&error))
}
