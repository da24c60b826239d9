//! Bytes as emoji: ten bits a symbol, so that a signature takes 52 characters of a short post.
//!
//! Five bytes are four symbols, big-endian. Of a rest of `r` bytes each symbol but the last takes ten bits
//! and the last what is left, filled with zeros; a rest of four bytes would be as many symbols as five
//! bytes, so a tail symbol follows it.

use crate::limits::SIGNATURE_TEXT_BYTES_MAX;

/// The alphabet, ascending, in runs of code points without a gap: first and last of each.
const RUNS: [(u32, u32); 57] = [
    (0x1f004, 0x1f004),
    (0x1f0cf, 0x1f0cf),
    (0x1f170, 0x1f171),
    (0x1f17e, 0x1f17f),
    (0x1f18e, 0x1f18e),
    (0x1f191, 0x1f19a),
    (0x1f201, 0x1f202),
    (0x1f21a, 0x1f21a),
    (0x1f22f, 0x1f22f),
    (0x1f232, 0x1f23a),
    (0x1f250, 0x1f251),
    (0x1f300, 0x1f321),
    (0x1f324, 0x1f393),
    (0x1f396, 0x1f397),
    (0x1f399, 0x1f39b),
    (0x1f39e, 0x1f3f0),
    (0x1f3f3, 0x1f3f5),
    (0x1f3f7, 0x1f4fd),
    (0x1f4ff, 0x1f53d),
    (0x1f549, 0x1f54e),
    (0x1f550, 0x1f567),
    (0x1f56f, 0x1f570),
    (0x1f573, 0x1f573),
    (0x1f575, 0x1f57a),
    (0x1f587, 0x1f587),
    (0x1f58a, 0x1f58d),
    (0x1f590, 0x1f590),
    (0x1f595, 0x1f596),
    (0x1f5a4, 0x1f5a5),
    (0x1f5a8, 0x1f5a8),
    (0x1f5b1, 0x1f5b2),
    (0x1f5bc, 0x1f5bc),
    (0x1f5c2, 0x1f5c4),
    (0x1f5d1, 0x1f5d3),
    (0x1f5dc, 0x1f5de),
    (0x1f5e1, 0x1f5e1),
    (0x1f5e3, 0x1f5e3),
    (0x1f5e8, 0x1f5e8),
    (0x1f5ef, 0x1f5ef),
    (0x1f5f3, 0x1f5f3),
    (0x1f5fa, 0x1f64f),
    (0x1f680, 0x1f6c5),
    (0x1f6cb, 0x1f6d2),
    (0x1f6d5, 0x1f6d5),
    (0x1f6e0, 0x1f6e5),
    (0x1f6e9, 0x1f6e9),
    (0x1f6eb, 0x1f6ec),
    (0x1f6f0, 0x1f6f0),
    (0x1f6f3, 0x1f6fa),
    (0x1f7e0, 0x1f7eb),
    (0x1f90d, 0x1f93a),
    (0x1f93c, 0x1f945),
    (0x1f947, 0x1f971),
    (0x1f973, 0x1f976),
    (0x1f97a, 0x1f9a2),
    (0x1f9a5, 0x1f9aa),
    (0x1f9ae, 0x1f9be),
];

/// Says that the four symbols before it are four bytes, not five. It is a symbol of the alphabet too, and
/// the tail only where no symbol can be: last, after a multiple of four.
const TAIL: char = '🎭';

/// Why text is no base1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base1024Fault {
    /// Longer than 4 KiB.
    #[error("too long")]
    TooLong,
    /// A character that is not in the alphabet.
    #[error("character {0:?} is no symbol")]
    NoSymbol(char),
    /// Bits that an encoder fills with zeros are not zero, or no tail can stand where one is.
    #[error("the last symbols are no encoder's")]
    Ending,
}

/// Writes bytes as symbols: 65 bytes are 52.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(4));
    for group in bytes.chunks(5) {
        let padding = 5_usize.saturating_sub(group.len());
        let bits = group
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let bits = bits << (8 * padding);
        // So many symbols as a rest has bytes; five bytes have four, as four have.
        for at in 0..group.len().min(4) {
            text.extend(symbol((bits >> (30 - 10 * at)) & 0x3ff));
        }
        if group.len() == 4 {
            text.push(TAIL);
        }
    }
    text
}

/// Reads symbols. Only what [`encode`] writes is read.
///
/// # Errors
/// [`Base1024Fault`].
pub fn decode(text: &str) -> Result<Vec<u8>, Base1024Fault> {
    if text.len() > SIGNATURE_TEXT_BYTES_MAX {
        return Err(Base1024Fault::TooLong);
    }
    let count = text.chars().count();
    let untailed = text
        .strip_suffix(TAIL)
        .filter(|_| count % 4 == 1 && count > 1);
    let symbols: Vec<u64> = untailed
        .unwrap_or(text)
        .chars()
        .map(number)
        .collect::<Result<_, _>>()?;
    let mut bytes = Vec::with_capacity(symbols.len().saturating_mul(2));
    let last = symbols.len().div_ceil(4);
    for (at, group) in symbols.chunks(4).enumerate() {
        let is_short = untailed.is_some() && at.saturating_add(1) == last;
        let taken = match group.len() {
            4 if is_short => 4,
            4 => 5,
            rest => rest,
        };
        let padding = 4_usize.saturating_sub(group.len());
        let bits = group.iter().fold(0_u64, |bits, number| bits << 10 | number) << (10 * padding);
        let [_, _, _, own @ ..] = bits.to_be_bytes();
        let (kept, zeros) = own.split_at(taken);
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(Base1024Fault::Ending);
        }
        bytes.extend_from_slice(kept);
    }
    Ok(bytes)
}

/// The symbol of a number below 1024.
fn symbol(number: u64) -> Option<char> {
    let mut left = u32::try_from(number).ok()?;
    for (first, last) in RUNS {
        let length = last - first + 1;
        if left < length {
            return char::from_u32(first + left);
        }
        left -= length;
    }
    None
}

fn number(symbol: char) -> Result<u64, Base1024Fault> {
    let point = u32::from(symbol);
    let mut before = 0;
    for (first, last) in RUNS {
        if (first..=last).contains(&point) {
            return Ok(u64::from(before + point - first));
        }
        before += last - first + 1;
    }
    Err(Base1024Fault::NoSymbol(symbol))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_alphabet_has_1024_symbols_in_order() {
        let all: Vec<char> = (0..1024).filter_map(symbol).collect();
        assert_eq!(all.len(), 1024);
        assert!(all.is_sorted());
        assert_eq!(symbol(1024), None);
        for (at, symbol) in (0..).zip(all) {
            assert_eq!(number(symbol), Ok(at));
        }
        assert_eq!(number(TAIL), Ok(198));
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        let zero = symbol(0).unwrap();
        let one = symbol(1).unwrap();
        for (text, fault) in [
            (format!("{zero}{zero}{one}"), Base1024Fault::Ending),
            (format!("{zero}{one}{one}"), Base1024Fault::Ending),
            (
                format!("{zero}{zero}{zero}{one}{TAIL}"),
                Base1024Fault::Ending,
            ),
            ("a".to_owned(), Base1024Fault::NoSymbol('a')),
            (zero.to_string().repeat(1025), Base1024Fault::TooLong),
        ] {
            assert_eq!(decode(&text), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn there_is_one_text_for_the_same_bytes(numbers in proptest::collection::vec(0_u64..1024, 0..40)) {
            let text: String = numbers.into_iter().filter_map(symbol).collect();
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
