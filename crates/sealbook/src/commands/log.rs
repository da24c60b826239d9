//! `sealbook log …`

mod at_rest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use client::audit::{AuditError, AuditReport, LogSource, verify_log};
use client::http::HttpError;
use client::remembered::Memory;
use engine::log::{LogAtRest, LogError};
use engine::ports::store::{Store, StoreError};
use merkle::note::VerifierKey;
use serde_json::json;

use super::progress::{Meter, Step};
use super::remote::Remote;
use super::store::Access;
use super::watched::unaccepted;
use super::{known, on_one_core, places};
use crate::config::StoreUrl;
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;
use at_rest::AtRest;

#[derive(Subcommand)]
pub(crate) enum Log {
    /// Read a whole log and recompute every hash, root and checkpoint of it
    Verify(Verify),
}

#[derive(Args)]
pub(crate) struct Verify {
    /// Data directory of a stopped server (or a copy of one), the URL of a database, or the URL of
    /// a running server
    #[arg(value_name = "DIR|URL", default_value = "http://127.0.0.1:8080")]
    source: String,
    /// Key of the log, as `serve` prints it; default: for a directory the one in its store, for a
    /// URL the one first seen there
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// Directory of what is remembered of logs; default: sealbook in the state directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// PEM file of a certificate authority to trust: besides the system's for a server, instead of
    /// them for a database
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// File whose first line is the password for the database
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Log {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => on_one_core(verify.run(*output)),
        }
    }
}

impl Verify {
    async fn run(self, output: Output) -> Result<(), Failure> {
        match StoreUrl::parse(&self.source) {
            Ok(url) if url.is_database() => self.at_rest(self.database(url).await?, output).await,
            Ok(_) | Err(_) if self.source.contains("://") => self.remote(output).await,
            Ok(_) | Err(_) => {
                let at_rest = AtRest::open(Path::new(&self.source)).await?;
                self.at_rest(at_rest, output).await
            }
        }
    }

    async fn database(&self, url: StoreUrl) -> Result<AtRest, Failure> {
        let access = Access {
            url,
            ca_file: self.ca_file.clone(),
            password_file: self.password_file.clone(),
        };
        let name = access.url.to_string();
        let Some(store) = access.open_existing().await? else {
            let said = format!("there is no store at {name}");
            return Err(Failure::new(Exit::NotFound, said));
        };
        AtRest::over(store, &name, None).await
    }

    async fn at_rest(&self, at_rest: AtRest, output: Output) -> Result<(), Failure> {
        let done = async {
            at_rest.refuse_part().await?;
            let key = self.given_key()?;
            let key = key.unwrap_or_else(|| at_rest.log.verifier_key().clone());
            let note = &at_rest.log.head().note;
            let report = audit(&at_rest.log_source(), note, &key, output).await?;
            at_rest.check_remembered(&key, &report).await?;
            self.print(&key, &report, output)
        }
        .await;
        at_rest.close().await;
        done
    }

    async fn remote(&self, output: Output) -> Result<(), Failure> {
        let remote = Remote::new(self.source.clone(), self.ca_file.clone());
        let log = remote.log()?;
        let state = match &self.state {
            Some(state) => state.clone(),
            None => places::state()?,
        };
        let key = match self.given_key()? {
            Some(key) => key,
            None => {
                let offered = log.key().await.map_err(|error| remote.http(&error))?;
                known::key(&state, log.address(), offered)?
            }
        };
        let note = log.checkpoint().await;
        let note = note.map_err(|error| remote.http(&error))?;
        Memory::new(&state)
            .accept(&key, &note, &log)
            .await
            .map_err(|error| unaccepted(&error))?;
        let report = audit(&log, &note, &key, output).await?;
        self.print(&key, &report, output)
    }

    fn given_key(&self) -> Result<Option<VerifierKey>, Failure> {
        self.log_key.as_deref().map(known::parse).transpose()
    }

    fn print(
        &self,
        key: &VerifierKey,
        report: &AuditReport,
        output: Output,
    ) -> Result<(), Failure> {
        let newest = &report.newest;
        let (size, root, origin) = (newest.size, newest.root.to_hex(), &newest.origin);
        let words = format!(
            "{origin} is in order: {size} entries, {} links of {} names, {} checkpoints\n\
             root {root}\nkey  {key}",
            report.links, report.labels, report.checkpoints
        );
        let object = json!({
            "ok": true, "origin": origin, "size": size, "root": root,
            "map_root": report.map_root.to_hex(), "links": report.links,
            "labels": report.labels, "checkpoints": report.checkpoints, "key": key.to_string(),
        });
        output.result(&words, &object)
    }
}

/// Audits the log of a store at rest, by the key that the store names.
///
/// # Errors
/// `Unverified` when something is wrong with it.
pub(super) async fn audit_store(
    store: Arc<dyn Store>,
    name: &str,
    output: Output,
) -> Result<(LogAtRest, AuditReport), Failure> {
    let at_rest = AtRest::over(store, name, None).await?;
    let log = &at_rest.log;
    let report = audit(
        &at_rest.log_source(),
        &log.head().note,
        log.verifier_key(),
        output,
    )
    .await?;
    Ok((at_rest.log, report))
}

async fn audit(
    source: &impl LogSource,
    note: &[u8],
    key: &VerifierKey,
    output: Output,
) -> Result<AuditReport, Failure> {
    let mut meter = Meter::new(output);
    let done = verify_log(source, note, key, |progress| {
        meter.show(Step::Entries {
            done: progress.done,
            total: progress.total,
        });
    })
    .await;
    meter.finish();
    done.map_err(|error| match &error {
        AuditError::Fault(fault) => {
            Failure::new(Exit::Unverified, chain(&error)).at_index(fault.index)
        }
        AuditError::Source { index, cause } => {
            Failure::new(exit(cause.as_ref()), chain(&error)).at_index(*index)
        }
    })
}

/// What a part that could not be read says of the log: nothing when the way to it broke; but a part
/// that is missing or unreadable in the place where it belongs is a broken log.
fn exit(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Exit {
    if let Some(error) = cause.downcast_ref::<HttpError>() {
        return match error {
            HttpError::Transport(_) => Exit::Unreachable,
            HttpError::Refused { status: 404, .. } => Exit::Unverified,
            HttpError::Refused { status: 429, .. } => Exit::RateLimited,
            HttpError::Address(_)
            | HttpError::CaFile { .. }
            | HttpError::Setup(_)
            | HttpError::TooLarge
            | HttpError::Refused { .. }
            | HttpError::Reply(_) => Exit::Failed,
        };
    }
    match cause.downcast_ref::<LogError>() {
        Some(LogError::Absent) => Exit::Unverified,
        Some(error) if is_damage(error) => Exit::Unverified,
        Some(_) | None => Exit::Failed,
    }
}

/// Whether the store says that what it holds cannot be read.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(StoreError::Corrupt(_)) = error.downcast_ref() {
            return true;
        }
        source = error.source();
    }
    false
}
