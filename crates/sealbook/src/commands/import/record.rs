//! A row of the original's database as a record of ours, or why it is none.

use crypto::secret::Secret;
use engine::names::{Imported, LegacyPassword};
use engine::types::{Bio, Name, NameFault, ToxId, UnixMillis, Visibility};

use super::database::{Cell, Row};

/// Bytes of a stored password: the salt, then SHA-512 of salt and password.
const SALT_BYTES: usize = 16;

/// Why a row is not imported: a word for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Unreadable,
    Character,
    Name,
    Reserved,
    ToxId,
    Checksum,
    Bio,
    DuplicateName,
    DuplicateKey,
    Taken,
    Changed,
    KeyBound,
    Released,
}

impl Reason {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Character => "character",
            Self::Name => "name",
            Self::Reserved => "reserved",
            Self::ToxId => "tox-id",
            Self::Checksum => "checksum",
            Self::Bio => "bio",
            Self::DuplicateName => "duplicate-name",
            Self::DuplicateKey => "duplicate-key",
            Self::Taken => "taken",
            Self::Changed => "changed",
            Self::KeyBound => "key-bound",
            Self::Released => "released",
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Unreadable => "a value is missing, of another type, or far too long",
            Self::Character => "the name has a character that no name may have",
            Self::Name => "the name is empty or has more than 63 characters",
            Self::Reserved => "the name is one that nobody may have",
            Self::ToxId => "key, pin and checksum are not 64, 8 and 4 hexadecimal digits",
            Self::Checksum => "the checksum of the Tox ID does not hold",
            Self::Bio => "the bio has more than 1372 characters",
            Self::DuplicateName => "an earlier row has the same name, but for case or composition",
            Self::DuplicateKey => "an earlier row has the same key",
            Self::Taken => "the name is here with another key",
            Self::Changed => "the name is here with the same key, but the record was changed since",
            Self::KeyBound => "the key is bound to another name here",
            Self::Released => "the name was given up here",
        }
    }
}

/// A refusal, with the column that is to blame if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) detail: Option<String>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        let detail = None;
        Self { reason, detail }
    }
}

/// Reads a row.
///
/// # Errors
/// The first reason that applies.
pub(super) fn read(row: &Row) -> Result<Imported, Refused> {
    let name = text("name", &row.name)?;
    let name = Name::parse(name).map_err(|fault| match fault {
        NameFault::Character => Reason::Character,
        NameFault::Empty | NameFault::TooLong => Reason::Name,
    })?;
    let privacy = match row.privacy {
        Cell::Null => 0,
        Cell::Int(privacy) => privacy,
        Cell::Real | Cell::Text(_) | Cell::BadText | Cell::Blob(_) | Cell::Huge(_) => {
            return Err(unreadable("privacy", &row.privacy));
        }
    };
    let bio = if row.bio == Cell::Null {
        ""
    } else {
        text("bio", &row.bio)?
    };
    Ok(Imported {
        name,
        tox_id: tox_id(row)?,
        bio: Bio::parse(bio).ok_or(Reason::Bio)?,
        visibility: Visibility::from_privacy(privacy.into()),
        changed_at: row.timestamp.text().and_then(time_of),
        password: password(&row.password),
    })
}

fn tox_id(row: &Row) -> Result<ToxId, Refused> {
    let mut digits = String::with_capacity(ToxId::HEX_DIGITS);
    for (column, cell, length) in [
        ("public_key", &row.public_key, 64),
        ("pin", &row.pin, 8),
        ("checksum", &row.checksum, 4),
    ] {
        let part = text(column, cell)?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Reason::ToxId.into());
        }
        digits.push_str(part);
    }
    ToxId::parse(&digits).ok_or(Reason::Checksum.into())
}

/// A stored password; `None` for a record that never had one, or none that could be used.
fn password(cell: &Cell) -> Option<LegacyPassword> {
    let Cell::Blob(bytes) = cell else { return None };
    let (salt, digest) = bytes.split_at_checked(SALT_BYTES)?;
    Some(LegacyPassword {
        salt: salt.try_into().ok()?,
        digest: Secret::new(digest.try_into().ok()?),
    })
}

fn text<'c>(column: &str, cell: &'c Cell) -> Result<&'c str, Refused> {
    cell.text().ok_or_else(|| unreadable(column, cell))
}

fn unreadable(column: &str, cell: &Cell) -> Refused {
    let what = match cell {
        Cell::Null => "is missing".to_owned(),
        Cell::Int(_) | Cell::Real => "is a number".to_owned(),
        Cell::Text(_) => "is text".to_owned(),
        Cell::BadText => "is not UTF-8".to_owned(),
        Cell::Blob(_) => "is a blob".to_owned(),
        Cell::Huge(bytes) => format!("has {bytes} bytes"),
    };
    Refused {
        reason: Reason::Unreadable,
        detail: Some(format!("{column} {what}")),
    }
}

