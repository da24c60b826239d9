//! What an operator writes, and the passwords in it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use store::redacted;

use crate::config::{Given, Loaded, StoreUrl, load, shown, shown_json};
use crate::temporary::written;

/// Stands where a password stands; nobody else would write it.
const PASSWORD: &str = "vErY-sEcReT-0451";

static EMPTY: OnceLock<PathBuf> = OnceLock::new();

/// A file, then behind a zero byte lines for `--set`, or with a `$` in front variables.
pub(crate) fn file_and_flags(data: &[u8]) {
    let (file, lines) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (
            data.get(..at).unwrap_or_default(),
            data.get(at + 1..).unwrap_or_default(),
        ),
        None => (data, &b""[..]),
    };
    let lines = String::from_utf8_lossy(lines);
    let lines = || lines.lines().take(32);
    let set = lines().filter(|line| !line.starts_with('$'));
    let set = set.map(str::to_owned).collect();
    let variables = lines().filter_map(|line| line.strip_prefix('$')?.split_once('='));
    let variables: Vec<(OsString, OsString)> = variables
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let given = Given {
        file: Some(written("given.toml", file)),
        set,
    };
    match load(&given, variables) {
        Ok(loaded) => reads_back(&loaded),
        Err(problems) => assert!(!problems.0.is_empty(), "a refusal says why"),
    }
}

/// What `config show` prints is a file of the same configuration, unless a password was left out.
fn reads_back(loaded: &Loaded) {
    let text = shown(loaded, false);
    let with_origins = shown(loaded, true);
    assert!(with_origins.lines().count() >= text.lines().count());
    if text.contains("***") {
        return;
    }
    // What follows from other keys follows from them again: a host that is no domain of its own may be
    // shown as one.
    let mut own = String::new();
    for (line, shown) in text.lines().zip(with_origins.lines()) {
        if !shown.ends_with("# from other keys") {
            own.push_str(line);
            own.push('\n');
        }
    }
    let given = Given {
        file: Some(written("shown.toml", own.as_bytes())),
        set: Vec::new(),
    };
    let again = load(&given, []).expect("what is shown is a configuration");
    assert_eq!(shown(&again, false), text);
    let values = |loaded: &Loaded| -> Vec<serde_json::Value> {
        let all = shown_json(loaded);
        let all = all.as_object().expect("an object of keys");
        all.values().map(|key| key["value"].clone()).collect()
    };
    assert_eq!(values(&again), values(loaded));
}

/// A database's URL with a password in one of the two places for it, and anything around.
pub(crate) fn store_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Nothing that was not put there.
    if text.contains(PASSWORD) {
        return;
    }
    // Without a password nothing is promised but an end.
    let _is_target = store::parsers::database_url(text);
    let _is_url = StoreUrl::parse(text);
    let mut parts = text.split('\n');
    let mut part = || parts.next().unwrap_or_default();
    let (user, host, query) = (part(), part(), part());
    for url in [
        format!("postgres://{user}:{PASSWORD}@{host}"),
        format!("postgres://{user}:{PASSWORD}@{host}?{query}"),
        format!("postgresql://{user}@{host}?password={PASSWORD}"),
        format!("postgresql://{user}@{host}?{query}&password={PASSWORD}"),
        format!("postgresql://{user}@{host}?{query}&password={PASSWORD}&{host}"),
    ] {
        keeps_quiet(&redacted(&url));
        if let Err(said) = store::parsers::database_url(&url) {
            keeps_quiet(&said);
        }
        match StoreUrl::parse(&url) {
            Ok(url) => keeps_quiet(&format!("{url} {url:?}")),
            Err(said) => keeps_quiet(&said),
        }
        configured(&url);
    }
}

/// The same as a value of the configuration, and as a mistaken one.
fn configured(url: &str) {
    let empty = EMPTY.get_or_init(|| written("empty.toml", b""));
    for flag in [
        format!("store.url={url}"),
        format!("server.public_url={url}"),
        format!("server.listen={url}"),
        url.to_owned(),
    ] {
        let given = Given {
            file: Some(empty.clone()),
            set: vec![flag],
        };
        match load(&given, []) {
            Ok(loaded) => {
                keeps_quiet(&shown(&loaded, true));
                keeps_quiet(&shown_json(&loaded).to_string());
                keeps_quiet(&format!("{loaded:?}"));
            }
            Err(problems) => keeps_quiet(&problems.to_string()),
        }
    }
}

fn keeps_quiet(said: &str) {
    assert!(!said.contains(PASSWORD), "a password is shown: {said}");
}
