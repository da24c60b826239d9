//! What an import did, counted, and the rows that it left out.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use engine::names::Imported;
use engine::types::{Name, ToxKey};
use serde_json::{Value, json};

use super::database::{Cell, Row};
use super::record::{Reason, Refused};
use crate::failure::{Exit, Failure};

/// What an object of a list has.
const KEYS: [&str; 4] = ["row", "name", "reason", "detail"];
/// More bytes than a line of a list has.
const LINE_BYTES_MAX: u64 = 256 << 10;
/// Left-out rows shown when no file was asked for.
const SHOWN_MAX: usize = 20;

/// The counts, and where left-out rows are told.
#[derive(Default)]
pub(super) struct Tally {
    /// Rows looked at.
    pub(super) rows: u64,
    /// Bytes of the values that were read.
    pub(super) bytes: u64,
    /// Records that are here now, or would be.
    pub(super) imported: u64,
    /// Records that were here before.
    pub(super) same: u64,
    without_password: u64,
    left_out: BTreeMap<Reason, u64>,
    shown: Vec<String>,
    file: Option<(PathBuf, BufWriter<File>)>,
    names: HashSet<Name>,
    keys: HashSet<ToxKey>,
}

impl Tally {
    /// Begins to count. The file is made, or emptied if it is an earlier list, for the owner alone: it
    /// names private names. It must be none of `sources`, by whatever name.
    ///
    /// # Errors
    /// `Usage` when it is a source, or holds something else; when it cannot be written.
    pub(super) fn begin(
        conflicts: Option<&Path>,
        sources: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, Failure> {
        let Some(path) = conflicts else {
            return Ok(Self::default());
        };
        let file = list(path, sources)?;
        Ok(Self {
            file: Some((path.to_owned(), BufWriter::new(file))),
            ..Self::default()
        })
    }

    /// Counts a row as read.
    pub(super) fn count(&mut self, row: &Row) {
        self.rows += 1;
        for cell in [&row.name, &row.bio, &row.public_key, &row.password] {
            self.bytes += match cell {
                Cell::Text(text) => text.len() as u64,
                Cell::Blob(bytes) => bytes.len() as u64,
                Cell::Null | Cell::Int(_) | Cell::Real | Cell::BadText | Cell::Huge(_) => 0,
            };
        }
    }

    /// Whether an earlier row has the same name or key, as they count here.
    ///
    /// # Errors
    /// Which of them.
    pub(super) fn is_first(&mut self, record: &Imported) -> Result<(), Reason> {
        if self.names.contains(&record.name) {
            return Err(Reason::DuplicateName);
        }
        if !self.keys.insert(record.tox_id.key()) {
            return Err(Reason::DuplicateKey);
        }
        self.names.insert(record.name.clone());
        Ok(())
    }

    /// Counts a record as imported.
    pub(super) fn import(&mut self, has_password: bool) {
        self.imported += 1;
        self.without_password += u64::from(!has_password);
    }

    /// Counts a row as left out and tells it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn leave_out(&mut self, row: &Row, refused: &Refused) -> Result<(), Failure> {
        let Refused { reason, detail } = refused;
        *self.left_out.entry(*reason).or_default() += 1;
        let sentence = reason.sentence();
        let detail = detail.as_deref().unwrap_or(sentence);
        let name = row.name.text();
        if let Some((path, file)) = &mut self.file {
            let line = json!({
                "row": row.id, "name": name, "reason": reason.word(), "detail": detail,
            });
            return writeln!(file, "{line}").map_err(|error| unwritten(path, &error));
        }
        if self.shown.len() < SHOWN_MAX {
            // Escaped, as a terminal may be reading.
            let name = name.unwrap_or("?").escape_debug();
            self.shown.push(format!("row {}, {name}: {detail}", row.id));
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        match &mut self.file {
            Some((path, file)) => file.flush().map_err(|error| unwritten(path, &error)),
            None => Ok(()),
        }
    }

    /// Rows left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.values().sum()
    }

