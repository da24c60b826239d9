//! The port's limits, checked once for every backend.

use std::collections::HashSet;

use engine::ports::store::{
    BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, Batch, CommitError, KEY_BYTES_MAX, Key, VALUE_BYTES_MAX,
};

/// Refuses a batch that breaks a limit of the port.
///
/// # Errors
/// `TooLarge`, with the broken limit in words.
pub(crate) fn check_batch(batch: &Batch) -> Result<(), CommitError> {
    let operations = batch.checks.len() + batch.puts.len() + batch.deletes.len();
    if operations > BATCH_OPERATIONS_MAX {
        return refuse(format!(
            "{operations} operations, the limit is {BATCH_OPERATIONS_MAX}"
        ));
    }
    let bytes = byte_count(batch);
    if bytes > BATCH_BYTES_MAX {
        return refuse(format!("{bytes} bytes, the limit is {BATCH_BYTES_MAX}"));
    }
    for key in batch
        .checks
        .iter()
        .map(|(key, _)| key)
        .chain(written_keys(batch))
    {
        check_key(key)?;
    }
    for (_, value) in &batch.puts {
        if value.len() > VALUE_BYTES_MAX {
            let length = value.len();
            return refuse(format!(
                "a value of {length} bytes, the limit is {VALUE_BYTES_MAX}"
            ));
        }
    }
    check_written_once(batch)
}

/// Keys and values of a batch together, in bytes.
pub(crate) fn byte_count(batch: &Batch) -> usize {
    let checks: usize = batch.checks.iter().map(|(key, _)| key.len()).sum();
    let puts: usize = batch
        .puts
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let deletes: usize = batch.deletes.iter().map(Key::len).sum();
    checks + puts + deletes
}

fn written_keys(batch: &Batch) -> impl Iterator<Item = &Key> {
    batch.puts.iter().map(|(key, _)| key).chain(&batch.deletes)
}

fn check_key(key: &Key) -> Result<(), CommitError> {
    if key.is_empty() {
        return refuse("an empty key".to_owned());
    }
    if key.len() > KEY_BYTES_MAX {
        return refuse(format!(
            "a key of {} bytes, the limit is {KEY_BYTES_MAX}",
            key.len()
        ));
    }
    Ok(())
}

fn check_written_once(batch: &Batch) -> Result<(), CommitError> {
    if batch.puts.len() + batch.deletes.len() < 2 {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(batch.puts.len() + batch.deletes.len());
    if written_keys(batch).all(|key| seen.insert(key)) {
        return Ok(());
    }
    refuse("a key occurs twice among puts and deletes".to_owned())
}

fn refuse(what: String) -> Result<(), CommitError> {
    Err(CommitError::TooLarge(what))
}
