//! TXT records of domains.

use async_trait::async_trait;

use crate::types::Domain;

/// Asks for TXT records.
///
/// Nothing is remembered beyond what the records' own life allows. The number and the size of records
/// are bounded; a question that is dropped is given up.
#[async_trait]
pub trait TxtResolver: Send + Sync {
    /// The TXT records of a domain in the order of the answer, the character-strings of each joined.
    /// Bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// See [`DnsError`].
    async fn txt(&self, domain: &Domain) -> Result<Vec<String>, DnsError>;
}

/// Why there are no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The DNS says that there is no such domain, or that it has none.
    #[error("there is no such record")]
    NotFound,
    /// Nobody could be asked, or the answer is of no use.
    #[error("no name server answers")]
    Unreachable,
}
