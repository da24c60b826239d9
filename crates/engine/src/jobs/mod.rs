//! Running jobs: one match over what there is to deliver.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::claims::archive::archive_next;
use crate::engine::Engine;
use crate::error::Internal;
use crate::outbox::{self, Job, Leased, Outcome};
use crate::tx::in_tx;

/// Takes the jobs that are due, runs them side by side, each once, and settles each when it is done.
/// Returns how many were run.
///
/// # Errors
/// When the outbox itself cannot be read or written; a job that fails is postponed.
pub async fn run_due(engine: &Engine) -> Result<usize, Internal> {
    let now = engine.now();
    let taken: Vec<Leased> = in_tx!(engine, "take_jobs", |tx| outbox::take_due_in(tx, now)
        .await
        .map_err(Internal::from))?;
    let runs = taken
        .iter()
        .map(|leased| -> Run<'_> { Box::pin(run_one(engine, leased)) });
    together(runs.collect()).await?;
    Ok(taken.len())
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<(), Internal>> + Send + 'a>>;

/// Runs all side by side, to the end of the last; the first failure is handed on then.
async fn together(mut runs: Vec<Run<'_>>) -> Result<(), Internal> {
    let mut all = Ok(());
    poll_fn(|context| {
        runs.retain_mut(|run| match run.as_mut().poll(context) {
            Poll::Ready(done) => {
                if all.is_ok() {
                    all = done;
                }
                false
            }
            Poll::Pending => true,
        });
        if runs.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    all
}

/// Runs a job and settles it.
async fn run_one(engine: &Engine, leased: &Leased) -> Result<(), Internal> {
    let outcome = run(engine, &leased.job).await.unwrap_or_else(|error| {
        let cause = error.source().map(tracing::field::display);
        tracing::warn!(job.attempt = leased.attempt, error = %error, cause, "a job failed");
        Outcome::Failed
    });
    let now = engine.now();
    in_tx!(engine, "settle_job", |tx| outbox::settle_in(
        tx, leased, outcome, now
    )
    .await)
}

async fn run(engine: &Engine, job: &Job) -> Result<Outcome, Internal> {
    match job {
        Job::EraseLinks { label, through } => engine.chains().erase(*label, *through).await,
        Job::ArchiveLinks { label, through } => archive_next(engine, *label, *through).await,
    }
}
