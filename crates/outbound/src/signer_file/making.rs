//! Making the five files, so that a first start that is cut short leaves nothing to clean up.
//!
//! They are written in a folder below the key directory, which gets another name once all of them
//! are on disk; only then are they moved to their places. The next start throws away a folder of the
//! first name, and goes on with one of the second. So it works in a directory that may not itself be
//! renamed, such as a volume of a container.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::{
    COMMITMENT_KEY, FILES, KeyError, LOG_KEY, PEPPER_KEY, RECORD_KEY, Seeds, TOXME_KEY, failed,
};
use crate::files;

/// Folder of files that may be incomplete; nothing was done with their keys.
const UNFINISHED: &str = "unfinished";
/// Folder of files that are complete, and on their way to their places.
const FINISHED: &str = "finished";

/// Makes the five files in a directory that has none of them.
pub(super) fn make(dir: &Path, seeds: &Seeds) -> Result<(), KeyError> {
    let unfinished = dir.join(UNFINISHED);
    files::make_dir(&unfinished).map_err(failed("make the directory", &unfinished))?;
    for (name, key) in [
        (LOG_KEY, seeds.log.expose()),
        (TOXME_KEY, seeds.toxme.expose()),
        (RECORD_KEY, seeds.record.expose()),
        (COMMITMENT_KEY, seeds.commitment.expose()),
        (PEPPER_KEY, seeds.pepper.expose()),
    ] {
        let path = unfinished.join(name);
        let mut text = Zeroizing::new(HEXLOWER.encode(key));
        text.push('\n');
        files::create(&path, text.as_bytes()).map_err(failed("write", &path))?;
    }
    sync(&unfinished)?;
    let finished = dir.join(FINISHED);
    fs::rename(&unfinished, &finished).map_err(failed("rename", &unfinished))?;
    sync(dir)?;
    put_in_place(dir)?;
    sync(dir.parent().unwrap_or(dir))
}

/// Goes on where an earlier start was cut short.
pub(super) fn resume(dir: &Path) -> Result<(), KeyError> {
    let unfinished = dir.join(UNFINISHED);
    if exists(&unfinished)? {
        for name in FILES {
            let path = unfinished.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("remove", &path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        fs::remove_dir(&unfinished).map_err(failed("remove", &unfinished))?;
    }
    if exists(&dir.join(FINISHED))? {
        put_in_place(dir)?;
    }
    Ok(())
}

/// Moves the files to their places; those that are there already stay.
fn put_in_place(dir: &Path) -> Result<(), KeyError> {
    let finished = dir.join(FINISHED);
    let mut moves = Vec::with_capacity(FILES.len());
    for present in FILES {
        let (from, to) = (finished.join(present), dir.join(present));
        if !exists(&from)? {
            continue;
        }
        if exists(&to)? {
            let path = finished;
            return Err(KeyError::Unfinished { path, present });
        }
        moves.push((from, to));
    }
    for (from, to) in moves {
        fs::rename(&from, &to).map_err(failed("rename", &from))?;
    }
    // All names are on disk in their new places before the folder that says so goes.
    sync(dir)?;
    fs::remove_dir(&finished).map_err(failed("remove", &finished))?;
    sync(dir)
}

fn exists(path: &Path) -> Result<bool, KeyError> {
    path.try_exists().map_err(failed("look for", path))
}

fn sync(dir: &Path) -> Result<(), KeyError> {
    files::sync_dir(dir).map_err(failed("write", dir))
}
