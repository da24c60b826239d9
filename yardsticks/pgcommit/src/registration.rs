//! The rows of one registration, in the shapes in which the server writes them.

use tokio_postgres::types::ToSql;

/// Rows of one registration: key and value of each. All random but for the tags and the name.
pub struct Registration {
    name: Row,
    record: Row,
    binding: Row,
    /// Only expected to be absent.
    tombstone: Row,
    head: Row,
    link: Row,
    intent: Row,
    seen: Row,
}

type Row = (Vec<u8>, Vec<u8>);

impl Registration {
    /// The registration of a number.
    pub fn new(number: u64) -> Self {
        let mut random = Random(number);
        let mut name = vec![0x11];
        name.extend(format!("p{number:09}").bytes());
        Self {
            name: (name, random.bytes(22)),
            record: random.row(0x13, 16, 130),
            binding: random.row(0x14, 32, 14),
            tombstone: random.row(0x12, 32, 0),
            head: random.row(0x20, 32, 36),
            link: random.row(0x22, 36, 200),
            intent: random.row(0x60, 37, 84),
            seen: random.row(0x64, 40, 1),
        }
    }

    /// The arguments of one call, as the server makes them.
    pub fn arguments(&self) -> Arguments<'_> {
        let records = [
            &self.name,
            &self.tombstone,
            &self.record,
            &self.binding,
            &self.head,
            &self.link,
        ];
        let temporary = [&self.intent, &self.seen];
        // Of the rows that need no check, the function looks whether they are there.
        let mut all = Arguments::default();
        all.tables[0].fill(&records, &[&self.record, &self.link]);
        all.tables[0].delete.push(&self.tombstone.0);
        all.tables[2].fill(&temporary, &[&self.intent]);
        all
    }
}

/// Arguments of `kv_commit`: seven arrays for each of its three tables.
#[derive(Default)]
pub struct Arguments<'a> {
    tables: [Table<'a>; 3],
}

#[derive(Default)]
struct Table<'a> {
    lock: Vec<&'a [u8]>,
    expected: Vec<i64>,
    insert: Vec<&'a [u8]>,
    inserted: Vec<&'a [u8]>,
    update: Vec<&'a [u8]>,
    updated: Vec<&'a [u8]>,
    delete: Vec<&'a [u8]>,
}

impl<'a> Table<'a> {
    fn fill(&mut self, rows: &[&'a Row], unchecked: &[&'a Row]) {
        for (key, value) in rows {
            self.insert.push(key);
            self.inserted.push(value);
        }
        for (key, _) in unchecked {
            self.lock.push(key);
            self.expected.push(0);
        }
    }
}

impl Arguments<'_> {
    /// In the function's order.
    pub fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(21);
        for table in &self.tables {
            all.push(&table.lock);
            all.push(&table.expected);
            all.push(&table.insert);
            all.push(&table.inserted);
            all.push(&table.update);
            all.push(&table.updated);
            all.push(&table.delete);
        }
        all
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn row(&mut self, tag: u8, key: usize, value: usize) -> Row {
        let mut bytes = vec![tag];
        bytes.extend(self.bytes(key));
        (bytes, self.bytes(value))
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend((mixed ^ (mixed >> 31)).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}
