//! Fuzz targets: every parser that meets bytes from outside, as a plain function of bytes that panics
//! when a promise is broken.
//!
//! Not only "does not crash": what is accepted is written back as the same bytes or as the same value,
//! a verifier takes no mutant of a valid proof, a password is in no message. `cargo xtask fuzz` runs
//! each target under libFuzzer, `tests/corpus.rs` runs the kept inputs in the ordinary tests.
//!
//! A new target is a function in one of the modules below, a row of [`TARGETS`] and a folder of seeds
//! in `corpus/`.

mod addresses;
mod canary;
mod claims;
mod configuration;
mod fixture;
mod forged;
mod proofs;
mod replies;
mod requests;
mod services;
mod stored;
mod temporary;
mod trees;

// The server's configuration, its reader of an original server's records and its look at heads of
// requests are parts of a binary, which nothing can depend on: their files are compiled here a second
// time, under the paths they have there.
#[path = "../../sealbook/src"]
#[expect(
    dead_code,
    reason = "the server uses all of it, and is where it is checked"
)]
// Its tests, which only lints compile here, use all it hands on.
#[cfg_attr(not(test), expect(unused_imports, reason = "the same"))]
mod server {
    pub(crate) mod config;
    pub(crate) mod failure;

    pub(crate) mod commands {
        pub(crate) mod import {
            mod database;
            mod record;
            #[path = "../../../../fuzz/src/imports.rs"]
            pub(crate) mod targets;
        }
    }

    pub(crate) mod listen {
        pub(crate) mod heads {
            mod scanner;
            #[path = "../../../../fuzz/src/heads.rs"]
            pub(crate) mod targets;
        }
    }
}
use server::commands::import::targets as imports;
use server::listen::heads::targets as heads;
use server::{config, failure};
/// What the configuration names of the server.
mod wire_up {
    /// As in the server.
    pub(crate) const STORE: &str = "store";
}

/// One parser, or one verifier.
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Longest input, in bytes: what the parser itself would read, or enough to reach all of it.
    pub bytes_max: usize,
    check: fn(&[u8]),
}

impl Target {
    /// Runs the target; input beyond its length is cut off.
    ///
    /// # Panics
    /// When the parser panics, or what it accepted breaks a promise.
    pub fn run(&self, data: &[u8]) {
        (self.check)(data.get(..self.bytes_max).unwrap_or(data));
    }
}

/// The target of this name; also [`CANARY`].
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    let all = TARGETS.iter().chain([&CANARY]);
    all.into_iter().find(|target| target.name == name)
}

const fn target_of(name: &'static str, bytes_max: usize, check: fn(&[u8])) -> Target {
    Target {
        name,
        bytes_max,
        check,
    }
}

/// The control: it has a fault behind a few bytes that no chance finds, so a run that does not find it
/// shows an engine that sees no branches.
pub const CANARY: Target = target_of("canary", 64, canary::check);

/// Every target.
pub const TARGETS: &[Target] = &[
    target_of("answer", 8192, replies::answer),
    target_of("archive_answer", 4096, services::archive_answer),
    target_of("archive_bundle", 16 << 10, claims::bundle),
    target_of("archive_tags", 4200, claims::tags),
    target_of("base1024", 4200, claims::base1024),
    target_of("base64", 4096, requests::base64),
    target_of("bundle", 16 << 10, replies::bundle),
    target_of("client_link", 4096, stored::link),
    target_of("commit_marks", 1024, stored::commit_marks),
    target_of("config", 4096, configuration::file_and_flags),
    target_of("dns_txt", 4200, claims::dns_txt),
    target_of("domain", 1024, addresses::domain),
    target_of("entry_bundle", 4096, trees::entry_bundle),
    target_of("forged_bundle", 256, forged::bundle),
    target_of("forged_log_proof", 256, forged::log_proof),
    target_of("forged_map_proof", 256, forged::map_proof),
    target_of("forged_note", 256, forged::note),
    target_of("forwarding", 2048, addresses::forwarding),
    target_of("hashes", 256, trees::hashes),
    target_of("import_file", 16 << 10, imports::file),
    target_of("import_row", 4096, imports::row),
    target_of("journal", 2048, stored::journal),
    target_of("json_depth", 2048, requests::json_depth),
    target_of("jwk", 16 << 10, claims::jwk),
    target_of("key_file", 4096, stored::key_file),
    target_of("key_forms", 512, claims::key_forms),
    target_of("location", 2048, addresses::location),
    target_of("map_page", 4096, trees::map_page),
    target_of("map_proof", 16 << 10, trees::map_proof),
    target_of("name", 2048, requests::name),
    target_of("note", 8192, trees::note),
    target_of("payload", 8192, requests::payload),
    target_of("post", 4096, claims::post),
    target_of("profile", 2048, stored::profile),
    target_of("proof_body", 8192, proofs::body),
    target_of("proof_file", 16 << 10, trees::proof_file),
    target_of("proof_query", 2048, proofs::query),
    target_of("proxies", 1024, addresses::proxies),
    target_of("range", 4096, trees::range),
    target_of("remembered", 16 << 10, replies::remembered),
    target_of("remote_reply", 4096, replies::remote),
    target_of("reply", 8192, replies::toxme),
    target_of("request", 64 << 10, requests::outer),
    target_of("request_heads", 4096, heads::heads),
    target_of("row", 4096, stored::row),
    target_of("service_answer", 16 << 10, services::answer),
    target_of("sign_payload", 8200, claims::payload),
    target_of("signature_text", 4200, claims::signature_text),
    target_of("store_url", 1024, configuration::store_url),
    target_of("tile_path", 256, trees::tile_path),
    target_of("tox_id", 256, requests::tox_id),
    target_of("upstream_url", 1024, addresses::upstream_url),
    target_of("vkey", 1024, trees::verifier_key),
];
