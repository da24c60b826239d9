//! The types of values that say where a store is.

use std::fmt;
use std::path::Path;

use serde_json::Value;
use store::redacted;

use super::schema::Setting;
use super::sources::Raw;
use super::values::{found, text};

/// Most connections to a database: far more than one server of it takes.
const CONNECTIONS_MAX: u32 = 1000;

/// The URL of a store. Its password, if it has one, is neither in `Debug` nor in `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl(String);

/// What a store may be, by the start of its URL.
const DATABASES: [&str; 2] = ["postgres://", "postgresql://"];

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What was found, without its password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let starts = ["file:"].into_iter().chain(DATABASES);
        let names_one = starts.into_iter().any(|start| {
            let rest = text.strip_prefix(start);
            rest.is_some_and(|rest| !rest.is_empty())
        });
        if names_one || text == "memory:" {
            Ok(Self(text.to_owned()))
        } else {
            Err(found(&redacted(text)))
        }
    }

    /// The embedded store of a directory.
    pub(crate) fn of_dir(dir: &Path) -> Self {
        Self(format!("file:{}", dir.display()))
    }

    /// The URL with its password: for opening the store and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The directory of an embedded store.
    pub(crate) fn dir(&self) -> Option<&Path> {
        self.0.strip_prefix("file:").map(Path::new)
    }

    /// Whether the store forgets everything at the end of the process.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.0 == "memory:"
    }

    /// Whether the store is a database server's.
    pub(crate) fn is_database(&self) -> bool {
        DATABASES.iter().any(|start| self.0.starts_with(start))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl Setting for StoreUrl {
    const KIND: &'static str =
        "\"memory:\", \"file:PATH\" or \"postgres://USER@HOST:PORT/DATABASE\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        Self::parse(text(raw)?)
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

/// A number of connections to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections(pub(crate) u32);

impl Setting for Connections {
    const KIND: &'static str = "a number from 1 to 1000";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = match raw {
            Raw::Number(number) => number.to_string(),
            Raw::Text(text) => return Err(format!("found {text:?} with quotes")),
            Raw::Words(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => text(raw)?.to_owned(),
        };
        match text.parse() {
            Ok(number @ 1..=CONNECTIONS_MAX) => Ok(Self(number)),
            Ok(_) | Err(_) => Err(found(&text)),
        }
    }

    fn show(&self) -> Value {
        self.0.into()
    }
}
