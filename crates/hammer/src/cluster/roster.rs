//! Which process has which id in the store, and so which one leads the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::database::Database;
use crate::clock;

/// How long a process that has started may take to write its row: it does so every 2 s.
const WAIT: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(50);
/// Rows of processes, by their ids (table 0x67 of the engine).
const PROCESSES: &str = "SELECT encode(substr(k, 2), 'hex') FROM kv_tmp \
                         WHERE k >= '\\x67' AND k < '\\x68'";
/// The row that says who leads the log (table 0x61, role `sequence`); the id is a part of it.
const LEADER: &str = "SELECT encode(v, 'hex') FROM kv_tmp \
                      WHERE k >= '\\x61' AND k < '\\x62' AND position('sequence'::bytea IN k) > 0";

/// The ids of the processes that run.
#[derive(Default)]
pub(crate) struct Roster {
    known: BTreeSet<String>,
    ids: BTreeMap<usize, String>,
}

impl Roster {
    /// Learns the id of the one process that has started since the last call.
    ///
    /// # Errors
    /// When none writes its row.
    pub(crate) async fn learn(&mut self, at: usize, database: &Database) -> Result<()> {
        self.ids.remove(&at);
        let new = self.wait_for(1, database).await?;
        self.ids.extend(new.into_iter().map(|id| (at, id)));
        Ok(())
    }

    /// Waits for so many processes of which nobody knows which is which.
    ///
    /// # Errors
    /// As [`Roster::learn`].
    pub(crate) async fn wait_for(
        &mut self,
        count: usize,
        database: &Database,
    ) -> Result<Vec<String>> {
        let began = clock::now();
        loop {
            let rows = block_in_place(|| database.primary()?.psql(PROCESSES))?;
            let ids = rows.lines().map(str::to_owned);
            let new: Vec<String> = ids.filter(|id| !self.known.contains(id)).collect();
            if new.len() >= count {
                self.known.extend(new.iter().cloned());
                return Ok(new);
            }
            ensure!(
                began.elapsed() < WAIT,
                "{} of {count} processes wrote their rows",
                new.len()
            );
            sleep(LOOK).await;
        }
    }

    /// The process that leads the log; `None` when nobody, or nobody we know, does.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(crate) fn leader(&self, database: &Database) -> Result<Option<usize>> {
        let row = block_in_place(|| database.primary()?.psql(LEADER))?;
        Ok(self.named_in(&row))
    }

    fn named_in(&self, row: &str) -> Option<usize> {
        let mut ids = self.ids.iter();
        ids.find(|(_, id)| row.contains(id.as_str()))
            .map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_names_its_holder() {
        let mut roster = Roster::default();
        for at in [0_usize, 1] {
            roster.ids.insert(at, format!("{at}").repeat(32));
        }
        let row = format!("0a10{}10c8dbe4\n", "1".repeat(32));
        assert_eq!(roster.named_in(&row), Some(1));
        assert_eq!(roster.named_in("0a10\n"), None);
    }
}
