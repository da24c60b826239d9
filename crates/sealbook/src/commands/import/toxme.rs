//! `sealbook import toxme`

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use crypto::secret::Secret;
use engine::Engine;
use engine::limits::IMPORT_RECORDS_MAX;
use engine::names::{Fate, Imported};
use engine::ports::store::Store;
use engine::ports::timer::Timer;
use engine::reconcile::Reconciler;
use engine::types::{Label, Seqno};
use outbound::signer_file;
use outbound::system::{OsRng, SystemTimer};
use serde_json::{Value, json};
use store::Untouched;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::progress::{Meter, Step, per_second};
use super::super::store::Access;
use super::super::{Configured, on_all_cores};
use super::database::{Database, Row};
use super::record::{self, Reason, Refused};
use super::tally::Tally;
use crate::config::{Config, StoreUrl};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;
use crate::serve::{finish, stop_on_signals};
use crate::wire_up::{Wired, is_empty, wire_up_over, wire_up_with};
use crate::worker;

/// Batches that may be ahead of the log: the queue of the sequencer stays short.
const BATCHES_AHEAD: usize = 16;
/// Longest wait for the log; without it the import goes on, and a server sequences what waits.
const LOG_WAIT: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Toxme {
    /// The original server's SQLite database: what database_url of its config.json names. Stop that
    /// server first
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// The original server's `key` file: clients that pinned /pk then reach this server. Only a new
    /// directory can take it
    #[arg(long, value_name = "FILE", required_unless_present = "keep_key")]
    key: Option<PathBuf>,
    /// Leave the key of this directory as it is: clients that pinned the old one cannot push here
    #[arg(long, conflicts_with = "key")]
    keep_key: bool,
    /// Read everything, say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the rows that are left out to this file, a JSON object a line; it replaces the list of
    /// an earlier import, and nothing else
    #[arg(long, value_name = "FILE")]
    conflicts: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
}

/// A pass over the database.
struct Pass<'p> {
    engine: &'p Engine,
    database: Database,
    tally: Tally,
    meter: Meter,
    is_dry: bool,
    /// Last links of the batches that the log may not cover yet.
    ahead: VecDeque<(Label, Seqno)>,
    stop: &'p CancellationToken,
}

impl Toxme {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let config = self.configured.clone().load()?.config;
        if config.is_in_memory() {
            let said = "store.url is memory: what is imported would end with this command";
            return Err(Failure::new(Exit::Usage, said));
        }
        on_all_cores(self.import(config, *output))
    }

    async fn import(self, config: Config, output: Output) -> Result<(), Failure> {
        let timer = SystemTimer::start();
        let stop = stop_on_signals()?;
        let key = self.read_key()?;
        let database = Database::open(&self.db)?;
        let sources = database.files().chain(self.key.clone());
        let tally = Tally::begin(self.conflicts.as_deref(), sources)?;
        let store = config.store_url().to_string();
        let wired = if self.dry_run {
            wire_up_dry(&config, timer, key.as_ref()).await?
        } else {
            wire_up_with(&config, timer, key.as_ref()).await?
        };
        let mut pass = Pass {
            engine: &wired.engine,
            database,
            tally,
            meter: Meter::new(output),
            is_dry: self.dry_run,
            ahead: VecDeque::new(),
            stop: &stop,
        };
        let done = if self.dry_run {
            pass.run().await
        } else {
            with_log(&wired, &mut pass).await
        };
        let Pass {
            mut tally, meter, ..
        } = pass;
        meter.finish();
        wired.store.close().await;
        both(done, tally.finish())?;
        self.print(&tally, &config, &store, timer.monotonic(), output)
    }

    fn read_key(&self) -> Result<Option<Secret<[u8; 32]>>, Failure> {
        let read = |path: &PathBuf| signer_file::read_original(path);
        let key = self.key.as_ref().map(read).transpose();
        key.map_err(|error| Failure::failed(chain(&error)))
    }

    fn print(
        &self,
        tally: &Tally,
        config: &Config,
        store: &str,
        took: Duration,
        output: Output,
    ) -> Result<(), Failure> {
        let (db, domain) = (self.db.display(), config.domain());
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let rate = per_second(tally.rows, took);
        let begin = if self.dry_run {
            format!("{db} would go to {store}; nothing was changed")
        } else {
            format!("{db} is in {store}")
        };
        let words = format!(
            "{begin}\n{}\n{}.{:03} s ({rate} rows/s). The names are NAME@{domain}.",
            tally.words(self.dry_run),
            millis / 1000,
            millis % 1000,
        );
        let mut object = json!({
            "ok": true, "dry_run": self.dry_run, "store": store, "domain": domain,
            "duration_ms": millis, "rows_per_s": rate,
        });
        if let (Some(all), Value::Object(counts)) = (object.as_object_mut(), tally.object()) {
            all.extend(counts);
        }
        output.result(&words, &object)
    }
}

