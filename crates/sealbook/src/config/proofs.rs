//! Values of `[proofs]`, and of what it needs.

use std::net::{IpAddr, SocketAddr};

use checkers::{Way, names};
use serde_json::Value;

use super::lists::list;
use super::schema::Setting;
use super::sources::Raw;
use super::values::{found, text};

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// The ways to a tweet, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TwitterOrder(pub(crate) Vec<Way>);

/// Words for the ways.
const WAYS: [(&str, Way); 3] = [
    ("syndication", Way::Syndication),
    ("oembed", Way::Oembed),
    ("api", Way::Api),
];

impl Setting for TwitterOrder {
    const KIND: &'static str = "a list of \"syndication\", \"oembed\" and \"api\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let mut ways = Vec::new();
        for word in list(raw)? {
            let known = WAYS.iter().find(|(known, _)| *known == word);
            let (_, way) = known.ok_or_else(|| found(&word))?;
            if ways.contains(way) {
                return Err(format!("found {word:?} twice"));
            }
            ways.push(*way);
        }
        Ok(Self(ways))
    }

    fn show(&self) -> Value {
        let word = |way: &Way| WAYS.iter().find(|(_, known)| known == way);
        let words = self.0.iter().filter_map(word).map(|(word, _)| *word);
        words.collect()
    }
}

/// Services that claims are not taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SwitchedOff(Vec<&'static str>);

impl SwitchedOff {
    /// Whether a service is among them.
    pub(crate) fn has(&self, service: &str) -> bool {
        self.0.contains(&service)
    }
}

impl Setting for SwitchedOff {
    const KIND: &'static str = "a list of services, such as [\"steam\", \"tiktok\"]";

    fn read(raw: &Raw) -> Result<Self, String> {
        let known = |word: String| {
            let service = names::SERVICES.iter().find(|service| **service == word);
            service.copied().ok_or_else(|| found(&word))
        };
        let services: Result<_, String> = list(raw)?.into_iter().map(known).collect();
        services.map(Self)
    }

    fn show(&self) -> Value {
        self.0.clone().into()
    }
}

/// The address of a name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameServer(pub(crate) SocketAddr);

impl Setting for NameServer {
    const KIND: &'static str = "an address such as \"9.9.9.9\" or \"127.0.0.1:5353\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let with_port = text.parse().ok();
        let alone = || {
            let address: IpAddr = text.parse().ok()?;
            Some(SocketAddr::new(address, DNS_PORT))
        };
        let address = with_port.or_else(alone).filter(|it| it.port() != 0);
        address.map(Self).ok_or_else(|| found(text))
    }

    fn show(&self) -> Value {
        self.0.to_string().into()
    }
}
