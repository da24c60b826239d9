//! The tables as data: for whoever reads a store as a whole.

use crate::table::{Row, Table, TableKey};

use super::{
    ARCHIVED, ARRIVING, AVATARS, BUNDLES, CHAIN_HEADS, CHANGES, CHECKPOINTS, CLAIM_IDENTITIES,
    CLAIM_UUIDS, CLAIMS_DUE, ENTRY_INDEX, GUARDS, INTENTS, JOBS, LEASES, LINKS, LOG_HEAD,
    MAP_PAGES, META, MOVED, NAMES, PARCELS, PARKED_JOBS, PROCESSES, RELEASED, SEEN, SUBKEY_OWNERS,
    SUBKEYS, TILES, TOMBSTONES, TOX_KEYS, TOX_RECORDS, TRACKS,
};

/// A table as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableInfo {
    pub(crate) tag: u8,
    pub(crate) name: &'static str,
    /// Whether its rows go along to another store: not those that name running processes, nor the
    /// marks of a move.
    pub(crate) moves: bool,
}

/// Every table, by rising tag.
pub(crate) const CATALOG: &[TableInfo] = &[
    stays(&MOVED),
    stays(&ARRIVING),
    moves(&META),
    moves(&NAMES),
    moves(&TOMBSTONES),
    moves(&TOX_RECORDS),
    moves(&TOX_KEYS),
    moves(&CHAIN_HEADS),
    moves(&TRACKS),
    moves(&LINKS),
    moves(&AVATARS),
    moves(&CLAIM_IDENTITIES),
    moves(&CLAIM_UUIDS),
    moves(&ARCHIVED),
    moves(&SUBKEYS),
    moves(&SUBKEY_OWNERS),
    moves(&LOG_HEAD),
    moves(&CHECKPOINTS),
    moves(&BUNDLES),
    moves(&TILES),
    moves(&MAP_PAGES),
    moves(&ENTRY_INDEX),
    moves(&CHANGES),
    moves(&INTENTS),
    stays(&LEASES),
    moves(&JOBS),
    moves(&PARKED_JOBS),
    moves(&SEEN),
    moves(&GUARDS),
    stays(&RELEASED),
    stays(&PROCESSES),
    moves(&CLAIMS_DUE),
    moves(&PARCELS),
];

const fn moves<K: TableKey, V: Row>(table: &Table<K, V>) -> TableInfo {
    TableInfo {
        tag: table.tag(),
        name: table.name(),
        moves: true,
    }
}

const fn stays<K: TableKey, V: Row>(table: &Table<K, V>) -> TableInfo {
    TableInfo {
        moves: false,
        ..moves(table)
    }
}

/// The table a store key belongs to; `None` when this release does not know it.
pub(crate) fn table_of(key: &[u8]) -> Option<&'static TableInfo> {
    let tag = key.first()?;
    CATALOG.iter().find(|table| table.tag == *tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_table_once_in_the_order_of_tags() {
        let files = [include_str!("../tables.rs"), include_str!("claims.rs")];
        let declared = files
            .iter()
            .map(|text| text.matches("Table::new(0x").count())
            .sum::<usize>();
        assert_eq!(CATALOG.len(), declared);
        assert!(CATALOG.windows(2).all(|pair| pair[0].tag < pair[1].tag));
    }

    #[test]
    fn the_document_of_tables_has_every_table() {
        let text = include_str!("../../../../docs/STORAGE.md");
        for table in CATALOG {
            let line = format!("| {:02x} | {} |", table.tag, table.name);
            assert!(text.contains(&line), "{line}");
        }
    }
}
