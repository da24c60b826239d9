//! Reading answers, to their end or to a bound.

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use engine::ports::fetch::{FetchError, Fetched};
use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, LOCATION, RETRY_AFTER};

use super::failure;

/// Longest header that is handed on.
const HEADER_BYTES_MAX: usize = 1024;
/// Longest time that a server may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);
/// Requests that are left, and when there are more.
const LIMITS: [(&str, &str); 2] = [
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
];

/// Where a redirect leads; `None` for an answer that is none.
pub(super) fn location(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // One that cannot be read leads nowhere: it is refused when it is followed.
    let location = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Reads an answer. It is an error as soon as it is known to be one.
pub(super) async fn read(mut response: Response, bytes_max: usize) -> Result<Fetched, FetchError> {
    let mut body = Body::new(response.headers(), bytes_max)?;
    let peer = response.remote_addr().ok_or(FetchError::Unreachable)?.ip();
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max as u64)
    {
        return Err(FetchError::TooLarge);
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        body.take(&chunk)?;
    }
    Ok(Fetched {
        final_url: response.url().to_string(),
        status: response.status().as_u16(),
        headers: handed_on(response.headers()),
        retry_after: retry_after(response.headers()),
        body: body.end()?,
        peer,
    })
}

fn handed_on(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let value = value.to_str().ok()?;
        let pair = (name.as_str().to_owned(), value.to_owned());
        (value.len() <= HEADER_BYTES_MAX).then_some(pair)
    };
    headers.iter().filter_map(text).collect()
}

/// How long a server asks to be left alone: in seconds, or until a moment of its own clock. One that
/// allows so many requests in a time, and has none left, need not be asked before that time is over.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = asked_for(headers).or_else(|| until_more(headers));
    Some(asked?.min(RETRY_AFTER_MAX))
}

/// What `retry-after` says.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let is_number = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit());
    let time = if is_number {
        // More digits than fit are a long time.
        Duration::from_secs(asked.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(asked).ok()?;
        let now = httpdate::parse_http_date(text(DATE)?.trim()).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(time)
}

/// The time until requests are allowed again, as GitHub and Twitter say it: in seconds since 1970.
fn until_more(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let spent = LIMITS
        .iter()
        .find(|(remaining, _)| text(remaining) == Some("0"));
    let (_, reset) = spent?;
    let until = Duration::from_secs(text(reset)?.trim().parse().ok()?);
    let now = httpdate::parse_http_date(text(DATE.as_str())?.trim()).ok()?;
    // Some count from now: their moment is long past.
    until.checked_sub(now.duration_since(UNIX_EPOCH).ok()?)
}

/// A body that comes in parts, as long as it is no longer than it may be: neither as it is sent, as
/// parts that decompress to nothing could come for ever, nor decompressed.
pub(super) struct Body {
    form: Form,
    /// Bytes that may still come.
    left: usize,
    is_empty: bool,
}

enum Form {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Body {
    /// A body of an answer with these headers.
    pub(super) fn new(headers: &HeaderMap, bytes_max: usize) -> Result<Self, FetchError> {
        let bounded = Bounded {
            bytes: Vec::new(),
            left: bytes_max,
        };
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let encoding = encodings
            .next()
            .map(|it| it.as_bytes().to_ascii_lowercase());
        let form = match (encoding.as_deref(), encodings.next()) {
            (None | Some(b"identity" | b""), None) => Form::Plain(bounded),
            (Some(b"gzip" | b"x-gzip"), None) => Form::Gzip(Box::new(MultiGzDecoder::new(bounded))),
            (_, _) => return Err(FetchError::Encoded),
        };
        Ok(Self {
            form,
            left: bytes_max,
            is_empty: true,
        })
    }

    /// Takes a part. A part decompresses to a thousand times its size at most, and stops at the bound.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), FetchError> {
        let left = self.left.checked_sub(part.len());
        self.left = left.ok_or(FetchError::TooLarge)?;
        self.is_empty &= part.is_empty();
        match &mut self.form {
            Form::Plain(bounded) => bounded.write_all(part).map_err(|_| FetchError::TooLarge),
            Form::Gzip(decoder) => decoder.write_all(part).map_err(|error| wrong(&error)),
        }
    }

    /// The whole body; one of no bytes is empty, whatever it is said to be.
    pub(super) fn end(self) -> Result<Bytes, FetchError> {
        let bounded = match self.form {
            Form::Gzip(_) if self.is_empty => Bounded::default(),
            Form::Gzip(decoder) => decoder.finish().map_err(|error| wrong(&error))?,
            Form::Plain(bounded) => bounded,
        };
        Ok(Bytes::from(bounded.bytes))
    }
}

fn wrong(error: &io::Error) -> FetchError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        FetchError::TooLarge
    } else {
        FetchError::Encoded
    }
}

/// Takes so many bytes and refuses the others.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    left: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For the fuzz targets: see `crate::parsers`.
pub(crate) mod parsers {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    /// Bound of a body.
    const BYTES_MAX: usize = 4096;

    pub(crate) fn answer(bytes: &[u8], part: usize) -> bool {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
        let body = body.get(2..).unwrap_or_default();
        let mut headers = HeaderMap::new();
        for line in head.split(|byte| *byte == b'\n').take(16) {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(line.len()));
            let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
            if let Some((name, value)) = HeaderName::from_bytes(name).ok().zip(value.ok()) {
                headers.append(name, value);
            }
        }
        let asked = retry_after(&headers).unwrap_or_default();
        assert!(asked <= RETRY_AFTER_MAX);
        for (_, value) in handed_on(&headers) {
            assert!(value.len() <= HEADER_BYTES_MAX && value.is_ascii());
        }
        let whole = read_in_parts(&headers, body, usize::MAX);
        let cut = read_in_parts(&headers, body, part.max(1));
        // What is wrong first depends on where it is cut; what is right does not.
        assert_eq!(whole.as_ref().ok(), cut.as_ref().ok());
        if let Ok(body) = &whole {
            assert!(body.len() <= BYTES_MAX);
        }
        whole.is_ok()
    }

    fn read_in_parts(headers: &HeaderMap, body: &[u8], part: usize) -> Result<Bytes, FetchError> {
        let mut read = Body::new(headers, BYTES_MAX)?;
        for part in body.chunks(part) {
            read.take(part)?;
        }
        read.end()
    }
}
