//! Pieces of HTTP that the doors share. Nothing here knows a protocol: whatever an answer looks
//! like, the door says.
//!
//! A door makes its router with [`routes!`], reads bodies through [`limits::RawBody`] and the
//! caller through [`client_ip::ClientContext`]. The server merges the doors' routers, puts
//! [`stack::wrap`] around the result, and inserts a [`client_ip::ConnectInfo`] into every request.

pub mod around;
pub mod client_ip;
pub mod clock;
pub mod csrf;
pub mod fault;
pub mod form;
mod forwarding;
pub mod json;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod page;
pub mod panic;
pub mod routes;
pub mod stack;
