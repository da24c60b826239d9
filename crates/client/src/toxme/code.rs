//! toxme's return codes.

use std::fmt;

/// A return code other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub i64);

impl Code {
    /// The name belongs to another key.
    pub const NAME_TAKEN: Self = Self(-25);
    /// No name for this key, or none that may be told.
    pub const UNKNOWN_NAME: Self = Self(-30);
    /// No such name.
    pub const NO_USER: Self = Self(-42);

    /// What the code means, in the words of this project.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self.0 {
            -1 => "the request was not a POST",
            -2 => "the server takes requests over HTTPS only",
            -3 => "the server could not read the request",
            -4 => "too many requests from this address; try again later",
            -25 => "the name belongs to another key",
            -26 => "the key is registered under another name",
            -27 => "the name has a character that is not allowed",
            -28 => "wrong password",
            -29 => "nobody may have this name",
            -30 => "no name is known for this key",
            -31 => "not a public key",
            -41 => "the other domain's server could not be asked",
            -42 => "there is no such name",
            -43 => "the server failed",
            _ => "the server refused with a code that is not known",
        }
    }
}

/// Text and number.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.0)
    }
}
