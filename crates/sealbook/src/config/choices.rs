//! Values that are one of a few words, and counts.

use httpkit::log::Addresses;
use serde_json::Value;

use super::schema::Setting;
use super::sources::Raw;
use super::values::{found, text};

/// Form of the lines that a process logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Setting for LogFormat {
    const KIND: &'static str = "\"auto\", \"text\" or \"json\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        match text(raw)? {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(found(other)),
        }
    }

    fn show(&self) -> Value {
        match self {
            Self::Auto => "auto".into(),
            Self::Text => "text".into(),
            Self::Json => "json".into(),
        }
    }
}

/// How much of a client's address the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoggedAddresses(pub(crate) Addresses);

impl Setting for LoggedAddresses {
    const KIND: &'static str = "\"full\", \"truncate\" or \"none\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let addresses = match text(raw)? {
            "full" => Addresses::Full,
            "truncate" => Addresses::Truncated,
            "none" => Addresses::None,
            other => return Err(found(other)),
        };
        Ok(Self(addresses))
    }

    fn show(&self) -> Value {
        match self.0 {
            Addresses::Full => "full".into(),
            Addresses::Truncated => "truncate".into(),
            Addresses::None => "none".into(),
        }
    }
}

/// A count of connections of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clients(pub(crate) u32);

impl Clients {
    /// The count for a list's length.
    pub(crate) fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Setting for Clients {
    const KIND: &'static str = "a number from 1 to 1000000";

    fn read(raw: &Raw) -> Result<Self, String> {
        count(raw, 1_000_000).map(Self)
    }

    fn show(&self) -> Value {
        self.0.into()
    }
}

/// Entries on one page of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageSize(pub(crate) u32);

impl Setting for PageSize {
    const KIND: &'static str = "a number from 1 to 100";

    fn read(raw: &Raw) -> Result<Self, String> {
        count(raw, 100).map(Self)
    }

    fn show(&self) -> Value {
        self.0.into()
    }
}

/// A number from 1 to `most`.
fn count(raw: &Raw, most: u32) -> Result<u32, String> {
    let text = match raw {
        Raw::Number(number) => number.to_string(),
        Raw::Text(text) => return Err(format!("found {text:?} with quotes")),
        Raw::Words(_) | Raw::Flag(_) | Raw::List(_) | Raw::Other(_) => text(raw)?.to_owned(),
    };
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| found(&text))
}
