//! Numbers of Steam accounts.

use std::fmt;

/// A SteamID64 of a person in the public universe. Its bits from the top: universe (8), type of account
/// (4), instance (20), number of the account (32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SteamId(u64);

/// Why text is no person's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SteamIdFault {
    /// Not a number of 64 bits: it may be the name of a page.
    #[error("not a number")]
    NotANumber,
    /// Not in the public universe.
    #[error("not in the public universe")]
    Universe,
    /// Not a person: a group, a game server.
    #[error("not a person's account")]
    AccountType,
}

impl SteamId {
    /// Reads decimal digits.
    ///
    /// # Errors
    /// [`SteamIdFault`].
    pub fn parse(text: &str) -> Result<Self, SteamIdFault> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        let id = Self(number.ok_or(SteamIdFault::NotANumber)?);
        if id.universe() != 1 {
            return Err(SteamIdFault::Universe);
        }
        if (id.0 >> 52) & 0xf != 1 {
            return Err(SteamIdFault::AccountType);
        }
        Ok(id)
    }

    /// The universe: 1, the public one.
    #[must_use]
    pub const fn universe(self) -> u64 {
        self.0 >> 56
    }

    /// The account as older forms write it, `STEAM_universe:y:number`: its number and `y`, 0 or 1.
    #[must_use]
    pub const fn account(self) -> (u64, u64) {
        ((self.0 >> 1) & 0x7fff_ffff, self.0 & 1)
    }
}

/// Decimal digits: the form in payloads.
impl fmt::Display for SteamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "",
            "+76561198092541763",
            "76561198092541763 ",
            "18446744073709551616",
            "0x1",
        ] {
            assert_eq!(
                SteamId::parse(text),
                Err(SteamIdFault::NotANumber),
                "{text}"
            );
        }
        let long = "7".repeat(1_000_000);
        assert_eq!(SteamId::parse(&long), Err(SteamIdFault::NotANumber));
        let id = SteamId::parse("076561198092541763").unwrap();
        assert_eq!(id.to_string(), "76561198092541763");
    }
}
