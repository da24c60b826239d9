//! What the database's errors mean to us, in words for an operator.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::connection::Refusal;

/// Raised by `kv_commit` when it changed nothing because a check failed or a key came meanwhile.
const REFUSED: &str = "40K01";

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `kv_commit` found a check that does not hold, or that it must look again. Nothing changed.
    Refused,
    /// The database undid the statement to let another one pass. Nothing changed.
    Again(String),
    /// A row was locked for longer than we wait. Nothing changed, and other rows may be free.
    Locked(String),
    /// There is no connection: nothing was sent.
    NotSent(Refusal),
    /// Anything else; whether a commit was applied is unknown.
    Away(String),
}

impl Failure {
    /// Reads an answer of the database.
    pub(crate) fn of(error: &Error) -> Self {
        match error.code() {
            Some(code) if code.code() == REFUSED => Self::Refused,
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
                Self::Again(reason(error))
            }
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Self::Locked(reason(error)),
            Some(_) | None => Self::Away(reason(error)),
        }
    }

    /// The reason in words.
    pub(crate) fn into_reason(self) -> String {
        match self {
            Self::Refused => "the database refused the batch again and again".to_owned(),
            Self::Again(said) | Self::Locked(said) | Self::Away(said) => said,
            Self::NotSent(refusal) => refusal.said,
        }
    }
}

/// An error in words, without rows and without credentials.
pub(crate) fn reason(error: &Error) -> String {
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map(ToString::to_string);
        return match cause {
            Some(cause) => format!("{error}: {cause}"),
            None if error.is_closed() => "the connection to the database was lost".to_owned(),
            None => error.to_string(),
        };
    };
    let (code, said) = (db.code(), db.message());
    let meaning = match *code {
        SqlState::TOO_MANY_CONNECTIONS => "the database takes no more connections",
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => "the database is shutting down",
        SqlState::CANNOT_CONNECT_NOW => "the database is starting or stopping",
        SqlState::DISK_FULL => "the database's disk is full",
        SqlState::READ_ONLY_SQL_TRANSACTION => "this server of the database takes no writes",
        SqlState::LOCK_NOT_AVAILABLE => "the rows were locked for too long",
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            "other writers were in the way again and again"
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "the database refuses the login"
        }
        SqlState::UNDEFINED_DATABASE => "the database does not exist",
        _ => "the database answers",
    };
    format!("{meaning}: {said} ({})", code.code())
}

/// Whether the connection is of no use any more, so that another may do better.
pub(crate) fn is_broken(error: &Error) -> bool {
    let Some(code) = error.code() else {
        return true;
    };
    matches!(
        *code,
        SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::READ_ONLY_SQL_TRANSACTION
            | SqlState::IDLE_SESSION_TIMEOUT
    )
}
