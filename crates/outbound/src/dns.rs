//! TXT records: the adapter of the [`TxtResolver`] port.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::dns::{DnsError, TxtResolver};
use engine::types::Domain;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError as NetDnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record, RecordType};

use crate::resolve::{self, Builder, SystemResolverError};

/// Longest wait for one answer of a name server.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Records of one domain that are handed on: the busiest have some dozens.
const RECORDS_MAX: usize = 256;
/// Bytes of one record that are handed on: what a claim has, twenty times over.
const RECORD_BYTES_MAX: usize = 8 * 1024;

/// Asks name servers for TXT records. Answers are not kept: whoever has just made a record wants it
/// seen, and that there was none is remembered long enough by others.
pub struct TxtRecords(TokioResolver);

impl TxtRecords {
    /// Asks the name servers of `/etc/resolv.conf`, read once. Must be called within a runtime.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn of_the_system() -> Result<Self, SystemResolverError> {
        Self::of(resolve::of_the_system()?)
    }

    /// Asks one name server. Must be called within a runtime.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn of_server(address: SocketAddr) -> Result<Self, SystemResolverError> {
        Self::of(resolve::of_server(address))
    }

    fn of(mut builder: Builder) -> Result<Self, SystemResolverError> {
        let options = builder.options_mut();
        options.timeout = ANSWER_WAIT;
        options.cache_size = 0;
        resolve::built(builder).map(Self)
    }
}

/// Nobody to ask: for a machine without name servers. Every question is `Unreachable`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNameServer;

#[async_trait]
impl TxtResolver for NoNameServer {
    async fn txt(&self, _domain: &Domain) -> Result<Vec<String>, DnsError> {
        Err(DnsError::Unreachable)
    }
}

#[async_trait]
impl TxtResolver for TxtRecords {
    async fn txt(&self, domain: &Domain) -> Result<Vec<String>, DnsError> {
        let absolute = format!("{domain}.");
        let lookup = self.0.lookup(absolute, RecordType::TXT).await;
        let lookup = lookup.map_err(|error| meaning(domain, &error))?;
        let text = |record: &Record| {
            let RData::TXT(txt) = &record.data else {
                return None;
            };
            Some(joined(txt))
        };
        let records = lookup.answers().iter().filter_map(text);
        Ok(records.take(RECORDS_MAX).collect())
    }
}

/// The character-strings of a record as one text.
fn joined(txt: &TXT) -> String {
    let mut bytes = txt.txt_data.concat();
    bytes.truncate(RECORD_BYTES_MAX);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a failed question means. Only what the DNS itself says is that there is nothing.
fn meaning(domain: &Domain, error: &NetError) -> DnsError {
    if let NetError::Dns(NetDnsError::NoRecordsFound(none)) = error
        && matches!(
            none.response_code,
            ResponseCode::NXDomain | ResponseCode::NoError
        )
    {
        return DnsError::NotFound;
    }
    tracing::debug!(%domain, %error, "no name server answers");
    DnsError::Unreachable
}

#[cfg(test)]
mod tests;
