//! `sealbook store convert`

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use client::audit::AuditReport;
use engine::marks::Mark;
use engine::moving::{Compared, Conversion, MoveError, Order, Phase, Progress, undo};
use engine::ports::rng::draw;
use engine::ports::store::Store;
use engine::ports::timer::Timer;
use outbound::system::{OsRng, SystemTimer};
use serde_json::json;

use super::super::log::audit_store;
use super::super::on_all_cores;
use super::super::progress::{Meter, Step, mib, per_second};
use super::{Access, lasting};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Convert {
    /// Store to move: `file:PATH` or `postgres://USER@HOST:PORT/DATABASE`. No server may run over
    /// it, and none will once this has begun
    #[arg(long, value_name = "URL")]
    from: String,
    /// Store to fill: an empty or absent one, or the one an interrupted conversion began to fill
    #[arg(long, value_name = "URL", required_unless_present = "undo")]
    to: Option<String>,
    /// Take the mark off `--from` again, so that servers run over it: calls an unfinished
    /// conversion off
    #[arg(long, conflicts_with = "to")]
    undo: bool,
    /// With `--undo`: even if the conversion was finished. Two servers over two copies fork the log
    #[arg(long, requires = "undo")]
    force: bool,
    /// File whose first line is the password for `--from`
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,
    /// File whose first line is the password for `--to`
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,
    /// PEM file of a certificate authority to check databases with, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Convert {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_all_cores(self.convert(*output))
    }

    async fn convert(self, output: Output) -> Result<(), Failure> {
        let source = Access {
            url: lasting("--from", &self.from)?,
            ca_file: self.ca_file.clone(),
            password_file: self.from_password_file.clone(),
        };
        let target = self.target()?;
        if let Some(target) = &target {
            refuse_itself(&source, target)?;
        }
        let Some(from) = source.open_existing().await? else {
            let said = format!("there is no store at {}", source.name());
            return Err(Failure::new(Exit::NotFound, said));
        };
        let done = match target {
            Some(target) => moved(&source, &target, &from, output).await,
            None => self.undone(&source, &from, output).await,
        };
        from.close().await;
        done
    }

    fn target(&self) -> Result<Option<Access>, Failure> {
        let to = self.to.as_deref().map(|to| lasting("--to", to));
        Ok(to.transpose()?.map(|url| Access {
            url,
            ca_file: self.ca_file.clone(),
            password_file: self.to_password_file.clone(),
        }))
    }

    async fn undone(
        &self,
        source: &Access,
        from: &Arc<dyn Store>,
        output: Output,
    ) -> Result<(), Failure> {
        let mark = undo(from, self.force).await.map_err(failure)?;
        let (to, was_moved) = match mark {
            Mark::Moving { to, .. } => (to, false),
            Mark::Moved { to, .. } => (to, true),
            Mark::Arriving { from, .. } => (from, false),
        };
        let name = source.name();
        let words = if was_moved {
            format!("{name} may be served again; {to} must never be: empty it now")
        } else {
            format!("{name} may be served again; what was copied to {to} is of no use: empty it")
        };
        let object = json!({ "ok": true, "store": name, "to": to, "was_moved": was_moved });
        output.result(&words, &object)
    }
}

