//! Heads of HTTP/1 requests that two servers could read differently.
//!
//! hyper reads what the standard lets it read: a bare line feed as the end of a line, two equal
//! lengths as one, a length beside chunks as nothing. A proxy in front that reads such a request
//! otherwise takes a part of it for the next one, and lets a stranger put requests before those of
//! others. So heads are looked at on their way to hyper, and one that is not written in the one way
//! everybody reads alike is spoilt: hyper refuses it with 400 and closes the connection. Bodies in
//! chunks are left to hyper, which must then close the connection after its answer, so that what
//! stands behind such a body is never taken for a request.

mod scanner;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use scanner::Scanner;

/// What no head may hold, and the end of a head, before which hyper may not look at it.
const SPOILT: &[u8] = b"\0\r\n\r\n";

/// A stream whose reader gets the heads of requests only as far as they are unambiguous.
pub(super) struct Heads<S> {
    stream: S,
    scanner: Scanner,
    /// What the reader gets of [`SPOILT`] when a head was refused.
    spoilt: &'static [u8],
}

impl<S> Heads<S> {
    pub(super) fn new(stream: S) -> Self {
        let scanner = Scanner::default();
        Self {
            stream,
            scanner,
            spoilt: SPOILT,
        }
    }

    /// Gives the reader what spoils the head, and then the end.
    fn spoil(&mut self, into: &mut ReadBuf<'_>) {
        let here = self.spoilt.len().min(into.remaining());
        if let Some((now, later)) = self.spoilt.split_at_checked(here) {
            into.put_slice(now);
            self.spoilt = later;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.scanner.is_spoilt() {
            self.spoil(into);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let new = into.filled().get(before..).unwrap_or_default();
        if self.scanner.feed(new).is_err() {
            into.set_filled(before);
            self.spoil(into);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(context)
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
