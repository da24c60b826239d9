//! A store with hooks: what a test makes of another store by watching, delaying or refusing calls.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::UnixMillis;

/// A call, as a hook sees it.
#[derive(Clone, Copy, Debug)]
pub enum Call<'c> {
    /// `get_many` of these keys.
    Get(&'c [Key], Freshness),
    /// `scan` of this range.
    Scan(&'c KeyRange, Freshness),
    /// `commit` of this batch.
    Commit(&'c Batch),
    /// `now`.
    Now,
    /// `health`, `is_shared` and `close`, which pass without hooks.
    Other,
}

impl Call<'_> {
    /// Whether it reads rows.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get(..) | Self::Scan(..))
    }

    /// Whether it writes.
    #[must_use]
    pub fn is_commit(&self) -> bool {
        matches!(self, Self::Commit(_))
    }
}

/// What a hook makes of a call.
pub enum Step {
    /// It goes on.
    Go,
    /// It goes on when this has ended.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It answers `Unavailable` with this reason.
    Unavailable(String),
    /// A read answers `Corrupt` with this reason, a commit `Fatal`.
    Broken(String),
    /// It is made, and if it succeeds, answers `Unavailable` with this reason.
    ThenUnavailable(String),
}

impl Step {
    /// Waits.
    pub fn wait(until: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::Wait(Box::pin(until))
    }
}

