//! What a claim's link does.

/// Whether a link makes a claim or takes one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimAction {
    /// The avatar controls the account.
    Create,
    /// It says so no longer.
    Delete,
}

impl ClaimAction {
    /// The word in signed payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }

    /// Reads that word; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::Delete]
            .into_iter()
            .find(|action| action.as_str() == text)
    }
}

impl std::fmt::Display for ClaimAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_words_are_read() {
        for action in [ClaimAction::Create, ClaimAction::Delete] {
            assert_eq!(ClaimAction::parse(&action.to_string()), Some(action));
        }
        for other in ["", "Create", "add", "create "] {
            assert_eq!(ClaimAction::parse(other), None);
        }
    }
}
