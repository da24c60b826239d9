//! Values that are lists.

use super::sources::Raw;
use super::values::{found, text};

/// The entries of a value that is written as a list.
pub(super) fn list(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::List(entries) => Ok(entries.clone()),
        Raw::Words(words) => Ok(split(words)),
        Raw::Text(text) => Err(format!("{} without brackets", found(text))),
        Raw::Flag(_) | Raw::Number(_) | Raw::Other(_) => Err(text(raw).err().unwrap_or_default()),
    }
}

/// A list in a flag or a variable: with commas between, or as in the file, in brackets and quotes.
fn split(words: &str) -> Vec<String> {
    let words = words.trim();
    let (words, quotes): (&str, &[char]) = match words
        .strip_prefix('[')
        .and_then(|words| words.strip_suffix(']'))
    {
        Some(inner) => (inner, &['"', '\'']),
        None => (words, &[]),
    };
    words
        .split(',')
        .map(|entry| entry.trim().trim_matches(quotes))
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn lists_are_read_with_and_without_brackets() {
        for words in [
            "10.0.0.0/8,unix",
            " 10.0.0.0/8 , unix ,",
            "[\"10.0.0.0/8\", 'unix']",
        ] {
            assert_eq!(split(words), ["10.0.0.0/8", "unix"], "{words}");
        }
        for words in ["", "[]", " , "] {
            assert!(split(words).is_empty(), "{words}");
        }
    }
}
