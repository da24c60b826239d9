//! Value types of the domain: parsed once at the edge, valid from then on.

mod action;
mod avatar;
mod caller;
mod claim;
mod domain;
mod handle;
pub(crate) mod hex;
mod ids;
pub mod link;
mod name;
mod record;
mod seqno;
mod time;
mod tox_id;
mod uuid;

pub use action::ClaimAction;
pub use avatar::Avatar;
pub use caller::Caller;
pub use claim::{ClaimBody, state_hash};
pub use domain::Domain;
pub use handle::{Handle, Label, Phone};
pub use ids::{IdentityId, JobId, Kid, ProcessId};
pub use name::{Name, NameFault, fold};
pub use record::{Bio, ToxRecord, Visibility};
pub use seqno::Seqno;
pub use time::UnixMillis;
pub use tox_id::{ToxId, ToxKey};
pub use uuid::Uuid;
