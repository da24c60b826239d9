//! Value types of the domain: parsed once at the edge, valid from then on.

mod domain;
mod handle;
mod ids;
pub mod link;
mod name;
mod record;
mod seqno;
mod time;
mod tox_id;

pub use domain::Domain;
pub use handle::{Handle, Label, Phone};
pub use ids::{IdentityId, JobId, Kid, ProcessId};
pub use name::{Name, NameFault, fold};
pub use record::{Bio, ToxRecord, Visibility};
pub use seqno::Seqno;
pub use time::UnixMillis;
pub use tox_id::{ToxId, ToxKey};
