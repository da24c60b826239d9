//! Fault experiments on three embedded engines (fjall, redb, LMDB through heed), on the project's
//! own store, and on a plain file as the control.
//!
//! `storefaults power|nosync|torn|damage|full ENGINE ROUNDS TOOLS` runs rounds and prints one line
//! of counts. TOOLS is a directory with `shut` and `torn.so`, built from `tests/tools`:
//! `cc -O2 -o shut shut.c; cc -O2 -shared -fPIC -o torn.so torn.c -ldl`.
//! `power`, `nosync` and `full` mount a loop device and need root.

mod adapter;
mod engines;
mod faults;
mod work;

use std::path::Path;

fn main() -> engines::Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", engine, dir, until, settle_at, sync] => work::write(
            engine,
            Path::new(dir),
            until.parse()?,
            settle_at.parse()?,
            *sync == "sync",
        ),
        ["verify", engine, dir] => work::print_verdict(engine, Path::new(dir)),
        ["fill", engine, dir] => faults::fill_child(engine, Path::new(dir)),
        [kind, engine, rounds, tools] => {
            faults::run(kind, engine, rounds.parse()?, Path::new(tools))
        }
        _ => Err(format!(
            "usage: storefaults power|nosync|torn|damage|full {} ROUNDS TOOLS",
            engines::NAMES.join("|")
        )
        .into()),
    }
}