type Hook = Box<dyn Fn(&Call<'_>) -> Step + Send + Sync>;
type Choice<S> = Box<dyn Fn(&Call<'_>) -> Arc<S> + Send + Sync>;

/// A store that asks a hook before each call, and another after each that succeeded. `after` is not
/// asked for calls that `before` let fail.
pub struct Hooked<S: ?Sized = dyn Store> {
    choice: Choice<S>,
    before: Hook,
    after: Hook,
}

impl<S: Store + ?Sized + 'static> Hooked<S> {
    /// The store, without hooks.
    #[must_use]
    pub fn over(store: Arc<S>) -> Self {
        Self::choosing(move |_| store.clone())
    }

    /// For each call the store that is chosen for it, without hooks.
    pub fn choosing(choice: impl Fn(&Call<'_>) -> Arc<S> + Send + Sync + 'static) -> Self {
        Self {
            choice: Box::new(choice),
            before: Box::new(|_| Step::Go),
            after: Box::new(|_| Step::Go),
        }
    }

    /// The same with another hook before.
    #[must_use]
    pub fn before(self, hook: impl Fn(&Call<'_>) -> Step + Send + Sync + 'static) -> Self {
        let before = Box::new(hook);
        Self { before, ..self }
    }

    /// The same with another hook after.
    #[must_use]
    pub fn after(self, hook: impl Fn(&Call<'_>) -> Step + Send + Sync + 'static) -> Self {
        let after = Box::new(hook);
        Self { after, ..self }
    }

    /// The store behind the hooks.
    #[must_use]
    pub fn inner(&self) -> Arc<S> {
        (self.choice)(&Call::Other)
    }

    /// Before a call: the store that takes it, and why it fails afterwards, if it does.
    async fn begin<E: Refused>(&self, call: &Call<'_>) -> Result<(Arc<S>, Option<E>), E> {
        let late = take((self.before)(call)).await?;
        Ok(((self.choice)(call), late))
    }

    /// After a call that succeeded.
    async fn end<E: Refused>(&self, call: &Call<'_>, late: Option<E>) -> Result<(), E> {
        let later = take((self.after)(call)).await?;
        late.or(later).map_or(Ok(()), Err)
    }
}

/// Does what a hook says; answers what the call fails with once it was made, if it does.
async fn take<E: Refused>(step: Step) -> Result<Option<E>, E> {
    match step {
        Step::Go => Ok(None),
        Step::Wait(until) => {
            until.await;
            Ok(None)
        }
        Step::Unavailable(why) => Err(E::unavailable(why)),
        Step::Broken(why) => Err(E::broken(why)),
        Step::ThenUnavailable(why) => Ok(Some(E::unavailable(why))),
    }
}

/// How a call says that it failed.
trait Refused: Send {
    fn unavailable(why: String) -> Self;
    fn broken(why: String) -> Self;
}

impl Refused for StoreError {
    fn unavailable(why: String) -> Self {
        Self::Unavailable(why)
    }

    fn broken(why: String) -> Self {
        Self::Corrupt(why)
    }
}

impl Refused for CommitError {
    fn unavailable(why: String) -> Self {
        Self::Unavailable(why)
    }

    fn broken(why: String) -> Self {
        Self::Fatal(why)
    }
}

#[async_trait]
impl<S: Store + ?Sized + 'static> Store for Hooked<S> {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let call = Call::Get(keys, fresh);
        let (store, late) = self.begin(&call).await?;
        let found = store.get_many(keys, fresh).await?;
        self.end(&call, late).await.map(|()| found)
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        let call = Call::Scan(&range, fresh);
        let (store, late) = self.begin(&call).await?;
        let found = store.scan(range.clone(), direction, limit, fresh).await?;
        self.end(&call, late).await.map(|()| found)
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        let call = Call::Commit(&batch);
        let (store, late) = self.begin(&call).await?;
        let version = store.commit(batch.clone()).await?;
        self.end(&call, late).await.map(|()| version)
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        let call = Call::Now;
        let (store, late) = self.begin(&call).await?;
        let now = store.now().await?;
        self.end(&call, late).await.map(|()| now)
    }

    fn health(&self) -> Health {
        self.inner().health()
    }

    fn is_shared(&self) -> bool {
        self.inner().is_shared()
    }

    async fn close(&self) {
        self.inner().close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn hooks_see_each_call_and_decide_what_becomes_of_it() {
        let rows = Arc::new(MemoryStore::new());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (before, after) = (seen.clone(), seen.clone());
        let store = Hooked::over(rows.clone())
            .before(move |call| {
                before
                    .lock()
                    .unwrap()
                    .push(format!("before {}", kind(call)));
                match call {
                    Call::Get(..) => Step::wait(tokio::task::yield_now()),
                    Call::Commit(batch) if batch.puts.is_empty() => Step::Broken("b".into()),
                    Call::Commit(_) => Step::ThenUnavailable("late".into()),
                    Call::Scan(..) | Call::Now | Call::Other => Step::Go,
                }
            })
            .after(move |call| {
                after.lock().unwrap().push(format!("after {}", kind(call)));
                match call {
                    Call::Scan(..) => Step::Unavailable("lost".into()),
                    Call::Get(..) | Call::Commit(_) | Call::Now | Call::Other => Step::Go,
                }
            });
        let put = Batch {
            puts: vec![(Key::from_static(b"a"), Bytes::from_static(b"1"))],
            ..Batch::default()
        };
        let late = store.commit(put).await;
        assert!(matches!(late, Err(CommitError::Unavailable(why)) if why == "late"));
        assert_eq!(rows.rows().len(), 1, "it was made all the same");
        let refused = store.commit(Batch::default()).await;
        assert!(matches!(refused, Err(CommitError::Fatal(_))));
        let found = store
            .get_many(&[Key::from_static(b"a")], Freshness::Now)
            .await;
        assert!(found.unwrap()[0].is_some());
        let whole = KeyRange {
            start: Key::new(),
            end: None,
        };
        let lost = store
            .scan(whole, Direction::Forward, 1, Freshness::Now)
            .await;
        assert!(matches!(lost, Err(StoreError::Unavailable(why)) if why == "lost"));
        let expected = [
            "before commit",
            "after commit",
            "before commit",
            "before get",
            "after get",
            "before scan",
            "after scan",
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    fn kind(call: &Call<'_>) -> &'static str {
        match call {
            Call::Get(..) => "get",
            Call::Scan(..) => "scan",
            Call::Commit(_) => "commit",
            Call::Now => "now",
            Call::Other => "other",
        }
    }
}
