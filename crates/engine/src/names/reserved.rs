//! Names nobody may register: they would hide a path of a door, or pass for the operator.

use crate::types::Name;

/// First path segments of every door, and words people trust. Sorted.
const RESERVED: [&str; 42] = [
    "_",
    ".well-known",
    "a",
    "abuse",
    "add_ui",
    "admin",
    "administrator",
    "ap",
    "api",
    "avatars",
    "barcode",
    "edit_ui",
    "favicon.ico",
    "friends",
    "healthz",
    "help",
    "hostmaster",
    "info",
    "livez",
    "log",
    "metrics",
    "noc",
    "operator",
    "pk",
    "pks",
    "postmaster",
    "readyz",
    "robots.txt",
    "root",
    "sealbook",
    "search",
    "security",
    "ssladmin",
    "static",
    "support",
    "sysadmin",
    "system",
    "u",
    "v1",
    "v2",
    "webmaster",
    "www",
];

/// Whether a name is kept back.
pub(crate) fn is_reserved(name: &Name) -> bool {
    RESERVED.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_trusted_words_are_kept_back() {
        for reserved in ["api", "LOG", ".well-known", "postmaster", "_", "Root"] {
            assert!(is_reserved(&Name::parse(reserved).unwrap()), "{reserved}");
        }
        assert!(!is_reserved(&Name::parse("alice").unwrap()));
        for word in RESERVED {
            assert_eq!(
                Name::parse(word).unwrap().as_str(),
                word,
                "is in normal form"
            );
        }
    }
}
