//! What gateways and bundlers answer, as plain functions of bytes, for the fuzz targets.

use std::net::{IpAddr, Ipv4Addr};

use engine::ports::archive::ArchiveError;
use engine::ports::fetch::Fetched;

use super::bundler::taken;
use super::gateway::{Status, accepted, ar, read_anchor, read_height, read_price, read_status};
use super::transaction::bytes_of;
use super::upstream::{SAID_CHARS_MAX, unexpected};

/// The item of which a bundler's receipt speaks.
const ITEM: &str = "9sDmvcUZ4SoPNCIbrNSPvZ5VVtFxQkaW1SXRFLfnUEA";
/// Characters of a text that stand around an answer's own, and those that one of them becomes at most.
const AROUND_CHARS_MAX: usize = 100;
const ESCAPE_CHARS_MAX: usize = 10;

/// Reads an answer as every question to a gateway does, and as a bundler's; how many took it.
pub(crate) fn archive_answer(status: u16, body: &[u8]) -> usize {
    let fetched = Fetched {
        final_url: "https://arweave.example/".to_owned(),
        status,
        headers: Vec::new(),
        retry_after: None,
        body: body.to_vec().into(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let is_tellable = |error: &ArchiveError| {
        let said = error.to_string();
        let most = SAID_CHARS_MAX * ESCAPE_CHARS_MAX + AROUND_CHARS_MAX;
        assert!(said.chars().count() <= most, "{said}");
        assert!(!said.chars().any(char::is_control), "{said:?}");
    };
    is_tellable(&unexpected("a question", &fetched));
    let took = [
        anchor(&fetched),
        price(&fetched),
        standing(&fetched),
        read_height(&fetched).is_some(),
        accepted("a chunk", &fetched)
            .inspect_err(is_tellable)
            .is_ok(),
        taken(&fetched, ITEM).inspect_err(is_tellable).is_ok(),
    ];
    took.into_iter().filter(|took| *took).count()
}

/// An anchor is a part of what is signed: bytes in the alphabet of URLs, few.
fn anchor(fetched: &Fetched) -> bool {
    let anchor = read_anchor(fetched);
    if let Some(anchor) = anchor {
        let bytes = bytes_of(anchor).expect("an anchor is bytes");
        assert!((1..=48).contains(&bytes.len()), "{anchor}");
    }
    anchor.is_some()
}

/// A price is shown in AR without a loss.
fn price(fetched: &Fetched) -> bool {
    let price = read_price(fetched);
    if let Some(price) = price {
        let shown = ar(price);
        let (whole, rest) = shown.split_once('.').unwrap_or((&shown, ""));
        let digits = format!("{whole}{rest:0<12}");
        assert_eq!(digits.parse(), Ok(price), "{shown}");
    }
    price.is_some()
}

/// Only a success counts blocks, and only 404 says that there is no such transaction.
fn standing(fetched: &Fetched) -> bool {
    let status = read_status(fetched);
    match &status {
        Some(Status::Known(1..)) => assert_eq!(fetched.status, 200),
        Some(Status::Known(0)) => assert!(matches!(fetched.status, 200 | 202)),
        Some(Status::Unknown) => assert_eq!(fetched.status, 404),
        None => {}
    }
    status.is_some()
}
