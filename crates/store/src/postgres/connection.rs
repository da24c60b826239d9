//! One connection to the database, and how to make it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, is_broken, reason};
use super::statements::Query;
use super::target::{Server, Target};
use crate::files::read_small;

/// What every session is set to, as far as the database knows the setting. Plans by index whatever
/// the statistics say, made once; time-outs are ours, except that of waiting for a row's lock,
/// which ends what a caller has long given up.
const SESSION: &str = "
    SELECT set_config(s.name, w.setting, false)
      FROM pg_settings s JOIN (VALUES
        ('statement_timeout', '0'),
        ('idle_session_timeout', '0'),
        ('idle_in_transaction_session_timeout', '30s'),
        ('client_min_messages', 'warning'),
        ('jit', 'off'),
        ('enable_seqscan', 'off'),
        ('enable_bitmapscan', 'off'),
        ('enable_nestloop', 'off'),
        ('plan_cache_mode', 'force_generic_plan')
      ) AS w (name, setting) ON s.name = w.name;
    SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// Largest file of a password.
const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

/// Parameters of a statement.
pub(crate) type Parameters<'a> = [&'a (dyn ToSql + Sync)];

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    /// In words, with the server's name.
    pub(crate) said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusalKind {
    /// Nobody answers, or nobody that takes writes.
    Unreachable,
    /// It takes no more connections.
    Full,
    /// The certificate is not trusted, or none is offered.
    Tls,
    /// User or password are wrong.
    Login,
    /// The server is there, the database is not.
    NoDatabase,
}

/// Makes connections to whichever server takes writes.
pub(crate) struct Connector {
    servers: Vec<Server>,
    tls: MakeRustlsConnect,
    password_file: Option<PathBuf>,
    connect_wait: Duration,
    lock_wait: Duration,
    /// The server that took the newest connection: asked first.
    current: AtomicUsize,
}

impl Connector {
    pub(crate) fn new(
        target: Target,
        tls: MakeRustlsConnect,
        password_file: Option<PathBuf>,
        lock_wait: Duration,
    ) -> Self {
        Self {
            servers: target.servers,
            tls,
            password_file,
            connect_wait: target.connect_wait,
            lock_wait,
            current: AtomicUsize::new(0),
        }
    }

    /// The servers' names, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect();
        names.join(", ")
    }

    /// Whether a connection leads to the server that took the newest one: after a switch-over, the
    /// old server may still answer, but not the truth.
    pub(crate) fn is_current(&self, connection: &Connection) -> bool {
        connection.server == self.current.load(Ordering::SeqCst)
    }

    /// Asks each server in turn, the one that answered last first.
    ///
    /// # Errors
    /// The refusal that says most, if all refuse.
    pub(crate) async fn connect(&self) -> Result<Connection, Refusal> {
        let password = self.password().await?;
        let first = self.current.load(Ordering::SeqCst);
        let mut worst: Option<Refusal> = None;
        for step in 0..self.servers.len() {
            let index = (first + step) % self.servers.len();
            let Some(server) = self.servers.get(index) else {
                continue;
            };
            match self.connect_to(server, index, password.as_deref()).await {
                Ok(connection) => {
                    self.current.store(index, Ordering::SeqCst);
                    return Ok(connection);
                }
                Err(refusal) => match &mut worst {
                    Some(said) if said.kind >= refusal.kind => {
                        said.said = format!("{}; {}", said.said, refusal.said);
                    }
                    Some(_) | None => worst = Some(refusal),
                },
            }
        }
        Err(worst.unwrap_or_else(|| unreachable_server("no server is named".to_owned())))
    }

    async fn connect_to(
        &self,
        server: &Server,
        index: usize,
        password: Option<&[u8]>,
    ) -> Result<Connection, Refusal> {
        let mut config = server.config.clone();
        if let Some(password) = password {
            config.password(password);
        }
        let opening = Connection::open(&config, self.tls.clone(), index, self.lock_wait);
        match timeout(self.connect_wait, opening).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Refusal {
                kind: refusal_kind(&error),
                said: format!("{}: {}", server.name, reason(&error)),
            }),
            Err(_) => {
                let waited = self.connect_wait.as_secs();
                Err(unreachable_server(format!(
                    "{}: no answer within {waited} s",
                    server.name
                )))
            }
        }
    }

    /// Read for each connection, so that a password may be changed while we run.
    async fn password(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(path) = self.password_file.clone() else {
            return Ok(None);
        };
        let shown = path.display().to_string();
        let reading = spawn_blocking(move || read_small(&path, PASSWORD_FILE_BYTES_MAX));
        let read = match timeout(self.connect_wait, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => return Err(unreachable_server("the server is stopping".to_owned())),
            // A file system that hangs; the next connection asks again.
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        match read {
            Ok(bytes) => Ok(Some(first_line(&bytes).trim_ascii_end().to_vec())),
            Err(error) => Err(Refusal {
                kind: RefusalKind::Login,
                said: format!("cannot read the password file {shown}: {error}"),
            }),
        }
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes)
}

