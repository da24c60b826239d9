//! Values of `[arweave]`, and what they need of one another.

use outbound::archive::WINSTON_PER_AR;
use serde_json::Value;

use super::Config;
use super::problem::Problem;
use super::schema::Setting;
use super::sources::{Origin, Raw, Values};
use super::values::{found, text};

/// Decimals of an AR.
const DECIMALS: usize = 12;

/// Where copies of links go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArweaveMode {
    /// Nowhere.
    None,
    /// To Arweave, in transactions of our own.
    Gateway,
    /// To somebody who sees to that.
    Bundler,
}

impl Setting for ArweaveMode {
    const KIND: &'static str = "\"none\", \"gateway\" or \"bundler\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        match text(raw)? {
            "none" => Ok(Self::None),
            "gateway" => Ok(Self::Gateway),
            "bundler" => Ok(Self::Bundler),
            other => Err(found(other)),
        }
    }

    fn show(&self) -> Value {
        match self {
            Self::None => "none".into(),
            Self::Gateway => "gateway".into(),
            Self::Bundler => "bundler".into(),
        }
    }
}

/// An amount of AR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ar {
    pub(crate) winston: u64,
}

impl Setting for Ar {
    const KIND: &'static str = "an amount of AR up to \"1000000\", such as \"0.1\"";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = text(raw)?;
        let winston = winston(text).ok_or_else(|| found(text))?;
        Ok(Self { winston })
    }

    fn show(&self) -> Value {
        let (whole, rest) = (self.winston / WINSTON_PER_AR, self.winston % WINSTON_PER_AR);
        let text = format!("{whole}.{rest:012}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.into()
    }
}

/// Reads digits, and up to twelve behind a point.
fn winston(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !are_digits(whole) || !are_digits(rest) || rest.len() > DECIMALS {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|whole| *whole <= 1_000_000)?;
    let rest: u64 = format!("{rest:0<DECIMALS$}").parse().ok()?;
    let all = whole.checked_mul(WINSTON_PER_AR)?.checked_add(rest)?;
    (all <= 1_000_000 * WINSTON_PER_AR).then_some(all)
}

/// What copies need is there.
pub(super) fn check(config: &Config, values: &mut Values) {
    let mode = config.arweave.mode;
    let has_no_key = mode != ArweaveMode::None && config.arweave.key_file.is_none();
    let has_no_bundler =
        mode == ArweaveMode::Bundler && values.origin("upstreams.arweave") == Origin::Default;
    for (is_missing, need) in [
        (
            has_no_key,
            "set arweave.key_file too, what goes to Arweave is signed",
        ),
        (
            has_no_bundler,
            "set upstreams.arweave too, to the bundler's URL, such as \"https://upload.ardrive.io/v1\"",
        ),
    ] {
        if is_missing {
            let place = values.origin("arweave.mode").to_string();
            let said = format!("arweave.mode: {need}");
            values.problems.push(Problem { place, said });
        }
    }
}
