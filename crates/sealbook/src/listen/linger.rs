//! Closing a connection so that the other end can read what it was told.
//!
//! A socket that is closed while bytes of the client's are unread sends a reset, and a reset makes
//! the client's system throw away the answer that has already come. A client that is told "too
//! large" while it is still sending would see a broken connection instead.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Silence after which the other end has said all it wanted to.
const QUIET: Duration = Duration::from_millis(500);
/// Longest time to listen to an end that does not stop.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes that are read and thrown away at one go, before other tasks have their turn.
const TURN_BYTES: usize = 256 * 1024;
/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

/// A stream whose shutdown ends our side first, and then throws away what still comes until the
/// other end closes, falls silent for [`QUIET`], or [`TIME_MAX`] is over.
pub(super) struct Lingering<S> {
    stream: S,
    ending: Option<Ending>,
}

/// Our side has ended.
struct Ending {
    quiet: Pin<Box<Sleep>>,
    over: Pin<Box<Sleep>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S) -> Self {
        let ending = None;
        Self { stream, ending }
    }
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    /// Throws away what has come. Ready when there is nothing more to wait for.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ending = self.ending.get_or_insert_with(|| Ending {
            quiet: Box::pin(sleep(QUIET)),
            over: Box::pin(sleep(TIME_MAX)),
        });
        if ending.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut space = [0; READ_BYTES];
        let mut thrown = 0;
        while thrown < TURN_BYTES {
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    thrown += read.filled().len();
                }
                // It has closed too, or broken off.
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if thrown == 0 => return ending.quiet.as_mut().poll(context),
                Poll::Pending => break,
            }
        }
        ending.quiet.set(sleep(QUIET));
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.poll_drain(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
