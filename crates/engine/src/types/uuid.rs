//! The id a claim carries (ProofService spec, section 2).

use std::fmt;

use super::hex;

/// A UUID of any version: 128 bits, chosen by whoever prepared the claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// Takes the 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Makes a version 4 UUID of 16 random bytes, of which 6 bits are lost.
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(random);
        let number = number & !(0xf << 76) | (0x4 << 76);
        let number = number & !(0b11 << 62) | (0b10 << 62);
        Self(number.to_be_bytes())
    }

    /// Reads the four forms that clients send, in either case: 8-4-4-4-12 digits, the same in braces or
    /// after `urn:uuid:`, and 32 digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 32 {
            return hex::array(text).map(Self);
        }
        let plain = match (text.len(), text.get(..9)) {
            (45, Some(urn)) if urn.eq_ignore_ascii_case("urn:uuid:") => text.get(9..)?,
            (38, _) => text.strip_prefix('{')?.strip_suffix('}')?,
            _ => text,
        };
        let groups: Vec<&str> = plain.splitn(6, '-').collect();
        let has_form = groups.iter().map(|it| it.len()).eq([8, 4, 4, 4, 12]);
        has_form.then(|| hex::array(&groups.concat()))?.map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 8-4-4-4-12 lower-case digits: the form that is signed and stored.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn near_misses_are_refused() {
        let text = "ed9f421d-92e1-4c80-9bff-8516ef46ff43";
        assert!(Uuid::parse(text).is_some());
        for bad in [
            &text[..35],
            &format!("{text}0"),
            &format!("({text})"),
            &format!("{{{text}0"),
            &format!("urn-uuid:{text}"),
            &format!("éééé:{text}"),
            &text.replace('-', "_"),
            &text.replacen("d-9", "-d9", 1),
            &text.replacen('e', "+", 1),
            &format!(" {}", &text[1..]),
            &"-".repeat(36),
            &"0".repeat(1_000_000),
        ] {
            assert_eq!(Uuid::parse(bad), None, "{:?}", bad.get(..50));
        }
    }

    proptest! {
        #[test]
        fn every_form_is_the_same_uuid(bytes: [u8; 16]) {
            let uuid = Uuid::from_bytes(bytes);
            let text = uuid.to_string();
            let forms = [
                text.to_uppercase(),
                text.replace('-', ""),
                format!("{{{text}}}"),
                format!("URN:uuid:{text}"),
                text,
            ];
            for form in forms {
                prop_assert_eq!(Uuid::parse(&form), Some(uuid));
            }
        }

        #[test]
        fn a_drawn_one_is_version_4(bytes: [u8; 16]) {
            let text = Uuid::from_random(bytes).to_string();
            prop_assert_eq!(&text[14..15], "4");
            prop_assert!("89ab".contains(&text[19..20]));
        }
    }
}
