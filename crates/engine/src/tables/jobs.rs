//! Rows of jobs. Owner: `outbox`.

use prost::Message;

/// A job and how often it was tried.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct JobRow {
    #[prost(uint32, tag = "1")]
    pub(crate) attempts: u32,
    #[prost(oneof = "JobMessage", tags = "10, 11")]
    pub(crate) job: Option<JobMessage>,
}

/// The stored form of `outbox::Job`.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum JobMessage {
    /// Erase the links of a subject up to a seqno.
    #[prost(message, tag = "10")]
    EraseLinks(EraseLinksMessage),
    /// Archive the links of an avatar up to a seqno.
    #[prost(message, tag = "11")]
    ArchiveLinks(ArchiveLinksMessage),
}

/// See `outbox::Job::ArchiveLinks`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArchiveLinksMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) label: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) through: u32,
}

/// See `outbox::Job::EraseLinks`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EraseLinksMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) label: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) through: u32,
}
