//! The SQLite database of an original toxme server, read and never written.
//!
//! One read transaction holds from the first row to the last, so whoever writes to the file meanwhile
//! waits, and no row is read of two moments. Values are bounded before they are loaded.

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::failure::{Exit, Failure};

/// First bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Place in the header of what a reader must be able to do; 2 is to read a write-ahead log.
const READ_VERSION_AT: usize = 19;
/// Longest wait for whoever writes to the file.
const BUSY: Duration = Duration::from_secs(5);
/// Most bytes of a value that are loaded: no valid one comes near.
const VALUE_BYTES_MAX: u64 = 16 << 10;
/// What is read of a row.
const COLUMNS: [&str; 8] = [
    "name",
    "bio",
    "public_key",
    "pin",
    "checksum",
    "privacy",
    "timestamp",
    "password",
];
/// Settings for a file that is not trusted, and the transaction.
const BEGIN: &str = "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;
    PRAGMA cell_size_check = ON; BEGIN;";

/// One value, as it is stored whatever the schema says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real,
    Text(String),
    /// Text that is no UTF-8.
    BadText,
    Blob(Vec<u8>),
    /// More bytes than any valid value has.
    Huge(u64),
}

impl Cell {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Int(_)
            | Self::Real
            | Self::BadText
            | Self::Blob(_)
            | Self::Huge(_) => None,
        }
    }
}

/// One row of `records`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) name: Cell,
    pub(super) bio: Cell,
    pub(super) public_key: Cell,
    pub(super) pin: Cell,
    pub(super) checksum: Cell,
    pub(super) privacy: Cell,
    pub(super) timestamp: Cell,
    pub(super) password: Cell,
}

/// The database, and how far it was read.
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    /// First row not yet read; `None` at the end.
    next: Option<i64>,
    rows: u64,
}

impl Database {
    /// Opens the file and checks that it is what an original server wrote.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when a server is at work on it, `Unverified` when it is damaged.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let is_quiet = check_file(path)?;
        let connection = connect(path, is_quiet).map_err(|error| failure(path, &error))?;
        let mut database = Self {
            path: path.to_owned(),
            connection,
            next: Some(i64::MIN),
            rows: 0,
        };
        database.rows = database.begin()?;
        Ok(database)
    }

    /// Rows in all.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The next rows, at most `most`, by rising id; none at the end. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub(super) fn read(&mut self, most: usize) -> Result<Vec<Row>, Failure> {
        let Some(next) = self.next else {
            return Ok(Vec::new());
        };
        let rows = query(&self.connection, next, most);
        let rows = rows.map_err(|error| failure(&self.path, &error))?;
        // SQLite believes the order of a damaged file, and an order that turns back has no end.
        let ids = rows.iter().map(|row| row.id);
        if rows.first().is_some_and(|row| row.id < next) || !ids.is_sorted_by(|one, two| one < two)
        {
            return Err(damaged(&self.path, &"its rows are out of order"));
        }
        self.next = match rows.last() {
            Some(last) if rows.len() >= most => last.id.checked_add(1),
            Some(_) | None => None,
        };
        Ok(rows)
    }

    fn begin(&self) -> Result<u64, Failure> {
        let said = |error| failure(&self.path, &error);
        let connection = &self.connection;
        connection.execute_batch(BEGIN).map_err(said)?;
        let tables = "SELECT count(*) FROM sqlite_schema \
            WHERE name = 'records' AND type = 'table' AND rootpage > 0";
        let count = |sql: &str| connection.query_one(sql, [], |row| row.get::<_, i64>(0));
        if count(tables).map_err(said)? == 0 {
            let what = "it has no table \"records\"";
            return Err(foreign(&self.path, what));
        }
        let missing = missing_columns(connection).map_err(said)?;
        if !missing.is_empty() {
            let what = format!("its table \"records\" has no column {}", missing.join(", "));
            return Err(foreign(&self.path, &what));
        }
        let rows = count("SELECT count(*) FROM records").map_err(said)?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }
}

