//! An answer being made, which outlives the connection that asked.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Makes an answer in the task of its connection. A connection that breaks drops what it waits for,
/// and a change whose commit is under way would be made and never told to the rest of the process:
/// then the rest goes on in a task of its own.
pub(super) struct Answering {
    /// `None` once it is made.
    answer: Option<Answer>,
    tasks: TaskTracker,
    cut: CancellationToken,
    /// Made when the answer is first waited for: few are.
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Answering {
    /// `cut` ends it, here or in a task of `tasks`.
    pub(super) fn new(
        answer: impl Future<Output = Result<Response, Infallible>> + Send + 'static,
        tasks: TaskTracker,
        cut: CancellationToken,
    ) -> Self {
        Self {
            answer: Some(Box::pin(answer)),
            tasks,
            cut,
            waiting: None,
        }
    }
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    /// The answer, or that there was no time for one: a stream of HTTP/2 may end later than its
    /// connection.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(answer) = &mut this.answer
            && let Poll::Ready(made) = answer.as_mut().poll(context)
        {
            this.answer = None;
            return Poll::Ready(made);
        }
        let cut = &this.cut;
        let waiting = this
            .waiting
            .get_or_insert_with(|| Box::pin(cut.clone().cancelled_owned()));
        waiting.as_mut().poll(context).map(|()| {
            this.answer = None;
            Ok(StatusCode::SERVICE_UNAVAILABLE.into_response())
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // Without a runtime the process is at its end.
        if let (Some(answer), Ok(runtime)) = (self.answer.take(), Handle::try_current()) {
            let rest = self.cut.clone().run_until_cancelled_owned(answer);
            self.tasks.spawn_on(rest, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn an_answer_nobody_waits_for_is_made_all_the_same() {
        let (tasks, (go, gone), (tell, told)) =
            (TaskTracker::new(), oneshot::channel(), oneshot::channel());
        let making = async move {
            gone.await.unwrap();
            tell.send(()).unwrap();
            Ok(Response::default())
        };
        let mut answering = Answering::new(making, tasks, CancellationToken::new());
        let polled = timeout(Duration::ZERO, &mut answering).await;
        polled.unwrap_err();
        drop(answering);
        go.send(()).unwrap();
        timeout(LONG, told).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_cuts_it_here_and_there() {
        let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
        let never = || Answering::new(std::future::pending(), tasks.clone(), cut.clone());
        drop(never());
        let mut here = never();
        timeout(Duration::ZERO, &mut here).await.unwrap_err();
        assert_eq!(tasks.len(), 1);
        cut.cancel();
        let status = here.await.unwrap().status();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        tasks.close();
        timeout(LONG, tasks.wait()).await.unwrap();
    }
}
