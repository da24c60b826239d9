//! Heads of HTTP/1 requests that two servers could read differently.
//!
//! hyper reads what the standard lets it read: a bare line feed as the end of a line, two equal
//! lengths as one, a length beside chunks as nothing. A proxy in front that reads such a request
//! otherwise takes a part of it for the next one, and lets a stranger put requests before those of
//! others. So heads are looked at on their way to hyper, and one that is not written in the one way
//! everybody reads alike is spoilt: hyper refuses it with 400 and closes the connection, once it has
//! answered the requests before it, of which it gets every byte. Bodies in
//! chunks are left to hyper, which must then close the connection after its answer, so that what
//! stands behind such a body is never taken for a request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a head that are looked at: more than hyper takes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// First line of a connection that speaks HTTP/2, which has no such ambiguities.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";
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
        if matches!(self.scanner.state, State::Spoilt) {
            self.spoil(into);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let new = into.filled().get(before..).unwrap_or_default();
        if let Err(Ambiguous { good }) = self.scanner.feed(new) {
            into.set_filled(before.saturating_add(good));
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

/// Two servers could read a head differently.
#[derive(Debug, PartialEq, Eq)]
struct Ambiguous {
    /// Bytes before that head, of those that were fed with its refused line.
    good: usize,
}

/// The line that was taken makes its head ambiguous.
#[derive(Debug, PartialEq, Eq)]
struct Refused;

/// Follows the bytes of a connection from head to head.
#[derive(Debug, Default)]
struct Scanner {
    state: State,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Default)]
enum State {
    /// In a head, or before one.
    #[default]
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    /// Nothing more to look at: HTTP/2, or a body in chunks, which is a connection's last.
    Through,
    Spoilt,
}

/// What matters of a head so far.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    has_request_line: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl Scanner {
    fn feed(&mut self, all: &[u8]) -> Result<(), Ambiguous> {
        let mut bytes = all;
        let mut good = 0;
        while !bytes.is_empty() {
            match self.state {
                State::Through => return Ok(()),
                State::Spoilt => return Err(Ambiguous { good }),
                State::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(here..).unwrap_or_default();
                    self.state = match left.saturating_sub(here as u64) {
                        0 => State::Head,
                        left => State::Body(left),
                    };
                }
                State::Head => {
                    if self.head.bytes == 0 {
                        good = all.len().saturating_sub(bytes.len());
                    }
                    if self.line_of(&mut bytes).is_err() {
                        self.state = State::Spoilt;
                        return Err(Ambiguous { good });
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the next line, or the part of it that has come.
    fn line_of(&mut self, bytes: &mut &[u8]) -> Result<(), Refused> {
        let all = *bytes;
        let end = memchr::memchr(b'\n', all).map(|end| end.saturating_add(1));
        let (here, rest) = all
            .split_at_checked(end.unwrap_or(all.len()))
            .unwrap_or((all, &[]));
        *bytes = rest;
        self.head.bytes = self.head.bytes.saturating_add(here.len());
        if self.head.bytes > HEAD_BYTES_MAX {
            return Err(Refused);
        }
        if end.is_none() {
            self.line.extend_from_slice(here);
            return Ok(());
        }
        if self.line.is_empty() {
            return self.take(here);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(here);
        self.take(&line)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Refused> {
        let text = line.strip_suffix(b"\r\n").ok_or(Refused)?;
        if !self.head.has_request_line {
            // Empty lines before a request are old clients' and mean nothing.
            self.head.has_request_line = !text.is_empty();
            if line == HTTP2 {
                self.state = State::Through;
            }
            return Ok(());
        }
        if !text.is_empty() {
            return self.head.header(text);
        }
        let head = std::mem::take(&mut self.head);
        self.state = match (head.is_chunked, head.length) {
            (true, None) => State::Through,
            (true, Some(_)) => return Err(Refused),
            (false, Some(0) | None) => State::Head,
            (false, Some(length)) => State::Body(length),
        };
        Ok(())
    }
}

impl Head {
    /// Takes a header's line.
    fn header(&mut self, line: &[u8]) -> Result<(), Refused> {
        // A line that goes on the one before it.
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            return Err(Refused);
        }
        let colon = memchr::memchr(b':', line).ok_or(Refused)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Refused)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.last().is_some_and(u8::is_ascii_whitespace) {
            return Err(Refused);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = digits(value).ok_or(Refused)?;
            if self.length.replace(length).is_some() {
                return Err(Refused);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refused);
            }
            self.is_chunked = true;
        }
        Ok(())
    }
}

/// A number without sign, comma or anything else.
fn digits(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests;
