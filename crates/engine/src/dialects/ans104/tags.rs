//! Tags as Avro writes an array of two strings each.

use crate::limits::{ITEM_TAG_BYTES_MAX, ITEM_TAGS_MAX};

/// A name and a value, neither empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it is about.
    pub name: String,
    /// What it says.
    pub value: String,
}

impl Tag {
    /// A tag of two texts.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// Why tags cannot be read, or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// More than 128 tags, or 4096 bytes.
    #[error("too many tags, or too long ones")]
    TooMany,
    /// An empty name or value, which bundlers refuse.
    #[error("a tag is empty")]
    Empty,
    /// Not an Avro array of tags, or bytes after it.
    #[error("not an Avro array of tags")]
    Malformed,
    /// Text that is not UTF-8.
    #[error("a tag is not UTF-8")]
    NotUtf8,
}

/// Writes one block: the count, each name and value with its length before it, and a zero. No tags are
/// no bytes. Counts and lengths are zigzag numbers of seven bits a byte.
///
/// # Errors
/// [`TagFault::TooMany`], [`TagFault::Empty`].
pub fn write_tags(tags: &[Tag]) -> Result<Vec<u8>, TagFault> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    if tags.len() > ITEM_TAGS_MAX {
        return Err(TagFault::TooMany);
    }
    let mut out = Vec::new();
    write_long(&mut out, tags.len());
    for text in tags.iter().flat_map(|tag| [&tag.name, &tag.value]) {
        if text.is_empty() {
            return Err(TagFault::Empty);
        }
        if out.len().saturating_add(text.len()) > ITEM_TAG_BYTES_MAX {
            return Err(TagFault::TooMany);
        }
        write_long(&mut out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out.push(0);
    if out.len() > ITEM_TAG_BYTES_MAX {
        return Err(TagFault::TooMany);
    }
    Ok(out)
}

/// Reads blocks in either form: a count, or a negative count and the length of the block in bytes. Zero
/// ends them. No bytes are no tags.
///
/// # Errors
/// [`TagFault`].
pub fn read_tags(bytes: &[u8]) -> Result<Vec<Tag>, TagFault> {
    if bytes.len() > ITEM_TAG_BYTES_MAX {
        return Err(TagFault::TooMany);
    }
    let mut tags = Vec::new();
    let mut input = bytes;
    while !bytes.is_empty() {
        let count = read_long(&mut input)?;
        if count == 0 {
            break;
        }
        // The length lets a reader skip the block; it has to be right all the same.
        let after = if count < 0 {
            Some(length_of_block(&mut input)?)
        } else {
            None
        };
        let total = usize::try_from(count.unsigned_abs()).map_err(|_| TagFault::TooMany)?;
        if total > ITEM_TAGS_MAX.saturating_sub(tags.len()) {
            return Err(TagFault::TooMany);
        }
        for _ in 0..total {
            let (name, value) = (read_text(&mut input)?, read_text(&mut input)?);
            tags.push(Tag { name, value });
        }
        if after.is_some_and(|after| after != input.len()) {
            return Err(TagFault::Malformed);
        }
    }
    if input.is_empty() {
        Ok(tags)
    } else {
        Err(TagFault::Malformed)
    }
}

/// How many bytes are left after the block.
fn length_of_block(input: &mut &[u8]) -> Result<usize, TagFault> {
    let length = usize::try_from(read_long(input)?).map_err(|_| TagFault::Malformed)?;
    input.len().checked_sub(length).ok_or(TagFault::Malformed)
}

fn read_text(input: &mut &[u8]) -> Result<String, TagFault> {
    let length = usize::try_from(read_long(input)?).map_err(|_| TagFault::Malformed)?;
    let (text, rest) = input.split_at_checked(length).ok_or(TagFault::Malformed)?;
    *input = rest;
    if text.is_empty() {
        return Err(TagFault::Empty);
    }
    let text = str::from_utf8(text).map_err(|_| TagFault::NotUtf8)?;
    Ok(text.to_owned())
}

/// Writes a length, which is at most [`ITEM_TAG_BYTES_MAX`].
fn write_long(out: &mut Vec<u8>, length: usize) {
    let mut left = length.saturating_mul(2);
    while left >= 0x80 {
        out.push(low_bits(left) | 0x80);
        left >>= 7;
    }
    out.push(low_bits(left));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn read_long(input: &mut &[u8]) -> Result<i64, TagFault> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first().ok_or(TagFault::Malformed)?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    Err(TagFault::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags(number: usize) -> Vec<Tag> {
        (0..number)
            .map(|at| Tag::new("name", &at.to_string()))
            .collect()
    }

    #[test]
    fn both_forms_of_a_block_are_read() {
        let plain = [4, 2, b'a', 2, b'b', 2, b'c', 2, b'd', 0];
        let sized = [3, 16, 2, b'a', 2, b'b', 2, b'c', 2, b'd', 0];
        let split = [2, 2, b'a', 2, b'b', 1, 8, 2, b'c', 2, b'd', 0];
        let expected = [Tag::new("a", "b"), Tag::new("c", "d")];
        assert_eq!(write_tags(&expected).unwrap(), plain);
        for bytes in [&plain[..], &sized, &split] {
            assert_eq!(read_tags(bytes).unwrap(), expected);
        }
        assert_eq!(read_tags(&[]), Ok(vec![]));
        assert_eq!(read_tags(&[0]), Ok(vec![]));
        assert_eq!(write_tags(&[]), Ok(vec![]));
    }

    #[test]
    fn other_bytes_are_refused() {
        for (bytes, fault) in [
            (&[2, 2, b'a', 2, b'b'][..], TagFault::Malformed),
            (&[2, 2, b'a', 2, b'b', 0, 0], TagFault::Malformed),
            (&[2, 2, b'a', 4, b'b', 0], TagFault::Malformed),
            (&[2, 1, b'a', 2, b'b', 0], TagFault::Malformed),
            (&[2, 0, 2, b'b', 0], TagFault::Empty),
            (&[2, 2, 0xff, 2, b'b', 0], TagFault::NotUtf8),
            (&[1, 6, 2, b'a', 2, b'b', 0], TagFault::Malformed),
            (&[1, 10, 2, b'a', 2, b'b', 0], TagFault::Malformed),
            (&[1, 1, 2, b'a', 2, b'b', 0], TagFault::Malformed),
            (&[0x82, 0x02, 0], TagFault::TooMany),
            (&[0xff; 11], TagFault::Malformed),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                TagFault::Malformed,
            ),
            (&[0; 4097], TagFault::TooMany),
        ] {
            assert_eq!(read_tags(bytes), Err(fault), "{bytes:?}");
        }
        assert_eq!(write_tags(&tags(129)), Err(TagFault::TooMany));
        assert!(write_tags(&tags(128)).is_ok());
        assert_eq!(write_tags(&[Tag::new("", "a")]), Err(TagFault::Empty));
        let long = Tag::new("a", &"b".repeat(4096));
        assert_eq!(write_tags(&[long]), Err(TagFault::TooMany));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec((".{1,20}", ".{1,20}"), 0..20)) {
            let tags: Vec<Tag> = texts.iter().map(|(name, value)| Tag::new(name, value)).collect();
            let written = write_tags(&tags);
            prop_assert_eq!(read_tags(&written.unwrap()), Ok(tags));
        }
    }
}
