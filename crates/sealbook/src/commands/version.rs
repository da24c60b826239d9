//! `sealbook version`

use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    output.result(
        &format!("sealbook {version}"),
        &json!({ "version": version }),
    )
}