/// The outcome of two things that were done; what is wrong with both, if something is.
fn both(first: Result<(), Failure>, second: Result<(), Failure>) -> Result<(), Failure> {
    match (first, second) {
        (Err(first), Err(second)) => Err(Failure {
            said: format!("{}; and {}", first.said, second.said),
            ..first
        }),
        (first, second) => first.and(second),
    }
}

/// Puts together what an import needs to look at everything, and can change nothing with.
async fn wire_up_dry(
    config: &Config,
    timer: SystemTimer,
    key: Option<&Secret<[u8; 32]>>,
) -> Result<Wired, Failure> {
    if let Some(store) = filled(config).await? {
        return wire_up_over(config, timer, Arc::new(Untouched(store)), key).await;
    }
    check_keys(config, key)?;
    // Where nothing is, an empty directory that is forgotten tells the same.
    let mut config = config.clone();
    config.store.url = StoreUrl::parse("memory:").ok();
    wire_up_with(&config, timer, key).await
}

/// The store, if there is one and something in it.
async fn filled(config: &Config) -> Result<Option<Arc<dyn Store>>, Failure> {
    let access = Access {
        url: config.store_url(),
        ca_file: config.store.ca_file.clone(),
        password_file: config.store.password_file.clone(),
    };
    let Some(store) = access.open_existing().await? else {
        return Ok(None);
    };
    match is_empty(store.as_ref()).await {
        Ok(false) => Ok(Some(store)),
        emptiness => {
            store.close().await;
            emptiness.map(|_| None)
        }
    }
}

/// Checks the keys that are there for a store that is not.
fn check_keys(config: &Config, key: Option<&Secret<[u8; 32]>>) -> Result<(), Failure> {
    let dir = config.keys_dir();
    match key {
        Some(key) if dir.join(signer_file::TOXME_KEY).exists() => {
            let found = signer_file::adopt(&dir, false, key, &OsRng);
            let refused = |error| Failure::new(Exit::Conflict, chain(&error));
            found.map(drop).map_err(refused)
        }
        Some(_) | None => Ok(()),
    }
}

/// Runs the pass with what a server runs besides answering, so that the log is published at the end.
async fn with_log(wired: &Wired, pass: &mut Pass<'_>) -> Result<(), Failure> {
    let (workers, stop_workers) = (TaskTracker::new(), CancellationToken::new());
    worker::start_reconcilers(&workers, wired, &stop_workers);
    let done = pass.run().await;
    stop_workers.cancel();
    finish(&workers, "background work").await;
    // Beside a running server the file is that server's.
    match &wired.remembered {
        Some(remembered) if !Reconciler::Heartbeat.is_needed(&wired.engine) => {
            both(done, worker::remember_once(&wired.engine, remembered).await)
        }
        Some(_) | None => done,
    }
}

