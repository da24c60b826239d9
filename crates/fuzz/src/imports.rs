//! What an original toxme server left behind.

use engine::names::Imported;
use engine::types::{Bio, Name, ToxId};

use super::database::{Cell, Database, Row};
use super::record;
use crate::temporary;

/// Rows that are read at one go.
const ROWS_MAX: usize = 16;

/// A database's file.
pub(crate) fn file(data: &[u8]) {
    let path = temporary::written("records.db", data);
    let mut database = match Database::open(&path) {
        Ok(database) => database,
        Err(failure) => return assert!(!failure.said.is_empty(), "a refusal says why"),
    };
    let mut last = None;
    for _ in 0..64 {
        let Ok(rows) = database.read(ROWS_MAX) else {
            return;
        };
        if rows.is_empty() {
            return;
        }
        assert!(rows.len() <= ROWS_MAX);
        for row in rows {
            assert!(last < Some(row.id), "rows come by rising id, each once");
            last = Some(row.id);
            check(&row);
        }
    }
}

/// The values of one row, each behind its type and its length.
pub(crate) fn row(data: &[u8]) {
    let mut rest = data;
    let mut cell = || cell(&mut rest);
    check(&Row {
        id: 1,
        name: cell(),
        bio: cell(),
        public_key: cell(),
        pin: cell(),
        checksum: cell(),
        privacy: cell(),
        timestamp: cell(),
        password: cell(),
    });
}

fn cell(rest: &mut &[u8]) -> Cell {
    let [kind, length, after @ ..] = rest else {
        return Cell::Null;
    };
    let length = usize::from(*length).min(after.len());
    let (bytes, after) = after.split_at(length);
    *rest = after;
    match kind {
        0 => Cell::Null,
        1 => {
            let mut number = [0; 8];
            let (_, low) = number.split_at_mut(8 - length.min(8));
            low.copy_from_slice(bytes.get(..low.len()).unwrap_or_default());
            Cell::Int(i64::from_be_bytes(number))
        }
        2 => Cell::Real,
        3 => Cell::Blob(bytes.to_vec()),
        4 => Cell::Huge(length as u64),
        _ => String::from_utf8(bytes.to_vec()).map_or(Cell::BadText, Cell::Text),
    }
}

/// A record is in the form of ours, or there is a word for why it is none.
fn check(row: &Row) {
    match record::read(row) {
        Ok(record) => in_form(&record),
        Err(refused) => assert!(!refused.reason.word().is_empty()),
    }
}

fn in_form(record: &Imported) {
    assert_eq!(Name::parse(record.name.as_str()).as_ref(), Ok(&record.name));
    assert_eq!(Bio::parse(record.bio.as_str()).as_ref(), Some(&record.bio));
    assert_eq!(
        ToxId::parse(&record.tox_id.to_string()),
        Some(record.tox_id)
    );
    // The last moment of the year 9999, and a leap second.
    let last = 253_402_300_800_999;
    assert!(record.changed_at.is_none_or(|moment| moment.0 <= last));
}
