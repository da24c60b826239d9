//! The types of values, parsed once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use httpkit::client_ip::TrustedProxies;
use merkle::note::KeyName;
use outbound::fetch::UpstreamUrl;
use serde_json::Value;
use url::Url;

use super::lists::list;
use super::schema::Setting;
use super::sources::Raw;

/// Longest merge delay.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The text of a value that is written as a string.
pub(super) fn text(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Words(text) | Raw::Text(text) => Ok(text),
        Raw::Flag(_) => Err("found a boolean".into()),
        Raw::Number(_) => Err("found a value of type integer".into()),
        Raw::List(_) => Err("found a list".into()),
        Raw::Other(what) => Err(format!("found {what}")),
    }
}

pub(super) fn found(text: &str) -> String {
    format!("found {text:?}")
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Flag(flag) => Ok(*flag),
            Raw::Words(words) => words.parse().map_err(|_| found(words)),
            Raw::Text(text) => Err(format!("found {text:?} with quotes")),
            Raw::List(_) | Raw::Number(_) | Raw::Other(_) => {
                Err(text(raw).err().unwrap_or_default())
            }
        }
    }

    fn show(&self) -> Value {
        (*self).into()
    }
}

/// An empty string unsets a value.
impl<T: Setting> Setting for Option<T> {
    const KIND: &'static str = T::KIND;

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Words(text) | Raw::Text(text) if text.is_empty() => Ok(None),
            Raw::Words(_)
            | Raw::Text(_)
            | Raw::Flag(_)
            | Raw::Number(_)
            | Raw::List(_)
            | Raw::Other(_) => T::read(raw).map(Some),
        }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::show)
    }
}

impl Setting for PathBuf {
    const KIND: &'static str = "a path";

    fn read(raw: &Raw) -> Result<Self, String> {
        match text(raw)? {
            "" => Err(found("")),
            path => Ok(path.into()),
        }
    }

    fn show(&self) -> Value {
        self.display().to_string().into()
    }
}

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl Setting for Address {
    const KIND: &'static str = "an address and port such as \"127.0.0.1:8080\" or \"[::]:443\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        text.parse().map(Self).map_err(|_| found(text))
    }

    fn show(&self) -> Value {
        self.0.to_string().into()
    }
}

/// The URL the world uses: http or https, a host, nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl(Url);

impl PublicUrl {
    /// The host, lower case.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl Setting for PublicUrl {
    const KIND: &'static str = "an http or https URL without a path, such as \
                                \"https://names.example\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let url = Url::parse(text).map_err(|error| format!("found {text:?}: {error}"))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let plain = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && bare && plain {
            Ok(Self(url))
        } else {
            Err(found(text))
        }
    }

    fn show(&self) -> Value {
        self.as_str().into()
    }
}

/// A domain, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain(String);

impl Domain {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Domain {
    const KIND: &'static str = "a domain such as \"names.example\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let label = |label: &str| {
            let letters = label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            letters && (1..=63).contains(&label.len())
        };
        let edges = |label: &str| !label.starts_with('-') && !label.ends_with('-');
        if text.len() <= 253 && text.split('.').all(|part| label(part) && edges(part)) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(found(text))
        }
    }

    fn show(&self) -> Value {
        self.0.clone().into()
    }
}

/// A short text for the top of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title(String);

impl Title {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Title {
    const KIND: &'static str = "a text of up to 60 characters";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?.trim();
        let fits = (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(|| found(text))
    }

    fn show(&self) -> Value {
        self.0.clone().into()
    }
}

/// An address a visitor can write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contact(Url);

impl Contact {
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Setting for Contact {
    const KIND: &'static str = "an address such as \"mailto:admin@names.example\" or \
                                \"https://names.example/about\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let url = Url::parse(text).map_err(|error| format!("found {text:?}: {error}"))?;
        let is_open = matches!(url.scheme(), "https" | "http" | "mailto" | "tox" | "xmpp");
        is_open.then_some(Self(url)).ok_or_else(|| found(text))
    }

    fn show(&self) -> Value {
        self.0.as_str().into()
    }
}

/// The list of trusted proxies, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxies {
    entries: Vec<String>,
    parsed: TrustedProxies,
}

impl Proxies {
    /// The list as the HTTP layers take it.
    pub(crate) fn trusted(&self) -> TrustedProxies {
        self.parsed.clone()
    }
}

impl Setting for Proxies {
    const KIND: &'static str = "a list of addresses, networks or \"unix\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let entries = list(raw)?;
        match TrustedProxies::parse(&entries) {
            Ok(parsed) => Ok(Self { entries, parsed }),
            Err(bad) => Err(found(&bad.entry)),
        }
    }

    fn show(&self) -> Value {
        self.entries.clone().into()
    }
}

/// The origin line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogOrigin(String);

impl LogOrigin {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for LogOrigin {
    const KIND: &'static str = "a name such as \"names.example/log\", without white space and plus \
                                signs";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        match KeyName::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(found(text)),
        }
    }

    fn show(&self) -> Value {
        self.0.clone().into()
    }
}

/// The URL of a service of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream(pub(crate) UpstreamUrl);

impl Setting for Upstream {
    const KIND: &'static str =
        "an https URL, or http for a host of your choice, such as \"https://{host}/api\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let url = UpstreamUrl::parse(text);
        url.map(Self).ok_or_else(|| found(text))
    }

    fn show(&self) -> Value {
        self.0.as_str().into()
    }
}

/// A short duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay(pub(crate) Duration);

impl Setting for Delay {
    const KIND: &'static str = "a duration from \"0s\" to \"60s\", such as \"200ms\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        duration(text)
            .filter(|delay| *delay <= DELAY_MAX)
            .map(Self)
            .ok_or_else(|| found(text))
    }

    fn show(&self) -> Value {
        written(self.0).into()
    }
}

/// A duration that may be for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting(pub(crate) Option<Duration>);

impl Setting for Waiting {
    const KIND: &'static str = "a duration such as \"30d\" or \"12h\", or \"never\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        match text(raw)? {
            "never" => Ok(Self(None)),
            text => duration(text)
                .map(|wait| Self(Some(wait)))
                .ok_or_else(|| found(text)),
        }
    }

    fn show(&self) -> Value {
        self.0.map_or_else(|| "never".to_owned(), written).into()
    }
}

/// Units of durations and the milliseconds of each, largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads digits and one unit. `None` for anything else, or above half a billion years.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// Writes a duration with the largest unit that fits.
fn written(duration: Duration) -> String {
    let total = duration.as_millis();
    let fits = |(_, millis): &&(&str, u64)| total.is_multiple_of(u128::from(*millis));
    match UNITS.iter().find(fits) {
        _ if total == 0 => "0s".to_owned(),
        Some((unit, millis)) => format!("{}{unit}", total / u128::from(*millis)),
        None => format!("{total}ms"),
    }
}