impl Pass<'_> {
    /// Reads all rows, batch by batch, and imports them; between two batches, and while the log is
    /// waited for, it may be stopped.
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            if self.stop.is_cancelled() {
                return Err(self.interrupted());
            }
            let rows = self.database.read(IMPORT_RECORDS_MAX)?;
            if rows.is_empty() {
                break;
            }
            self.batch(&rows).await?;
            self.meter.show(Step::Rows {
                phase: if self.is_dry { "checking" } else { "importing" },
                rows: self.tally.rows,
                bytes: self.tally.bytes,
                total: Some(self.database.rows()),
            });
        }
        self.catch_up(0).await
    }

    fn interrupted(&self) -> Failure {
        let imported = if self.is_dry { "to import" } else { "imported" };
        Failure::failed(format!(
            "interrupted after {} of {} rows, {} {imported}; the same command goes on",
            self.tally.rows,
            self.database.rows(),
            self.tally.imported,
        ))
    }

    async fn batch(&mut self, rows: &[Row]) -> Result<(), Failure> {
        let (mut kept, mut records) = (Vec::new(), Vec::new());
        for row in rows {
            self.tally.count(row);
            match self.read(row) {
                Ok(record) => {
                    kept.push(row);
                    records.push(record);
                }
                Err(refused) => self.tally.leave_out(row, &refused)?,
            }
        }
        let names = self.engine.names();
        let fates = if self.is_dry {
            names.foresee(&records).await
        } else {
            names.import(&records).await
        };
        let fates = fates.map_err(|error| {
            let hint = "nothing is lost, the same command goes on where it was";
            Failure::failed(format!("{}; {hint}", chain(&error)))
        })?;
        let mut last = None;
        for ((row, record), fate) in kept.into_iter().zip(&records).zip(fates) {
            last = self.note(row, record, fate)?.or(last);
        }
        self.ahead.extend(last);
        self.catch_up(BATCHES_AHEAD).await
    }

    fn read(&mut self, row: &Row) -> Result<Imported, Refused> {
        let record = record::read(row)?;
        self.tally.is_first(&record)?;
        Ok(record)
    }

    /// Counts what became of a record; answers its link if it has one now.
    fn note(
        &mut self,
        row: &Row,
        record: &Imported,
        fate: Fate,
    ) -> Result<Option<(Label, Seqno)>, Failure> {
        let reason = match fate {
            Fate::New(label, head) => {
                self.tally.import(record.password.is_some());
                return Ok((!self.is_dry).then_some((label, head.seqno)));
            }
            Fate::Same => {
                self.tally.same += 1;
                return Ok(None);
            }
            Fate::Changed => Reason::Changed,
            Fate::Taken => Reason::Taken,
            Fate::KeyBoundElsewhere => Reason::KeyBound,
            Fate::Released => Reason::Released,
            Fate::Reserved => Reason::Reserved,
        };
        self.tally.leave_out(row, &reason.into())?;
        Ok(None)
    }

    /// Waits until the log covers all but `most` batches.
    async fn catch_up(&mut self, most: usize) -> Result<(), Failure> {
        while self.ahead.len() > most {
            let Some((label, seqno)) = self.ahead.pop_front() else {
                break;
            };
            let log = self.engine.log();
            let covered = tokio::select! {
                covered = log.wait_covered(label, seqno, LOG_WAIT) => covered,
                () = self.stop.cancelled() => return Err(self.interrupted()),
            };
            let covered = covered.map_err(|error| Failure::failed(chain(&error)))?;
            if covered.is_none() {
                tracing::warn!("the log is behind; what is imported enters it later");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use testkit::World;

    use super::*;

    fn database(dir: &std::path::Path) -> Database {
        let path = dir.join("toxme.db");
        let columns = "name, bio, public_key, pin, checksum, privacy, timestamp, password";
        rusqlite::Connection::open(&path)
            .and_then(|made| made.execute_batch(&format!("CREATE TABLE records ({columns})")))
            .unwrap();
        Database::open(&path).unwrap()
    }

    #[tokio::test]
    async fn who_waits_for_the_log_may_be_interrupted() {
        let dir = tempfile::tempdir().unwrap();
        let (world, stop) = (World::new().await, CancellationToken::new());
        let label = Label(merkle::Hash([7; 32]));
        let mut pass = Pass {
            engine: &world.engine,
            database: database(dir.path()),
            tally: Tally::default(),
            meter: Meter::new(Output::new(true)),
            is_dry: false,
            // Nobody sequences here, and the clock stands still: the log never covers it.
            ahead: VecDeque::from([(label, Seqno::FIRST)]),
            stop: &stop,
        };
        let interrupt = async {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        let (done, ()) = tokio::join!(pass.catch_up(0), interrupt);
        let said = done.unwrap_err().said;
        assert!(said.contains("the same command goes on"), "{said}");
    }

    #[test]
    fn what_is_wrong_with_both_is_told() {
        let failed = |said: &str| Err(Failure::new(Exit::Conflict, said));
        let both = |first, second| both(first, second).map_err(|failure| failure.said);
        assert_eq!(both(Ok(()), Ok(())), Ok(()));
        assert_eq!(both(failed("a"), Ok(())), Err("a".to_owned()));
        assert_eq!(both(Ok(()), failed("b")), Err("b".to_owned()));
        assert_eq!(both(failed("a"), failed("b")), Err("a; and b".to_owned()));
    }
}
