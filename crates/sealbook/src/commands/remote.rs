//! What commands that talk to a server have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::http::{HttpError, HttpOptions};
use client::proofs::{ProofClient, ProofError};
use client::tlog::LogClient;
use client::toxme::{Code, Freshness, ToxmeClient, ToxmeError};
use engine::ports::rng::draw;
use engine::ports::timer::Timer;
use outbound::system::{OsRng, SystemTimer};

use crate::failure::{Exit, Failure, chain};

/// Longest time for one request of the ProofService API: the server may look at a post for 20 s.
const PROOF_TIME: Duration = Duration::from_secs(30);

/// The server of a command that names none.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The server a command talks to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remote {
    /// Address of the server
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub(super) url: String,
    /// PEM file of a certificate authority to trust besides the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Remote {
    pub(super) fn new(url: String, ca_file: Option<PathBuf>) -> Self {
        Self { url, ca_file }
    }

    pub(super) fn toxme(&self) -> Result<ToxmeClient, Failure> {
        ToxmeClient::new(&self.url, &self.options()).map_err(|error| self.http(&error))
    }

    pub(super) fn log(&self) -> Result<LogClient, Failure> {
        LogClient::new(&self.url, &self.options()).map_err(|error| self.http(&error))
    }

    pub(super) fn proofs(&self) -> Result<ProofClient, Failure> {
        let options = HttpOptions {
            timeout: PROOF_TIME,
            ..self.options()
        };
        ProofClient::new(&self.url, &options).map_err(|error| self.http(&error))
    }

    /// What a failed call of the ProofService API means for the process.
    pub(super) fn unproven(&self, error: ProofError) -> Failure {
        let (status, said) = match error {
            ProofError::Http(ref error) => return self.http(error),
            ProofError::Refused { status, message } => (status, message),
            ProofError::OtherDraft => {
                return Failure::new(Exit::Unverified, error.to_string());
            }
        };
        let exit = match status {
            404 => Exit::NotFound,
            429 => Exit::RateLimited,
            503 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let is_of_platform = ["unknown platform", "platform not supported"]
            .iter()
            .any(|start| said.starts_with(start));
        if is_of_platform {
            let url = self.url.trim_end_matches('/');
            let hint = format!("{url}/healthz lists those that this server checks");
            return Failure::new(exit, format!("{said}; {hint}"));
        }
        Failure::new(exit, said)
    }

    fn options(&self) -> HttpOptions {
        HttpOptions {
            ca_file: self.ca_file.clone(),
            ..HttpOptions::default()
        }
    }

    /// What a failed call means for the process.
    pub(super) fn refused(&self, error: ToxmeError) -> Failure {
        match error {
            ToxmeError::Http(error) => self.http(&error),
            ToxmeError::Refused { code, .. } => Failure::new(exit(code), error.to_string()),
            ToxmeError::ServerKey(_) => Failure::failed(chain(&error)),
            ToxmeError::Countersignature => Failure::new(Exit::Unverified, chain(&error)),
        }
    }

    /// What a failed exchange means for the process.
    pub(super) fn http(&self, error: &HttpError) -> Failure {
        let said = match error {
            HttpError::CaFile { .. } => format!("--ca-file: {}", chain(error)),
            HttpError::Address(_)
            | HttpError::Setup(_)
            | HttpError::Transport(_)
            | HttpError::TooLarge
            | HttpError::Refused { .. }
            | HttpError::Reply(_) => format!("{}: {}", self.url, chain(error)),
        };
        match error {
            HttpError::Transport(_) => {
                let hint = "see whether the server runs, and that this is its URL";
                Failure::new(Exit::Unreachable, format!("{said}; {hint}"))
            }
            HttpError::Address(_) | HttpError::CaFile { .. } => Failure::new(Exit::Usage, said),
            HttpError::Refused { status: 429, .. } => Failure::new(Exit::RateLimited, said),
            HttpError::Refused { .. }
            | HttpError::Setup(_)
            | HttpError::TooLarge
            | HttpError::Reply(_) => Failure::failed(said),
        }
    }
}

fn exit(code: Code) -> Exit {
    match code {
        Code::NO_USER | Code::UNKNOWN_NAME => Exit::NotFound,
        Code::NAME_TAKEN | Code(-26) => Exit::Conflict,
        Code(-4) => Exit::RateLimited,
        Code(-41) => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// A nonce never used before, and the time.
pub(super) fn freshness() -> Freshness {
    Freshness {
        nonce: draw(&OsRng),
        unix_s: SystemTimer::start().now().seconds(),
    }
}