fn unreachable_server(said: String) -> Refusal {
    Refusal {
        kind: RefusalKind::Unreachable,
        said,
    }
}

fn refusal_kind(error: &tokio_postgres::Error) -> RefusalKind {
    match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            RefusalKind::Login
        }
        Some(&SqlState::UNDEFINED_DATABASE) => RefusalKind::NoDatabase,
        Some(&SqlState::TOO_MANY_CONNECTIONS) => RefusalKind::Full,
        // The library tells its own kinds apart in words only.
        None if error.to_string().contains("TLS") => RefusalKind::Tls,
        None if error.to_string().contains("authentication") => RefusalKind::Login,
        None if error.to_string().contains("configuration") => RefusalKind::Login,
        Some(_) | None => RefusalKind::Unreachable,
    }
}

/// A connection. Dropping it closes it without asking the database to stop what it is doing: a
/// cancelled wait for a standby would make it report as done what is on one server only.
pub(crate) struct Connection {
    client: Client,
    statements: HashMap<Query, Statement>,
    warnings: Arc<Warnings>,
    server: usize,
    /// Whether a statement was begun and nobody has heard its end.
    is_busy: bool,
    /// The task that reads and writes the socket, ended with this value.
    _driver: JoinSet<()>,
}

/// Warnings that the database sent and nobody has looked at yet.
#[derive(Default)]
struct Warnings {
    any: AtomicBool,
    newest: Mutex<String>,
}

impl Connection {
    async fn open(
        config: &tokio_postgres::Config,
        tls: MakeRustlsConnect,
        server: usize,
        lock_wait: Duration,
    ) -> Result<Self, tokio_postgres::Error> {
        let (client, mut socket) = config.connect(tls).await?;
        let warnings = Arc::new(Warnings::default());
        let heard = Arc::clone(&warnings);
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            while let Some(message) = poll_fn(|context| socket.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) => heard.note(&notice),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!("a connection to the database ended: {}", reason(&error));
                        return;
                    }
                }
            }
        });
        let lock_wait = lock_wait.as_millis();
        let session = format!("{SESSION}; SET lock_timeout = {lock_wait}");
        client.batch_execute(&session).await?;
        Ok(Self {
            client,
            statements: HashMap::new(),
            warnings,
            server,
            is_busy: false,
            _driver: driver,
        })
    }

    /// Whether the socket is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether a statement still runs that its caller has given up: a next one would wait for it.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The server it leads to, as a number.
    pub(crate) fn server(&self) -> usize {
        self.server
    }

    /// The client, for statements that are run once.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Runs a statement; prepares it the first time. Answers when the database is ready for the
    /// next one, hence after the commit.
    pub(crate) async fn query(
        &mut self,
        query: Query,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.is_busy = true;
        let outcome = self.prepared(query, parameters).await;
        self.is_busy = false;
        outcome
    }

    async fn prepared(
        &mut self,
        query: Query,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = match self.statements.get(&query) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(&query.sql()).await?;
                self.statements.insert(query, statement.clone());
                statement
            }
        };
        self.client.query(&statement, parameters).await
    }

    /// Runs a statement that commits something.
    ///
    /// # Errors
    /// Also when the database warned meanwhile: it does so when it gave up waiting for a standby,
    /// and then reports success.
    pub(crate) async fn commit(
        &mut self,
        query: Query,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, (Failure, bool)> {
        self.warnings.take();
        let outcome = self.query(query, parameters).await;
        if let Some(warning) = self.warnings.take() {
            return Err((
                Failure::Away(format!("the database warns: {warning}")),
                true,
            ));
        }
        outcome.map_err(|error| (Failure::of(&error), is_broken(&error)))
    }
}

impl Warnings {
    fn note(&self, notice: &tokio_postgres::error::DbError) {
        let is_warning = match notice.parsed_severity() {
            Some(Severity::Warning) | None => true,
            Some(_) => false,
        };
        if is_warning {
            let said = format!("{} ({})", notice.message(), notice.code().code());
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = said;
            self.any.store(true, Ordering::Release);
        }
    }

    fn take(&self) -> Option<String> {
        if !self.any.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(std::mem::take(
            &mut *self.newest.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}
