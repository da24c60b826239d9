//! The three candidates behind one small interface: durable batches, point reads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::adapter::Adapter;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use redb::{ReadableDatabase, TableDefinition};

pub type Outcome<T> = Result<T, Box<dyn Error>>;
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

pub const NAMES: [&str; 4] = ["fjall", "redb", "heed", "store"];
/// A file with one synced append a batch: what the file system itself keeps.
pub const CONTROL: &str = "plain";

pub trait Engine {
    /// Writes rows as one batch; durable on return unless the engine was opened without sync.
    fn commit(&self, rows: &Rows) -> Outcome<()>;
    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>>;
    /// Moves what is in memory or in a journal into the engine's main files, where it can.
    fn settle(&self) -> Outcome<()> {
        Ok(())
    }
}

pub fn open(name: &str, dir: &Path, sync: bool) -> Outcome<Box<dyn Engine>> {
    match name {
        "fjall" => Ok(Box::new(Fjall::open(dir, sync)?)),
        "redb" => Ok(Box::new(Redb::open(dir, sync)?)),
        "heed" => Ok(Box::new(Heed::open(dir, sync)?)),
        "store" => Ok(Box::new(Adapter::open(dir)?)),
        CONTROL => Ok(Box::new(Plain::open(dir, sync)?)),
        _ => Err(format!("unknown engine {name}").into()),
    }
}

struct Fjall {
    database: Database,
    rows: Keyspace,
    mode: PersistMode,
}

impl Fjall {
    fn open(dir: &Path, sync: bool) -> Outcome<Self> {
        let database = Database::builder(dir.join("fjall"))
            .worker_threads(1)
            .open()?;
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        let mode = if sync {
            PersistMode::SyncData
        } else {
            PersistMode::Buffer
        };
        Ok(Self {
            database,
            rows,
            mode,
        })
    }
}

impl Engine for Fjall {
    fn commit(&self, rows: &Rows) -> Outcome<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for (key, value) in rows {
            batch.insert(&self.rows, key.as_slice(), value.as_slice());
        }
        Ok(batch.commit()?)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        Ok(self
            .database
            .snapshot()
            .get(&self.rows, key)?
            .map(|value| value.to_vec()))
    }

    fn settle(&self) -> Outcome<()> {
        Ok(self.rows.rotate_memtable_and_wait()?)
    }
}

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");

struct Redb {
    database: redb::Database,
    durability: redb::Durability,
}

impl Redb {
    fn open(dir: &Path, sync: bool) -> Outcome<Self> {
        let database = redb::Database::create(dir.join("redb"))?;
        let durability = if sync {
            redb::Durability::Immediate
        } else {
            redb::Durability::None
        };
        Ok(Self {
            database,
            durability,
        })
    }
}

impl Engine for Redb {
    fn commit(&self, rows: &Rows) -> Outcome<()> {
        let mut write = self.database.begin_write()?;
        write.set_durability(self.durability)?;
        {
            let mut table = write.open_table(TABLE)?;
            for (key, value) in rows {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        Ok(write.commit()?)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let read = self.database.begin_read()?;
        let table = match read.open_table(TABLE) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }
}

struct Heed {
    env: heed::Env,
    rows: heed::Database<heed::types::Bytes, heed::types::Bytes>,
}

impl Heed {
    fn open(dir: &Path, sync: bool) -> Outcome<Self> {
        let mut options = heed::EnvOpenOptions::new();
        options.map_size(64 << 20).max_dbs(1);
        // SAFETY: the directory belongs to this process alone.
        let env = unsafe {
            if !sync {
                options.flags(heed::EnvFlags::NO_SYNC);
            }
            options.open(dir)?
        };
        let mut write = env.write_txn()?;
        let rows = env.create_database(&mut write, None)?;
        write.commit()?;
        Ok(Self { env, rows })
    }
}

impl Engine for Heed {
    fn commit(&self, rows: &Rows) -> Outcome<()> {
        let mut write = self.env.write_txn()?;
        for (key, value) in rows {
            self.rows.put(&mut write, key, value)?;
        }
        Ok(write.commit()?)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let read = self.env.read_txn()?;
        Ok(self.rows.get(&read, key)?.map(<[u8]>::to_vec))
    }
}

struct Plain {
    file: File,
    sync: bool,
    rows: RefCell<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Plain {
    fn open(dir: &Path, sync: bool) -> Outcome<Self> {
        let path = dir.join("plain");
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        File::open(dir)?.sync_all()?;
        let bytes = fs::read(&path)?;
        let mut rows = HashMap::new();
        let mut rest = bytes.as_slice();
        while let Some((batch, after)) = take(rest) {
            let mut items = batch;
            while let Some((key, after)) = take(items) {
                let (value, after) = take(after).ok_or("odd batch")?;
                rows.insert(key.to_vec(), value.to_vec());
                items = after;
            }
            rest = after;
        }
        Ok(Self {
            file,
            sync,
            rows: RefCell::new(rows),
        })
    }
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Outcome<()> {
    out.extend_from_slice(&u32::try_from(bytes.len())?.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

impl Engine for Plain {
    fn commit(&self, rows: &Rows) -> Outcome<()> {
        let (mut items, mut batch) = (Vec::new(), Vec::new());
        for (key, value) in rows {
            put(&mut items, key)?;
            put(&mut items, value)?;
        }
        put(&mut batch, &items)?;
        (&self.file).write_all(&batch)?;
        if self.sync {
            self.file.sync_data()?;
        }
        self.rows.borrow_mut().extend(rows.iter().cloned());
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        Ok(self.rows.borrow().get(key).cloned())
    }
}
