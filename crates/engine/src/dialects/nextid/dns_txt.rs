//! The TXT record that claims a domain: `ps:true;v:1;sig:…;ca:…;uuid:…;prev:…`.

use std::fmt;

use super::parse_created_at;
use crate::limits::DNS_TXT_BYTES_MAX;
use crate::types::Uuid;

/// What a TXT record of an avatar says. Only its `uuid` and its signature are believed: the other members
/// are in the payload anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsPost {
    /// The signature's text, not yet read.
    pub signature: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Which claim it is for.
    pub uuid: Uuid,
    /// Signature of the link before, as text; `None` when it says `null`.
    pub prev: Option<String>,
}

/// Reads a TXT record: its bare text, or in the form of zone files one or more character-strings in
/// quotes, which are joined. `None` when it is anything else than a claim; most records of a domain are.
#[must_use]
pub fn parse_dns_txt(data: &str) -> Option<DnsPost> {
    if data.len() > DNS_TXT_BYTES_MAX {
        return None;
    }
    let zone_file = data.trim_matches([' ', '\t']);
    let text = if zone_file.starts_with('"') {
        joined(zone_file)?
    } else {
        data.to_owned()
    };
    let mut members = Members::default();
    for part in text.split(';') {
        let (name, value) = part.split_once(':').filter(|(_, it)| !it.contains(':'))?;
        members.set(name, value);
    }
    let is_ours = members.ps == Some("true") && members.v == Some("1");
    let (signature, prev) = (members.sig?, members.prev?);
    let post = DnsPost {
        signature: signature.to_owned(),
        created_at: parse_created_at(members.ca?)?,
        uuid: Uuid::parse(members.uuid?)?,
        prev: (prev != "null").then(|| prev.to_owned()),
    };
    is_ours.then_some(post)
}

/// The values of the members that count; of two with one name the last.
#[derive(Default)]
struct Members<'t> {
    ps: Option<&'t str>,
    v: Option<&'t str>,
    sig: Option<&'t str>,
    ca: Option<&'t str>,
    uuid: Option<&'t str>,
    prev: Option<&'t str>,
}

impl<'t> Members<'t> {
    fn set(&mut self, name: &str, value: &'t str) {
        let member = match name {
            "ps" => &mut self.ps,
            "v" => &mut self.v,
            "sig" => &mut self.sig,
            "ca" => &mut self.ca,
            "uuid" => &mut self.uuid,
            "prev" => &mut self.prev,
            _ => return,
        };
        *member = Some(value);
    }
}

/// Joins character-strings in quotes with blanks between them. A backslash stands before a character that
/// means itself; the numbers of zone files (`\065`) are in no claim.
fn joined(data: &str) -> Option<String> {
    let mut text = String::with_capacity(data.len());
    let mut is_open = false;
    let mut chars = data.chars();
    while let Some(c) = chars.next() {
        match (is_open, c) {
            (_, '"') => is_open = !is_open,
            (true, '\\') => text.push(chars.next().filter(|it| !it.is_ascii_digit())?),
            (true, _) => text.push(c),
            (false, ' ' | '\t') => {}
            (false, _) => return None,
        }
    }
    (!is_open).then_some(text)
}

/// The record's text, without quotes: 254 bytes with a `prev`, so that it fits one character-string.
impl fmt::Display for DnsPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            signature,
            created_at,
            uuid,
            prev,
        } = self;
        let prev = prev.as_deref().unwrap_or("null");
        write!(
            f,
            "ps:true;v:1;sig:{signature};ca:{created_at};uuid:{uuid};prev:{prev}"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str =
        "ps:true;v:1;sig:AA==;ca:5;uuid:26de5ec2-889e-4f59-9fac-dfa8d99e7ce7;prev:null";

    #[test]
    fn in_any_order_and_with_strangers_between() {
        let post = parse_dns_txt(TEXT).unwrap();
        assert_eq!(post.to_string(), TEXT);
        for text in [
            "uuid:{26DE5EC2-889e-4f59-9fac-dfa8d99e7ce7};prev:null;x:y;ca:+5;sig:AA==;v:1;ps:true",
            &format!("v:2;{TEXT}"),
            &format!("\"{}\"\t\"{}\" ", &TEXT[..30], &TEXT[30..]),
            &format!("\"{}\"", TEXT.replace(';', "\\;")),
        ] {
            assert_eq!(parse_dns_txt(text).as_ref(), Some(&post), "{text}");
        }
    }

    #[test]
    fn others_are_passed_over() {
        for text in [
            "",
            "\"",
            "\"\"",
            &format!("\"{TEXT}"),
            &format!("\"{TEXT}\"x"),
            &format!("\"{TEXT}\\"),
            &format!("\"\\112{}\"", &TEXT[1..]),
            &format!("{TEXT};"),
            &format!("{TEXT};x"),
            &format!("{TEXT};x:y:z"),
            &TEXT.replace("ps:true", "ps:TRUE"),
            &TEXT.replace("v:1", "v:01"),
            &TEXT.replace("sig", "Sig"),
            &TEXT.replace("ca:5", "ca:"),
            &format!("{TEXT}{}", "x".repeat(DNS_TXT_BYTES_MAX)),
        ] {
            assert_eq!(parse_dns_txt(text), None, "{:?}", text.get(..100));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            signature in "[A-Za-z0-9+/=]{0,88}",
            created_at: i64,
            uuid: [u8; 16],
            prev in proptest::option::of("[A-Za-z0-9+/]{2,86}=="),
        ) {
            let uuid = Uuid::from_bytes(uuid);
            let post = DnsPost { signature, created_at, uuid, prev };
            let text = post.to_string();
            prop_assert_eq!(parse_dns_txt(&format!("\"{text}\"")), Some(post.clone()));
            prop_assert_eq!(parse_dns_txt(&text), Some(post));
        }
    }
}
