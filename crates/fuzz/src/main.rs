//! The engine around one target: libFuzzer, whose options and folders are the arguments, and
//! `--target=NAME`; `--list` prints names and lengths. `cargo xtask fuzz` builds and starts it.
#![no_main]

use std::io::Write as _;
use std::sync::OnceLock;

use fuzz::{CANARY, TARGETS, Target, target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        target.run(data);
    }
});

/// Takes the target of `--target=NAME`; libFuzzer itself leaves such arguments alone.
fn choose() {
    if std::env::args().any(|word| word == "--list") {
        list();
    }
    let name = std::env::args().find_map(|word| word.strip_prefix("--target=").map(str::to_owned));
    let found = name.as_deref().and_then(target);
    let found = found.expect("--target=NAME names one of the targets");
    CHOSEN.get_or_init(|| found);
}

/// Ends the process.
fn list() {
    let mut out = std::io::stdout().lock();
    for target in TARGETS.iter().chain([&CANARY]) {
        let written = writeln!(out, "{} {}", target.name, target.bytes_max);
        written.expect("write to standard output");
    }
    std::process::exit(0);
}
