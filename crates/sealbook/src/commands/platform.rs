//! `sealbook platform …`

use std::time::Duration;

use checkers::configured::Steps;
use clap::{Args, Subcommand};
use engine::ports::checker::{CheckWorld, Failure as Kind, Refusal};
use serde_json::{Value, json};

use super::{Configured, on_one_core};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::wire_up::{configured, outgoing};

/// Longest time of the one request.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Characters of a text that are shown.
const SHOWN_CHARS_MAX: usize = 2000;

#[derive(Subcommand)]
pub(crate) enum Platform {
    /// Look at a post through a platform section of the configuration, and show each step
    Test(Test),
}

#[derive(Args)]
pub(crate) struct Test {
    /// Name of the platform
    name: String,
    /// The account
    identity: String,
    /// Where the post is, if the platform's URL has a place for it
    #[arg(default_value = "")]
    location: String,
    #[command(flatten)]
    configured: Configured,
}

impl Platform {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Test(test) => test.run(output),
        }
    }
}

impl Test {
    fn run(self, output: &Output) -> Result<(), Failure> {
        let loaded = self.configured.load()?;
        let steps = on_one_core(steps(
            &loaded.config,
            &self.name,
            &self.identity,
            &self.location,
        ))?;
        output.result(&words(&steps), &object(&steps))?;
        match &steps.refusal {
            None => Ok(()),
            Some(refusal) => Err(Failure::new(exit(refusal), refusal.reason.clone())),
        }
    }
}

/// Walks through the steps.
async fn steps(
    config: &Config,
    name: &str,
    identity: &str,
    location: &str,
) -> Result<Steps, Failure> {
    let known = config.platforms.iter().find(|keys| keys.name == name);
    let keys = known.ok_or_else(|| unknown(config, name))?;
    let checker = configured(keys)?;
    let outgoing = outgoing(config)?;
    let world = CheckWorld {
        web: outgoing.web.as_ref(),
        dns: outgoing.dns.as_ref(),
        deadline: REQUEST_TIME,
        is_background: false,
    };
    Ok(checker.inspect(identity, location, &world).await)
}

fn unknown(config: &Config, name: &str) -> Failure {
    let names: Vec<&str> = config.platforms.iter().map(|it| it.name.as_str()).collect();
    let said = match names.as_slice() {
        [] => "the configuration has no [[platform]]".to_owned(),
        names => format!(
            "there is no platform {name:?}, there is {}",
            names.join(", ")
        ),
    };
    Failure::new(Exit::Usage, said)
}

fn exit(refusal: &Refusal) -> Exit {
    match refusal.failure {
        Kind::Malformed => Exit::Usage,
        Kind::NotFound | Kind::PageInstead => Exit::NotFound,
        Kind::WrongAuthor | Kind::TextMissing | Kind::BadSignature => Exit::Unverified,
        Kind::Unreachable | Kind::TooLarge | Kind::ForbiddenAddress => Exit::Unreachable,
        Kind::Limited => Exit::RateLimited,
    }
}

/// A line for each step, as far as it came. Text of others stands in quotes, with
/// nothing in it that moves a terminal.
fn words(steps: &Steps) -> String {
    let signatures = steps.signatures.iter().map(|signature| quoted(signature));
    let lines = [
        ("url", steps.url.as_deref().map(quoted)),
        ("status", steps.status.map(|status| status.to_string())),
        ("author", steps.author.as_deref().map(quoted)),
        ("text", steps.text.as_deref().map(quoted)),
    ];
    let lines = lines
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let all = lines.chain(signatures.map(|signature| ("signature", signature)));
    let lines: Vec<String> = all
        .map(|(name, value)| format!("{name:<11}{value}"))
        .collect();
    lines.join("\n")
}

fn object(steps: &Steps) -> Value {
    json!({
        "url": steps.url,
        "status": steps.status,
        "author": steps.author,
        "text": steps.text.as_deref().map(cut),
        "signatures": steps.signatures,
        "refused": steps.refusal.as_ref().map(|refusal| &refusal.reason),
    })
}

fn quoted(text: &str) -> String {
    format!("{:?}", cut(text))
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
