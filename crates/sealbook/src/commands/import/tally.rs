//! What an import did, counted, and the rows that it left out.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use engine::names::Imported;
use engine::types::{Name, ToxKey};
use serde_json::{Value, json};

use super::database::{Cell, Row};
use super::record::{Reason, Refused};
use crate::failure::Failure;

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
    /// Begins to count. The file is made, or emptied, for the owner alone: it names private names.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn begin(conflicts: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = conflicts else {
            return Ok(Self::default());
        };
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let file = options
            .open(path)
            .map_err(|error| unwritten(path, &error))?;
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

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write to {}: {error}", path.display()))
}
