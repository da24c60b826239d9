//! `sealbook version`

use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::{COMMIT, VERSION};

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    output.result(
        &format!("sealbook {VERSION} ({COMMIT})"),
        &json!({ "version": VERSION, "commit": COMMIT }),
    )
}
