//! The kept inputs, and near relatives of each, in the ordinary tests.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use fuzz::{CANARY, TARGETS};

/// Most relatives of one input that are tried.
const RELATIVES_MAX: usize = 64;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target, in the order of their names.
fn inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fs::read_dir(corpus().join(name)).unwrap_or_else(|error| {
        unreachable!("{name} has no folder of inputs: {error}");
    });
    let mut paths: Vec<PathBuf> = folder
        .map(|entry| entry.expect("read the folder").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("read an input");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_kept_input_and_its_relatives_pass() {
    for target in TARGETS {
        let inputs = inputs(target.name);
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        for (path, bytes) in inputs {
            assert!(bytes.len() <= target.bytes_max, "{path:?} is cut off");
            target.run(&bytes);
            let step = bytes.len().div_ceil(RELATIVES_MAX).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target.run(&bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                target.run(&flipped);
            }
        }
    }
}

#[test]
fn every_folder_has_a_target() {
    let folders = fs::read_dir(corpus()).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let targets = TARGETS.iter().map(|target| target.name.to_owned());
    assert_eq!(
        folders.collect::<BTreeSet<_>>(),
        targets.collect::<BTreeSet<_>>()
    );
}

#[test]
fn the_planted_fault_is_a_fault() {
    CANARY.run(b"C4n@\x07?");
    assert!(catch_unwind(|| CANARY.run(b"C4n@\x07! and more")).is_err());
}
