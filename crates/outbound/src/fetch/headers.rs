//! Headers of requests.

use engine::ports::fetch::FetchError;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// What says how a message is sent, or to whom: ours to say, as a request with two lengths or hosts
/// is read differently by different servers.
const OURS: [HeaderName; 10] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What any server may know of a request that was meant for another.
const HARMLESS: [HeaderName; 2] = [ACCEPT, ACCEPT_LANGUAGE];

/// The headers of a first request: what was asked for, and that the answer may be compressed.
///
/// # Errors
/// `Unsendable` for what is no header, or is not the caller's to set.
pub(super) fn first(given: &[(String, String)]) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes());
        let pair = name.ok().zip(HeaderValue::from_str(value).ok());
        let (name, mut value) = pair.ok_or(FetchError::Unsendable("not a header"))?;
        if OURS.contains(&name) {
            return Err(FetchError::Unsendable("not a header to choose"));
        }
        value.set_sensitive(!HARMLESS.contains(&name));
        headers.append(name, value);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(headers)
}

/// The headers of a request that goes on to another host: without secrets and whatever might be one.
pub(super) fn elsewhere(headers: HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in HARMLESS.into_iter().chain([ACCEPT_ENCODING]) {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}