/// Refuses a directory as its own copy; of databases the conversion itself finds out.
fn refuse_itself(source: &Access, target: &Access) -> Result<(), Failure> {
    let real = |access: &Access| access.url.dir().and_then(|dir| fs::canonicalize(dir).ok());
    match (real(source), real(target)) {
        (Some(from), Some(to)) if from == to => {
            let said = "--from and --to name the same store";
            Err(Failure::new(Exit::Usage, said))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// A conversion as it is told to people.
struct Told<'t> {
    from: &'t str,
    to: &'t str,
    resumed: u64,
    took: Duration,
}

async fn moved(
    source: &Access,
    target: &Access,
    from: &Arc<dyn Store>,
    output: Output,
) -> Result<(), Failure> {
    let to = target.open().await?;
    let done = convert(source, target, [from, &to], output).await;
    to.close().await;
    done
}

async fn convert(
    source: &Access,
    target: &Access,
    [from, to]: [&Arc<dyn Store>; 2],
    output: Output,
) -> Result<(), Failure> {
    let timer = SystemTimer::start();
    let names = (source.name(), target.name());
    let order = Order {
        id: draw(&OsRng),
        from: names.0.clone(),
        to: names.1.clone(),
        now: timer.now(),
    };
    let begun = Conversion::begin(from.clone(), to.clone(), order).await;
    let mut conversion = begun.map_err(failure)?;
    let resumed = conversion.rows();
    let mut meter = Meter::new(output);
    let copied = conversion.copy(|progress| meter.show(step(progress))).await;
    let compared = match copied {
        Ok(()) => {
            conversion
                .compare(|progress| meter.show(step(progress)))
                .await
        }
        Err(error) => Err(error),
    };
    meter.finish();
    let compared = compared.map_err(failure)?;
    let (log, report) = audit_store(to.clone(), &names.1, output).await?;
    if report.newest.size != compared.head.size || report.newest.root != compared.head.root {
        let said = "the log of the copy is not the one of the source";
        return Err(Failure::new(Exit::Unverified, said));
    }
    conversion.finish().await.map_err(failure)?;
    let told = Told {
        from: &names.0,
        to: &names.1,
        resumed,
        took: timer.monotonic(),
    };
    print(
        &told,
        &compared,
        &report,
        log.verifier_key().to_string().as_str(),
        output,
    )
}

fn step(progress: Progress) -> Step {
    Step::Rows {
        phase: match progress.phase {
            Phase::Copy => "copying",
            Phase::Compare => "comparing",
        },
        rows: progress.rows,
        bytes: progress.bytes,
        total: progress.total,
    }
}

fn print(
    told: &Told<'_>,
    compared: &Compared,
    report: &AuditReport,
    key: &str,
    output: Output,
) -> Result<(), Failure> {
    let Told {
        from,
        to,
        resumed,
        took,
    } = told;
    let (sum, newest) = (compared.sum, &report.newest);
    let rate = per_second(sum.rows.saturating_sub(*resumed), *took);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (root, map_root, digest) = (
        newest.root.to_hex(),
        report.map_root.to_hex(),
        sum.digest.to_hex(),
    );
    let words = format!(
        "{from} is moved to {to}: {} rows, {}, in {}.{:03} s ({rate} rows/s)\n\
         both hold the same: digest {digest}\n\
         log  {}: {} entries, {} checkpoints, in order\n\
         root {root}\nmap  {map_root}\nkey  {key}\n\
         Set store.url to the new store, keep the keys and checkpoint.latest where they are, and \
         start the server. The old store is marked: no server opens it any more.",
        sum.rows,
        mib(sum.bytes),
        millis / 1000,
        millis % 1000,
        newest.origin,
        newest.size,
        report.checkpoints,
    );
    let object = json!({
        "ok": true, "from": from, "to": to, "rows": sum.rows, "bytes": sum.bytes,
        "digest": digest, "resumed_rows": resumed, "duration_ms": millis, "rows_per_s": rate,
        "origin": newest.origin, "size": newest.size, "root": root, "map_root": map_root,
        "checkpoints": report.checkpoints, "key": key,
    });
    output.result(&words, &object)
}

fn failure(error: MoveError) -> Failure {
    let exit = match &error {
        MoveError::NoDirectory => Exit::NotFound,
        MoveError::Differs { .. } => Exit::Unverified,
        MoveError::Marked(_)
        | MoveError::NotEmpty
        | MoveError::Foreign { .. }
        | MoveError::Changed
        | MoveError::InUse(_)
        | MoveError::Raced
        | MoveError::NotMarked
        | MoveError::Moved { .. } => Exit::Conflict,
        MoveError::Internal(_) => {
            let said = format!("{}; the same command goes on where it was", chain(&error));
            return Failure::failed(said);
        }
    };
    Failure::new(exit, chain(&error))
}
