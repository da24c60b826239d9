//! Action 4: how the server is doing.

use engine::names::Names;

use crate::wire::Status;

/// `POST /api`, action 4
///
/// Not in the API document; toxme wire specification, section 2.7.
pub(super) fn handle(names: &Names<'_>) -> Status {
    let status = names.status();
    Status {
        ut: status.uptime_s,
        rs: status.lookups,
        uc: status.names,
    }
}