    /// For people: the counts, then rows or the name of the file they are in.
    pub(super) fn words(&self, is_dry: bool) -> String {
        let new = if is_dry { "to import" } else { "imported" };
        let mut text = format!(
            "{:>10}  rows\n{:>10}  {new}\n{:>10}  here already\n{:>10}  left out",
            self.rows,
            self.imported,
            self.same,
            self.left_out(),
        );
        // Writing to a string does not fail.
        for (reason, count) in &self.left_out {
            let _ = write!(text, "\n{count:>12}  {}", reason.sentence());
        }
        if self.without_password > 0 {
            let count = self.without_password;
            let _ = write!(
                text,
                "\n{count:>10}  without an edit password: changed by key alone"
            );
        }
        for line in &self.shown {
            let _ = write!(text, "\n{line}");
        }
        let more = self.left_out().saturating_sub(self.shown.len() as u64);
        match &self.file {
            Some((path, _)) => {
                let _ = write!(text, "\nrows left out are listed in {}", path.display());
            }
            None if more > 0 => {
                let _ = write!(text, "\nand {more} more: --conflicts FILE lists them all");
            }
            None => {}
        }
        text
    }

    /// For machines.
    pub(super) fn object(&self) -> Value {
        let reasons: serde_json::Map<String, Value> = self
            .left_out
            .iter()
            .map(|(reason, count)| (reason.word().to_owned(), (*count).into()))
            .collect();
        json!({
            "rows": self.rows, "imported": self.imported, "here_already": self.same,
            "left_out": self.left_out(), "reasons": reasons,
            "without_password": self.without_password,
        })
    }
}

/// Opens the file of a list, and empties it only once it is known what it is.
fn list(path: &Path, sources: impl IntoIterator<Item = PathBuf>) -> Result<File, Failure> {
    let unwritten = |error| unwritten(path, &error);
    let usage = |said| {
        let said = format!("--conflicts: {} {said}; name another file", path.display());
        Failure::new(Exit::Usage, said)
    };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true);
    // What is there keeps its bytes until it has been looked at.
    let options = options.truncate(false).mode(0o600);
    let mut file = options.open(path).map_err(unwritten)?;
    let data = file.metadata().map_err(unwritten)?;
    let is_it = |source: PathBuf| {
        fs::metadata(source).is_ok_and(|of| (of.dev(), of.ino()) == (data.dev(), data.ino()))
    };
    if sources.into_iter().any(is_it) {
        return Err(usage("is what is imported"));
    }
    if data.is_file() && data.len() > 0 {
        if !is_list(&file).map_err(unwritten)? {
            return Err(usage("holds something else than rows left out"));
        }
        file.set_len(0).map_err(unwritten)?;
        file.rewind().map_err(unwritten)?;
    }
    Ok(file)
}

/// Whether a file begins as a list does.
fn is_list(file: &File) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(file.take(LINE_BYTES_MAX));
    reader.read_until(b'\n', &mut line)?;
    let line = serde_json::from_slice::<Value>(&line).unwrap_or_default();
    Ok(KEYS.iter().all(|key| line.get(key).is_some()))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write to {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LINE: &str = "{\"detail\":\"d\",\"name\":null,\"reason\":\"r\",\"row\":1}\n";

    #[test]
    fn a_list_replaces_a_list_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("db"), LINE).unwrap();
        symlink(at("db"), at("link")).unwrap();
        fs::hard_link(at("db"), at("twin")).unwrap();
        fs::write(at("notes"), "mine").unwrap();
        fs::write(at("list"), [LINE, LINE].concat()).unwrap();
        fs::write(at("empty"), "").unwrap();
        let begin = |name: &str| Tally::begin(Some(&at(name)), [at("absent"), at("db")]);
        for name in ["db", "link", "twin"] {
            let refused = begin(name).err().unwrap();
            assert_eq!(refused.exit, Exit::Usage);
            assert!(
                refused.said.contains("what is imported"),
                "{}",
                refused.said
            );
        }
        assert_eq!(fs::read_to_string(at("db")).unwrap(), LINE);
        let refused = begin("notes").err().unwrap();
        assert!(refused.said.contains("something else"), "{}", refused.said);
        assert_eq!(fs::read_to_string(at("notes")).unwrap(), "mine");
        for name in ["list", "empty", "new"] {
            begin(name).unwrap().finish().unwrap();
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "", "{name}");
        }
    }
}
