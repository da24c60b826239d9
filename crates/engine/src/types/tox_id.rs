//! Tox IDs and the keys in them (toxme spec, section 5).

use std::fmt;

use super::hex;

/// The Curve25519 public key of a Tox profile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToxKey(pub [u8; 32]);

impl ToxKey {
    /// Parses 64 hex digits of any case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::array(text).map(Self)
    }
}

impl fmt::Debug for ToxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToxKey(..)")
    }
}

/// A Tox ID, 38 bytes: key (32), nospam (4), checksum (2). The checksum holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ToxId([u8; 38]);

impl ToxId {
    /// Length of the text form in hex digits.
    pub const HEX_DIGITS: usize = 76;

    /// Takes 38 bytes; `None` when the checksum does not hold.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 38]) -> Option<Self> {
        let mut sum = [0_u8; 2];
        for pair in bytes.chunks(2) {
            for (total, byte) in sum.iter_mut().zip(pair) {
                *total ^= byte;
            }
        }
        // The checksum is itself the last pair, so over all 19 pairs the sum is zero.
        (sum == [0, 0]).then_some(Self(bytes))
    }

    /// Parses 76 hex digits of any case; `None` when the form or the checksum is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::array(text).and_then(Self::from_bytes)
    }

    /// The 38 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 38] {
        &self.0
    }

    /// The profile's public key, the first 32 bytes.
    #[must_use]
    pub fn key(&self) -> ToxKey {
        let mut key = [0_u8; 32];
        key.iter_mut()
            .zip(&self.0)
            .for_each(|(to, from)| *to = *from);
        ToxKey(key)
    }
}

/// Upper-case hex, 76 digits: the form every client expects.
impl fmt::Display for ToxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |half: u8| char::from_digit(half.into(), 16).map(|c| c.to_ascii_uppercase());
        let digits = self
            .0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        f.write_str(&digits.flatten().collect::<String>())
    }
}

impl fmt::Debug for ToxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToxId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The valid examples of the toxme spec, section 5.
    const EXAMPLES: [&str; 4] = [
        "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5",
        "76518406F6A9F2217E8DC487CC783C25CC16A15EB36FF32E335A235342C48A39218F515C39A6",
        "8719E62D498152B3CD53CAB6FB8853E2C3023FBBA2F9FF6906B331FFDAE1EB5219B6C764AC8D",
        "828435142ACE09E8677427E6180BFB27E38FB589A3B84C24976AE49F80A69C6838D0D7CF0EB6",
    ];

    #[test]
    fn examples_parse_and_print_the_same() {
        for text in EXAMPLES {
            assert_eq!(ToxId::parse(text).unwrap().to_string(), text);
            assert_eq!(
                ToxId::parse(&text.to_lowercase()).unwrap().to_string(),
                text
            );
        }
    }

    #[test]
    fn a_changed_digit_breaks_the_checksum() {
        for text in EXAMPLES {
            for at in 0..text.len() {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
                assert_eq!(ToxId::parse(std::str::from_utf8(&changed).unwrap()), None);
            }
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let text = EXAMPLES[0];
        for bad in [
            &text[..72],
            &text[..75],
            &format!("{text}\n"),
            &format!(" {}", &text[1..]),
            "",
        ] {
            assert_eq!(ToxId::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ToxKey::parse(&"é".repeat(32)), None);
        assert!(ToxKey::parse(&text[..64]).is_some());
    }
}
