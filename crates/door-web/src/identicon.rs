//! A small picture of a key, so that a changed key looks changed: a mirrored 5 by 5 pattern.

use std::fmt::Write as _;

use engine::types::ToxId;

/// Cells in a row.
const CELLS: usize = 5;
/// Hues apart enough to be told apart, by name in the style sheet: `hue-0` to `hue-7`.
const HUES: u64 = 8;

/// An inline SVG for the key of a Tox ID, without a text alternative: it says nothing that the words
/// beside it do not. Same key, same picture, whatever the nospam. Hardly more than 17 bits, so it
/// shows a change and proves nothing.
pub(crate) fn svg(tox_id: &ToxId) -> String {
    of(&tox_id.key().0)
}

/// The same for any key.
pub(crate) fn of(key: &[u8]) -> String {
    let bits = mixed(key);
    let hue = (bits >> 15) % HUES;
    let mut path = String::new();
    for (row, line) in cells(bits).iter().enumerate() {
        for (column, is_set) in line.iter().enumerate() {
            if *is_set {
                // A String takes whatever is written to it.
                let _ = write!(path, "M{} {}h1v1h-1z", column + 1, row + 1);
            }
        }
    }
    format!(
        "<svg class=\"face hue-{hue}\" viewBox=\"0 0 7 7\" width=\"56\" height=\"56\" \
         aria-hidden=\"true\" focusable=\"false\" shape-rendering=\"crispEdges\">\
         <path d=\"{path}\"/></svg>"
    )
}

/// One bit a cell of the left three columns, the lowest first; the right two mirror them. The middle
/// is always set, so that no picture is empty.
fn cells(bits: u64) -> [[bool; CELLS]; CELLS] {
    let mut cells = [[false; CELLS]; CELLS];
    for (row, line) in cells.iter_mut().enumerate() {
        for (column, cell) in line.iter_mut().enumerate() {
            let bit = row * 3 + column.min(CELLS - 1 - column);
            let is_middle = row == CELLS / 2 && column == CELLS / 2;
            *cell = is_middle || bits >> bit & 1 == 1;
        }
    }
    cells
}

/// Every bit of the key in every bit of the result: FNV-1a and the last steps of MurmurHash3. Not a
/// cryptographic hash, and none is needed here.
fn mixed(key: &[u8]) -> u64 {
    let sum = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let sum = (sum ^ sum >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let sum = (sum ^ sum >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    sum ^ sum >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

    #[test]
    fn the_picture_is_that_of_the_key() {
        let id = ToxId::parse(ID).unwrap();
        assert_eq!(svg(&id), svg(&id));
        let other = testkit::tox_id(&[9; 32], [1, 2, 3, 4]);
        assert_ne!(svg(&id), svg(&other));
        assert_eq!(svg(&other), svg(&testkit::tox_id(&[9; 32], [0; 4])));
    }

    #[test]
    fn one_bit_of_a_key_changes_the_picture() {
        let pictures: std::collections::BTreeSet<String> = (0..=255)
            .map(|byte| svg(&testkit::tox_id(&[byte; 32], [0; 4])))
            .collect();
        // Of 2^17 pictures 256 are all different but for a rare pair.
        assert!(pictures.len() >= 254, "{}", pictures.len());
    }

    #[test]
    fn it_is_mirrored() {
        for line in cells(mixed(&ToxId::parse(ID).unwrap().key().0)) {
            assert_eq!((line[0], line[1]), (line[4], line[3]));
        }
    }
}
