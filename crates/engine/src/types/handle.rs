//! Subjects: what has a sigchain and a place in the map.

use std::fmt;

use crypto::secret::Secret;
use merkle::Hash;

use super::{Kid, Name};

/// A phone number in E.164 form, `+` and 7 to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(Box<str>);

impl Phone {
    /// Parses the E.164 form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| Self(text.into()))
    }

    /// The E.164 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Numbers reach no log.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

/// One subject, by its text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handle {
    /// A name on the home domain.
    Name(Name),
    /// A Keybase uid.
    Uid([u8; 16]),
    /// A phone number; its label hides it.
    Phone(Phone),
    /// A ProofService avatar key.
    Avatar(Kid),
}

/// A subject's 32-byte key in the map and in log entries. Labels do not contain the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub Hash);

impl Handle {
    /// The label of a public handle is a plain domain-separated hash, which anybody who knows the
    /// handle can compute; that of a private one (a phone number) is keyed with `key`, so that the
    /// log does not answer who is registered.
    #[must_use]
    pub fn label(&self, key: &Secret<[u8; 32]>) -> Label {
        Label(match self {
            Self::Name(name) => merkle::entry::public_label(1, name.as_str().as_bytes()),
            Self::Uid(uid) => merkle::entry::public_label(2, uid),
            Self::Phone(phone) => Hash(crypto::token::keyed_label(
                key,
                3,
                phone.as_str().as_bytes(),
            )),
            Self::Avatar(kid) => merkle::entry::public_label(4, &kid.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_e164() {
        for good in ["+4915112345678", "+1234567", "+123456789012345"] {
            assert!(Phone::parse(good).is_some(), "{good}");
        }
        for bad in [
            "4915112345678",
            "+0123456789",
            "+123456",
            "+1234567890123456",
            "+12345 67",
            "+",
        ] {
            assert!(Phone::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn labels_differ_by_kind_and_only_private_ones_by_key() {
        let (one, two) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let name = Handle::Name(Name::parse("alice").unwrap());
        let phone = Handle::Phone(Phone::parse("+4915112345678").unwrap());
        assert_eq!(name.label(&one), name.label(&two));
        assert_ne!(phone.label(&one), phone.label(&two));
        let (uid, avatar) = (Handle::Uid([7; 16]), Handle::Avatar(Kid([7; 35])));
        assert_ne!(uid.label(&one), avatar.label(&one));
    }
}
