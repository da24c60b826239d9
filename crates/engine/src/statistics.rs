//! What a store holds, by numbers: for an operator, and without any key.

use std::sync::Arc;

use merkle::Hash;

use crate::error::Internal;
use crate::log::Head;
use crate::marks::{Mark, mark};
use crate::pages::{Pages, bytes_of};
use crate::ports::store::{Direction, Freshness, Key, Store, StoreError};
use crate::processes::{self, Process};
use crate::tables::{CATALOG, INTENTS, JOBS, LEASES, LOG_HEAD, META, PARKED_JOBS, table_of};
use crate::types::UnixMillis;

/// Most leases shown.
const LEASES_MAX: u32 = 1000;

/// The numbers of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Every table by rising tag, empty ones too; then rows of tables this release does not know.
    pub tables: Vec<TableStatistics>,
    /// `None` when the store holds no directory.
    pub log: Option<LogStatistics>,
    /// Entries that wait to be sequenced.
    pub intents: u64,
    /// Jobs to be done.
    pub jobs: u64,
    /// Jobs given up.
    pub jobs_parked: u64,
    /// Who leads.
    pub leases: Vec<LeaseStatistics>,
    /// The processes that have a shared store open, or had it lately.
    pub processes: Vec<Process>,
    /// What keeps the store from being served.
    pub mark: Option<Mark>,
}

/// The rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatistics {
    /// First byte of its keys.
    pub tag: u8,
    /// Its name; `None` when this release does not know the table.
    pub name: Option<&'static str>,
    /// Number of rows.
    pub rows: u64,
    /// Bytes of all keys.
    pub key_bytes: u64,
    /// Bytes of all values.
    pub value_bytes: u64,
}

/// The log's newest head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatistics {
    /// The log's name.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was signed.
    pub time: UnixMillis,
}

/// A role and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseStatistics {
    /// The role.
    pub role: String,
    /// Id of the process.
    pub holder: Vec<u8>,
    /// Until when, by the store's clock.
    pub until: UnixMillis,
    /// Whether that is still to come.
    pub is_live: bool,
}

/// Counts a store by reading all of it; `show` is told rows and bytes after each page. What other
/// processes write meanwhile is counted or not.
///
/// # Errors
/// When the store cannot be read or holds a damaged head.
pub async fn statistics(
    store: Arc<dyn Store>,
    mut show: impl FnMut(u64, u64) + Send,
) -> Result<Statistics, Internal> {
    let mut count = Count::default();
    let mut pages = Pages::new(store.clone(), Some(Key::new()));
    while let Some(page) = pages.turn().await? {
        for (key, value) in &page.rows {
            count.row(key, u64::try_from(value.len()).unwrap_or(u64::MAX));
            count.rows = count.rows.saturating_add(1);
            count.bytes = count.bytes.saturating_add(bytes_of(key, value));
        }
        show(count.rows, count.bytes);
    }
    Ok(Statistics {
        log: log(store.as_ref()).await?,
        intents: count.of(INTENTS.tag()),
        jobs: count.of(JOBS.tag()),
        jobs_parked: count.of(PARKED_JOBS.tag()),
        leases: leases(store.as_ref()).await?,
        processes: processes(&store).await?,
        mark: mark(store.as_ref()).await?,
        tables: count.tables,
    })
}

struct Count {
    tables: Vec<TableStatistics>,
    rows: u64,
    bytes: u64,
}

impl Default for Count {
    fn default() -> Self {
        let tables = CATALOG.iter().map(|table| empty(table.tag));
        Self {
            tables: tables.collect(),
            rows: 0,
            bytes: 0,
        }
    }
}

fn empty(tag: u8) -> TableStatistics {
    TableStatistics {
        tag,
        name: table_of(&[tag]).map(|table| table.name),
        rows: 0,
        key_bytes: 0,
        value_bytes: 0,
    }
}

impl Count {
    fn row(&mut self, key: &Key, value_bytes: u64) {
        let Some(tag) = key.first().copied() else {
            return;
        };
        let at = self.tables.iter().position(|table| table.tag == tag);
        if at.is_none() {
            self.tables.push(empty(tag));
        }
        let table = match at {
            Some(at) => self.tables.get_mut(at),
            None => self.tables.last_mut(),
        };
        if let Some(table) = table {
            let key_bytes = u64::try_from(key.len()).unwrap_or(u64::MAX);
            table.rows = table.rows.saturating_add(1);
            table.key_bytes = table.key_bytes.saturating_add(key_bytes);
            table.value_bytes = table.value_bytes.saturating_add(value_bytes);
        }
    }

    fn of(&self, tag: u8) -> u64 {
        let table = self.tables.iter().find(|table| table.tag == tag);
        table.map_or(0, |table| table.rows)
    }
}

async fn log(store: &dyn Store) -> Result<Option<LogStatistics>, StoreError> {
    let keys = [META.key(&()), LOG_HEAD.key(&())];
    let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
    let (meta, head) = (rows.next().flatten(), rows.next().flatten());
    let (Some((_, meta)), Some((_, head))) = (meta, head) else {
        return Ok(None);
    };
    let head = Head::read(&LOG_HEAD.read(&head)?)?;
    Ok(Some(LogStatistics {
        origin: META.read(&meta)?.origin,
        size: head.size,
        root: head.root,
        time: head.time,
    }))
}

async fn processes(store: &Arc<dyn Store>) -> Result<Vec<Process>, Internal> {
    if store.is_shared() {
        return processes::list(store).await;
    }
    Ok(Vec::new())
}

async fn leases(store: &dyn Store) -> Result<Vec<LeaseStatistics>, StoreError> {
    let range = LEASES.range(&[]);
    let rows = store
        .scan(range, Direction::Forward, LEASES_MAX, Freshness::Now)
        .await?;
    let now = store.now().await?;
    rows.into_iter()
        .map(|(key, _, row)| {
            let (role, row) = (LEASES.read_key(&key)?, LEASES.read(&row)?);
            Ok(LeaseStatistics {
                role: String::from_utf8_lossy(&role).into_owned(),
                holder: row.holder,
                until: UnixMillis(row.until_ms),
                is_live: row.until_ms > now.0,
            })
        })
        .collect()
}