/// Looks at the file itself: whether it is a database, and, if its changes go to a log beside it,
/// whether that log is empty. Answers whether it has such a log, which then nobody reads or makes.
fn check_file(path: &Path) -> Result<bool, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let exit = if error.kind() == ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Failure::new(exit, format!("cannot read the database {shown}: {error}"))
    };
    let mut header = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(100)
        .read_to_end(&mut header)
        .map_err(unreadable)?;
    if !header.starts_with(MAGIC) {
        let said = format!(
            "{shown} is no SQLite database; its path is in database_url of the toxme server's \
             config.json"
        );
        return Err(Failure::failed(said));
    }
    if header.get(READ_VERSION_AT) != Some(&2) {
        return Ok(false);
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if fs::metadata(&log).is_ok_and(|data| data.len() > 0) {
        let said = format!(
            "{} holds changes that are not in the database yet: stop the toxme server, run \
             sqlite3 {shown} 'PRAGMA wal_checkpoint(TRUNCATE)', and try again",
            log.display()
        );
        return Err(Failure::new(Exit::Conflict, said));
    }
    Ok(true)
}

fn connect(path: &Path, is_quiet: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_quiet {
        Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// The URI of a file that nobody changes: SQLite then makes no files beside it.
fn immutable(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    let absolute = absolute.as_deref().unwrap_or(path);
    let mut uri = "file://".to_owned();
    for byte in absolute.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    uri
}

fn missing_columns(connection: &Connection) -> rusqlite::Result<Vec<&'static str>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('records')")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let is_missing = |column: &&str| !names.iter().any(|name| name.eq_ignore_ascii_case(column));
    Ok(COLUMNS.into_iter().filter(is_missing).collect())
}

fn query(connection: &Connection, from: i64, most: usize) -> rusqlite::Result<Vec<Row>> {
    let mut sql = "SELECT rowid".to_owned();
    for column in COLUMNS {
        // Its length alone does not load a value.
        let _ = write!(
            sql,
            ", CASE WHEN octet_length({column}) <= {VALUE_BYTES_MAX} THEN {column} END, \
             octet_length({column})"
        );
    }
    sql.push_str(" FROM records WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2");
    let mut statement = connection.prepare(&sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map((from, most), |row| {
        let cell = |column: usize| cell(row, 2 * column + 1);
        Ok(Row {
            id: row.get(0)?,
            name: cell(0)?,
            bio: cell(1)?,
            public_key: cell(2)?,
            pin: cell(3)?,
            checksum: cell(4)?,
            privacy: cell(5)?,
            timestamp: cell(6)?,
            password: cell(7)?,
        })
    })?;
    rows.collect()
}

/// The value at `at`, with its length behind it.
fn cell(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Cell> {
    let bytes: Option<i64> = row.get(at + 1)?;
    Ok(match (row.get_ref(at)?, bytes) {
        (ValueRef::Null, Some(bytes)) => Cell::Huge(u64::try_from(bytes).unwrap_or(u64::MAX)),
        (ValueRef::Null, None) => Cell::Null,
        (ValueRef::Integer(number), _) => Cell::Int(number),
        (ValueRef::Real(_), _) => Cell::Real,
        (ValueRef::Text(text), _) => match str::from_utf8(text) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::BadText,
        },
        (ValueRef::Blob(bytes), _) => Cell::Blob(bytes.to_vec()),
    })
}

fn foreign(path: &Path, what: &str) -> Failure {
    Failure::failed(format!(
        "{} is not the database of an original toxme server: {what}",
        path.display()
    ))
}

fn damaged(path: &Path, what: &dyn fmt::Display) -> Failure {
    let hint = "it is damaged: take a backup, or what sqlite3's .recover saves of it";
    let said = format!(
        "cannot read the database {}: {what}; {hint}",
        path.display()
    );
    Failure::new(Exit::Unverified, said)
}

fn failure(path: &Path, error: &rusqlite::Error) -> Failure {
    let shown = path.display();
    let code = error.sqlite_error_code();
    let is = |codes: [ErrorCode; 2]| code.is_some_and(|code| codes.contains(&code));
    let (exit, hint) = if is([ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
        (Exit::Conflict, "it is in use: stop the toxme server first")
    } else if is([ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase]) {
        return damaged(path, error);
    } else if is([ErrorCode::ReadOnly, ErrorCode::CannotOpen]) {
        let hint = "its server may have been cut off in a change: read it once with sqlite3, as a \
                    user who may write to it and to its directory";
        (Exit::Failed, hint)
    } else {
        (Exit::Failed, "nothing of it was changed")
    };
    let said = format!("cannot read the database {shown}: {error}; {hint}");
    Failure::new(exit, said)
}
