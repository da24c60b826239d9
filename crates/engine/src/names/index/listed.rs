//! The names of the public list, newest change first.
//!
//! Two sorted sets of lines: by time, for a page of any number without counting up to it, and by
//! name, for the time under which a name stands in the first. A line of each is some 20 bytes.

use crate::types::{Name, UnixMillis};

use super::lines::Lines;
use super::sorted::read_name;

/// Small pieces, because names come in the order of names and go anywhere in that of times.
const PIECE_BYTES_MAX: usize = 8 << 10;
/// Stands between name and time. Smaller than all a name may hold.
const BETWEEN: u8 = 0;
/// Bytes of a time in a line: 7 bits each, so that none is a newline. Enough until the year 2109.
const TIME_BYTES: usize = 6;
/// The last moment that has a place of its own.
const TIME_MAX: u64 = (1 << 42) - 1;

/// Names, each with the time of its last change.
pub(super) struct Listed {
    by_time: Lines,
    by_name: Lines,
}

impl Default for Listed {
    fn default() -> Self {
        Self {
            by_time: Lines::new(PIECE_BYTES_MAX),
            by_name: Lines::new(PIECE_BYTES_MAX),
        }
    }
}

impl Listed {
    /// The names from the `skip`-th on, newest change first, at most `limit`; those of one
    /// millisecond in their own order.
    pub(super) fn page(&self, skip: u64, limit: usize) -> Vec<Name> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let lines = self.by_time.from(skip).take(limit);
        lines
            .filter_map(|line| read_name(line.get(TIME_BYTES..)?))
            .collect()
    }

    /// Puts a name where its time says, wherever it stood before.
    pub(super) fn set(&mut self, name: &Name, changed_at: UnixMillis) {
        let before = self.time_of(name);
        if before == Some(time(changed_at)) {
            return;
        }
        if let Some(before) = before {
            self.take(name, before);
        }
        self.add(name, changed_at);
    }

    /// Adds a name that is not on the list.
    pub(super) fn add(&mut self, name: &Name, changed_at: UnixMillis) {
        let time = time(changed_at);
        self.by_time.insert(&by_time(time, name));
        self.by_name.insert(&by_name(name, time));
    }

    /// Takes a name off the list, if it is there.
    pub(super) fn remove(&mut self, name: &Name) {
        if let Some(time) = self.time_of(name) {
            self.take(name, time);
        }
    }

    fn take(&mut self, name: &Name, time: [u8; TIME_BYTES]) {
        self.by_time.remove(&by_time(time, name));
        self.by_name.remove(&by_name(name, time));
    }

    fn time_of(&self, name: &Name) -> Option<[u8; TIME_BYTES]> {
        let mut line = name.as_str().as_bytes().to_vec();
        line.push(BETWEEN);
        let time = self.by_name.at_or_after(&line)?.strip_prefix(&*line)?;
        time.try_into().ok()
    }
}

/// A time such that later ones sort first.
fn time(at: UnixMillis) -> [u8; TIME_BYTES] {
    let mut rest = TIME_MAX.saturating_sub(at.0);
    let mut bytes = [0; TIME_BYTES];
    for byte in bytes.iter_mut().rev() {
        *byte = u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80;
        rest >>= 7;
    }
    bytes
}

fn by_time(time: [u8; TIME_BYTES], name: &Name) -> Vec<u8> {
    [&time, name.as_str().as_bytes()].concat()
}

fn by_name(name: &Name, time: [u8; TIME_BYTES]) -> Vec<u8> {
    [name.as_str().as_bytes(), &[BETWEEN], &time].concat()
}