/// Reads `2014-05-13 16:53:20.123456`, with or without the fraction. The original wrote its local
/// time without saying where, so it is taken as UTC.
fn time_of(text: &str) -> Option<UnixMillis> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let is_time = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !is_time {
        return None;
    }
    let millis = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(UnixMillis(seconds * 1000 + millis))
}

/// Days from 1970-01-01: the Gregorian calendar with years that begin in March.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year / 4 - year / 100 + year / 400;
    // 1970-01-01 is day 719,468 from 0000-03-01.
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOX_ID: &str =
        "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

    fn cell(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn row() -> Row {
        Row {
            id: 1,
            name: cell("alice"),
            bio: cell("two\r\nlines"),
            public_key: cell(&TOX_ID[..64]),
            pin: cell(&TOX_ID[64..72]),
            checksum: cell(&TOX_ID[72..]),
            privacy: Cell::Int(1),
            timestamp: cell("2014-05-13 16:53:20.123456"),
            password: Cell::Blob(vec![7; 80]),
        }
    }

    fn refused(change: impl FnOnce(&mut Row)) -> (&'static str, Option<String>) {
        let mut row = row();
        change(&mut row);
        let refused = read(&row).err().expect("the row is refused");
        (refused.reason.word(), refused.detail)
    }

    #[test]
    fn a_row_as_the_original_wrote_it_is_a_record() {
        let record = read(&row()).ok().unwrap();
        assert_eq!(record.name.as_str(), "alice");
        assert_eq!(record.tox_id.to_string(), TOX_ID);
        assert_eq!(record.bio.as_str(), "two lines");
        assert_eq!(record.visibility, Visibility::Searchable);
        assert_eq!(record.changed_at, Some(UnixMillis(1_400_000_000_123)));
        assert_eq!(record.password.unwrap().salt, [7; 16]);
    }

    #[test]
    fn what_a_row_may_lack_is_not_invented() {
        let record = read(&Row {
            bio: Cell::Null,
            privacy: Cell::Null,
            timestamp: Cell::Null,
            password: Cell::Blob(vec![7; 79]),
            ..row()
        });
        let record = record.ok().unwrap();
        assert_eq!(record.bio.as_str(), "");
        assert_eq!(record.visibility, Visibility::Private);
        assert!(record.changed_at.is_none() && record.password.is_none());
    }

    #[test]
    fn every_fault_has_its_reason() {
        let said = |detail: &str| ("unreadable", Some(detail.to_owned()));
        assert_eq!(refused(|row| row.name = cell("a b")).0, "character");
        assert_eq!(refused(|row| row.name = cell("")).0, "name");
        assert_eq!(refused(|row| row.name = cell(&"x".repeat(64))).0, "name");
        assert_eq!(refused(|row| row.checksum = cell("0000")).0, "checksum");
        assert_eq!(refused(|row| row.pin = cell("D34D34D")).0, "tox-id");
        assert_eq!(refused(|row| row.pin = cell("D34D34Dé")).0, "tox-id");
        assert_eq!(refused(|row| row.bio = cell(&"x".repeat(1373))).0, "bio");
        assert_eq!(
            refused(|row| row.name = Cell::Null),
            said("name is missing")
        );
        assert_eq!(
            refused(|row| row.name = Cell::BadText),
            said("name is not UTF-8")
        );
        assert_eq!(
            refused(|row| row.bio = Cell::Huge(1 << 20)),
            said("bio has 1048576 bytes")
        );
        assert_eq!(
            refused(|row| row.privacy = Cell::Real),
            said("privacy is a number")
        );
        assert_eq!(
            refused(|row| row.public_key = Cell::Blob(vec![1])),
            said("public_key is a blob")
        );
    }

    #[test]
    fn times_are_read_as_utc_or_not_at_all() {
        for (text, seconds) in [
            ("1970-01-01 00:00:00", 0),
            ("2000-02-29 23:59:59.000000", 951_868_799),
            ("2014-05-13T16:53:20", 1_400_000_000),
            ("2019-10-08 00:00:00", 1_570_492_800),
        ] {
            assert_eq!(time_of(text), Some(UnixMillis(seconds * 1000)), "{text}");
        }
        assert_eq!(time_of("2014-05-13 16:53:20.5").unwrap().0 % 1000, 500);
        for bad in [
            "",
            "2014",
            "2014-13-01 00:00:00",
            "1969-01-01 00:00:00",
            "2014-05-13 24:00:00",
            "2014-05-13 16:53",
            "2014-05-13 16:53:20.x",
            "99999999999999999999-01-01 00:00:00",
        ] {
            assert_eq!(time_of(bad), None, "{bad}");
        }
    }
}
