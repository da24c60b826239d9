//! Follows the bytes of a connection from head to head.

/// Bytes of a head that are looked at: more than hyper takes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// First line of a connection that speaks HTTP/2, which has no such ambiguities.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Two servers could read it differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// Follows the bytes of a connection from head to head.
#[derive(Debug, Default)]
pub(super) struct Scanner {
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
    /// Whether a head was refused.
    pub(super) fn is_spoilt(&self) -> bool {
        matches!(self.state, State::Spoilt)
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// When a head is ambiguous, from then on.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguous> {
        while !bytes.is_empty() {
            match self.state {
                State::Through => return Ok(()),
                State::Spoilt => return Err(Ambiguous),
                State::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(here..).unwrap_or_default();
                    self.state = match left.saturating_sub(here as u64) {
                        0 => State::Head,
                        left => State::Body(left),
                    };
                }
                State::Head => match self.line_of(&mut bytes) {
                    Ok(()) => {}
                    Err(ambiguous) => {
                        self.state = State::Spoilt;
                        return Err(ambiguous);
                    }
                },
            }
        }
        Ok(())
    }

    /// Takes the next line, or the part of it that has come.
    fn line_of(&mut self, bytes: &mut &[u8]) -> Result<(), Ambiguous> {
        let all = *bytes;
        let end = memchr::memchr(b'\n', all).map(|end| end.saturating_add(1));
        let (here, rest) = all
            .split_at_checked(end.unwrap_or(all.len()))
            .unwrap_or((all, &[]));
        *bytes = rest;
        self.head.bytes = self.head.bytes.saturating_add(here.len());
        if self.head.bytes > HEAD_BYTES_MAX {
            return Err(Ambiguous);
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

    fn take(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let text = line.strip_suffix(b"\r\n").ok_or(Ambiguous)?;
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
            (true, Some(_)) => return Err(Ambiguous),
            (false, Some(0) | None) => State::Head,
            (false, Some(length)) => State::Body(length),
        };
        Ok(())
    }
}

impl Head {
    /// Takes a header's line.
    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        // A line that goes on the one before it.
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            return Err(Ambiguous);
        }
        let colon = memchr::memchr(b':', line).ok_or(Ambiguous)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Ambiguous)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.last().is_some_and(u8::is_ascii_whitespace) {
            return Err(Ambiguous);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = digits(value).ok_or(Ambiguous)?;
            if self.length.replace(length).is_some() {
                return Err(Ambiguous);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
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
