//! The statements, by what they do and on which tables.

use std::ops::RangeInclusive;

use engine::ports::store::KeyRange;

/// One of the three tables. In the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Records: keys below 0x40.
    Records,
    /// The log: keys from 0x40 to 0x5f.
    Log,
    /// Rows that come and go: keys from 0x60 on.
    Temporary,
}

/// The tables in the order of their keys.
pub(crate) const PARTS: [Part; 3] = [Part::Records, Part::Log, Part::Temporary];

impl Part {
    /// The table of a key.
    pub(crate) fn of(key: &[u8]) -> Self {
        match key.first() {
            None | Some(..0x40) => Self::Records,
            Some(0x40..0x60) => Self::Log,
            Some(0x60..) => Self::Temporary,
        }
    }

    /// The end of the table's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Records => "rec",
            Self::Log => "log",
            Self::Temporary => "tmp",
        }
    }

    /// First bytes of its keys.
    fn first_bytes(self) -> RangeInclusive<u8> {
        match self {
            Self::Records => 0..=0x3f,
            Self::Log => 0x40..=0x5f,
            Self::Temporary => 0x60..=0xff,
        }
    }
}

/// A set of tables: which of [`PARTS`] are in.
pub(crate) type Parts = [bool; 3];

/// The tables that a range of keys touches.
pub(crate) fn parts_of(range: &KeyRange) -> Parts {
    PARTS.map(|part| {
        let bytes = part.first_bytes();
        let starts_before_its_end = range.start.first().is_none_or(|first| first <= bytes.end());
        let ends_after_its_start = match &range.end {
            None => true,
            Some(end) => end.as_ref() > [*bytes.start()].as_slice() || part == Part::Records,
        };
        starts_before_its_end && ends_after_its_start
    })
}

/// A statement that is prepared once a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Query {
    /// Rows of keys; one array of keys for each table that is in.
    Rows(Parts),
    /// Their versions only.
    Versions(Parts),
    /// Rows of a range: start, end if there is one, limit.
    Range {
        parts: Parts,
        has_end: bool,
        /// From the last key to the first.
        backward: bool,
    },
    /// The clock in milliseconds.
    Now,
    /// One call of `kv_commit`.
    Commit,
    /// A write that changes nothing we read.
    Probe,
}

impl Query {
    /// The statement's text.
    pub(crate) fn sql(self) -> String {
        match self {
            Self::Rows(parts) => of_keys("k, ver, v", parts),
            Self::Versions(parts) => of_keys("k, ver", parts),
            Self::Range {
                parts,
                has_end,
                backward,
            } => of_range(parts, has_end, backward),
            Self::Now => {
                "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint".to_owned()
            }
            Self::Commit => {
                let places: Vec<String> =
                    (1..=arguments().count()).map(|n| format!("${n}")).collect();
                format!("SELECT kv_commit({})", places.join(", "))
            }
            Self::Probe => "UPDATE kv_schema SET probed = clock_timestamp()".to_owned(),
        }
    }
}

fn of_keys(columns: &str, parts: Parts) -> String {
    let selects: Vec<String> = chosen(parts)
        .zip(1..)
        .map(|(part, place)| {
            let table = part.name();
            format!("SELECT {columns} FROM kv_{table} WHERE k = ANY (${place})")
        })
        .collect();
    selects.join(" UNION ALL ")
}

fn of_range(parts: Parts, has_end: bool, backward: bool) -> String {
    let (end, limit) = match has_end {
        true => (" AND k < $2", "$3"),
        false => ("", "$2"),
    };
    let order = if backward { "DESC" } else { "ASC" };
    let tail = format!("ORDER BY k {order} LIMIT {limit}");
    let selects: Vec<String> = chosen(parts)
        .map(|part| {
            let table = part.name();
            format!("(SELECT k, ver, v FROM kv_{table} WHERE k >= $1{end} {tail})")
        })
        .collect();
    match selects.as_slice() {
        [one] => one.clone(),
        several => format!("{} {tail}", several.join(" UNION ALL ")),
    }
}

fn chosen(parts: Parts) -> impl Iterator<Item = Part> {
    PARTS
        .into_iter()
        .zip(parts)
        .filter_map(|(part, is_in)| is_in.then_some(part))
}

/// Name and type of each argument of `kv_commit`, in order.
fn arguments() -> impl Iterator<Item = String> {
    PARTS.into_iter().flat_map(|part| {
        let of_one = [
            "lk bytea",
            "lv bigint",
            "ik bytea",
            "iv bytea",
            "uk bytea",
            "uv bytea",
            "dk bytea",
        ];
        of_one.map(|argument| {
            let (name, kind) = argument.split_once(' ').unwrap_or((argument, "bytea"));
            format!("{name}_{} {kind}[]", part.name())
        })
    })
}

/// The text that creates `kv_commit`.
pub(crate) fn commit_function() -> String {
    let arguments: Vec<String> = arguments()
        .map(|argument| format!("    {argument}"))
        .collect();
    let for_each =
        |text: &str| -> String { PARTS.map(|part| text.replace("{T}", part.name())).concat() };
    include_str!("commit.sql")
        .replace("{ARGUMENTS}", &arguments.join(",\n"))
        .replace(
            "{VARIABLES}",
            &for_each("    there_{T} bytea[];\n    gone_{T}  bigint := 0;\n"),
        )
        .replace("{LOCK}", &for_each(include_str!("commit_lock.sql")))
        .replace("{INSERT}", &for_each(include_str!("commit_insert.sql")))
        .replace("{WRITE}", &for_each(include_str!("commit_write.sql")))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn range(start: &'static [u8], end: Option<&'static [u8]>) -> Parts {
        parts_of(&KeyRange {
            start: Bytes::from_static(start),
            end: end.map(Bytes::from_static),
        })
    }

    #[test]
    fn ranges_touch_the_tables_they_span() {
        assert_eq!(range(b"", None), [true, true, true]);
        assert_eq!(range(b"\x10", Some(b"\x40")), [true, false, false]);
        assert_eq!(range(b"\x10", Some(b"\x40\x00")), [true, true, false]);
        assert_eq!(range(b"\x3f\xff", Some(b"\x60")), [true, true, false]);
        assert_eq!(range(b"\x40", Some(b"\x60")), [false, true, false]);
        assert_eq!(range(b"\x40", Some(b"\x61")), [false, true, true]);
        assert_eq!(range(b"\x60", None), [false, false, true]);
        assert_eq!(range(b"\xff\xff", None), [false, false, true]);
    }

    #[test]
    fn the_function_is_whole() {
        let text = commit_function();
        assert!(!text.contains('{'), "{text}");
        for part in PARTS {
            assert_eq!(
                text.matches(&format!("DELETE FROM kv_{}", part.name()))
                    .count(),
                1
            );
        }
    }
}
