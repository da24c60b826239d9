//! Reading the three sources: file, environment, flags. Later ones win.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use checkers::configured::PlatformKeys;
use store::redacted;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SECTIONS;
use super::platforms::{self, PLATFORMS_MAX, Placed};
use super::problem::{Problem, nearest};
use super::schema::{Key, Setting};

/// Bytes a configuration file may have.
const FILE_BYTES_MAX: usize = 1 << 20;
/// What our variables start with.
const PREFIX: &str = "SEALBOOK_";

/// A value as a source has it. It may hold a password, so it is shown by its kind only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// From the environment, a flag or a default: text whose meaning depends on the key.
    Words(String),
    /// A string of the file.
    Text(String),
    /// A boolean of the file.
    Flag(bool),
    /// A whole number of the file.
    Number(i64),
    /// A list of strings of the file.
    List(Vec<String>),
    /// Something of the file that no key takes, by what TOML calls it.
    Other(String),
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words(_) => "Words",
            Self::Text(_) => "Text",
            Self::Flag(_) => "Flag",
            Self::Number(_) => "Number",
            Self::List(_) => "List",
            Self::Other(_) => "Other",
        })
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// The file: path, line and column from 1.
    File(PathBuf, usize, usize),
    /// The variable of this name.
    Environment(String),
    /// `--set` of this key.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

/// What the sources say of each key, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    found: BTreeMap<&'static str, (Raw, Origin)>,
    /// The `[[platform]]` sections.
    pub(crate) platforms: Vec<PlatformKeys>,
    pub(crate) problems: Vec<Problem>,
}

impl Values {
    /// Where the value of `section.key` comes from.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        let found = self.found.get(key);
        found.map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Reads the value of `section.key`, or its default; `None` and a problem when it is no value of
    /// this type.
    pub(crate) fn read<T: Setting>(&mut self, key: &str, default: &str) -> Option<T> {
        let default = (Raw::Words(default.to_owned()), Origin::Default);
        let (raw, origin) = self.found.get(key).unwrap_or(&default);
        match T::read(raw) {
            Ok(value) => Some(value),
            Err(found) => {
                self.problems.push(Problem {
                    place: origin.to_string(),
                    said: format!("{key}: expected {}, {}", T::KIND, redacted(&found)),
                });
                None
            }
        }
    }

    /// Takes everything a file says.
    pub(crate) fn read_file(&mut self, path: &Path) {
        let text = match fs::read(path) {
            Ok(bytes) if bytes.len() > FILE_BYTES_MAX => {
                return self.wrong(path.display(), "the file is longer than 1 MiB");
            }
            Ok(bytes) => String::from_utf8(bytes),
            Err(error) => return self.wrong(path.display(), format!("cannot read it: {error}")),
        };
        let Ok(text) = text else {
            return self.wrong(path.display(), "the file is not UTF-8 text");
        };
        let file = File { path, text: &text };
        match DeTable::parse(&text) {
            Ok(table) => self.read_sections(&file, table.into_inner()),
            Err(error) => {
                let place = file.place(error.span().unwrap_or_default());
                self.wrong(place, format!("not TOML: {}", error.message()));
            }
        }
    }

    fn read_sections(&mut self, file: &File<'_>, table: DeTable<'_>) {
        for (name, value) in table {
            let place = file.place(name.span());
            let name = name.into_inner();
            if name == platforms::SECTION {
                self.read_platforms(file, &place, value.into_inner());
                continue;
            }
            let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
                let names = SECTIONS.iter().map(|section| section.name);
                let meant = did_you_mean(nearest(&name, names).map(|name| format!("[{name}]")));
                self.wrong(place, format!("{name}: unknown section{meant}"));
                continue;
            };
            let DeValue::Table(keys) = value.into_inner() else {
                let said = format!("{name}: is a section: write [{name}] and its keys below");
                self.wrong(place, said);
                continue;
            };
            for (key, value) in keys {
                let path = format!("{}.{}", section.name, key.get_ref());
                match find(&path) {
                    Some(known) => self.put(known, file, value),
                    None => self.unknown(file.place(key.span()), &path),
                }
            }
        }
    }

    /// Takes the `[[platform]]` sections.
    fn read_platforms(&mut self, file: &File<'_>, at: &Origin, value: DeValue<'_>) {
        let DeValue::Array(sections) = value else {
            return self.wrong(at, "platform: there may be several: write [[platform]]");
        };
        if sections.len() > PLATFORMS_MAX {
            let said = format!("platform: there are more than {PLATFORMS_MAX}");
            return self.wrong(at, said);
        }
        for section in sections {
            let place = file.place(section.span());
            let DeValue::Table(table) = section.into_inner() else {
                self.wrong(place, "platform: is a section: write [[platform]]");
                continue;
            };
            self.read_platform(file, &place, table);
        }
    }

    fn read_platform(&mut self, file: &File<'_>, at: &Origin, table: DeTable<'_>) {
        let values = table.into_iter().map(|(name, value)| {
            let place = file.place(value.span());
            let raw = raw(value.into_inner());
            (name.into_inner().into_owned(), Placed { raw, place })
        });
        match platforms::read(&values.collect(), at) {
            Ok(keys) if self.platforms.iter().any(|it| it.name == keys.name) => {
                let said = format!("platform.name: there is a {} already", keys.name);
                self.wrong(at, said);
            }
            Ok(keys) => self.platforms.push(keys),
            Err(wrong) => wrong
                .into_iter()
                .for_each(|(place, said)| self.wrong(place, said)),
        }
    }

    fn put(&mut self, key: &'static Key, file: &File<'_>, value: Spanned<DeValue<'_>>) {
        let origin = file.place(value.span());
        self.found
            .insert(key.path, (raw(value.into_inner()), origin));
    }

    /// Takes every variable that looks like `SEALBOOK_SECTION__KEY`. Others that start alike are
    /// left alone: container platforms make such up.
    pub(crate) fn read_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) {
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(path) = name.strip_prefix(PREFIX).filter(|path| path.contains("__")) else {
                continue;
            };
            let known = keys().find(|key| key.variable() == name);
            match (known, value.into_string()) {
                (Some(key), Ok(value)) => {
                    let origin = Origin::Environment(name.to_owned());
                    self.found.insert(key.path, (Raw::Words(value), origin));
                }
                (Some(_), Err(_)) => self.wrong(name, "the value is not UTF-8 text"),
                (None, _) => {
                    let path = path.to_lowercase().replace("__", ".");
                    let meant = did_you_mean(nearest_key(&path).map(Key::variable));
                    self.wrong(name, format!("unknown key{meant}"));
                }
            }
        }
    }

    /// Takes what `--set` was given.
    pub(crate) fn read_flags(&mut self, set: &[String]) {
        for given in set {
            // A URL has = in it too, and what stands before may be a part of its password.
            let pair = given.split_once('=');
            let Some((path, value)) = pair.filter(|(path, _)| is_path(path.trim())) else {
                self.wrong(
                    format!("--set {}", redacted(given)),
                    "write it as section.key=value, such as server.listen=127.0.0.1:8081",
                );
                continue;
            };
            let path = path.trim();
            match find(path) {
                Some(key) => {
                    let raw = Raw::Words(value.trim().to_owned());
                    self.found
                        .insert(key.path, (raw, Origin::Flag(path.into())));
                }
                None => self.unknown(Origin::Flag(path.into()), path),
            }
        }
    }

    fn unknown(&mut self, place: impl fmt::Display, path: &str) {
        let meant = did_you_mean(nearest_key(path).map(|key| key.path.to_owned()));
        self.wrong(place, format!("{path}: unknown key{meant}"));
    }

    fn wrong(&mut self, place: impl fmt::Display, said: impl Into<String>) {
        self.problems.push(Problem {
            place: place.to_string(),
            said: said.into(),
        });
    }
}

/// A value of the file.
fn raw(value: DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Boolean(flag) => Raw::Flag(flag),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or_else(
                || Raw::Other("a list with something that is not a string".into()),
                Raw::List,
            ),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or_else(
                |_| Raw::Other("a number that is too large".into()),
                Raw::Number,
            ),
        other @ (DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_)) => {
            Raw::Other(format!("a value of type {}", other.type_str()))
        }
    }
}

/// A file being read.
struct File<'f> {
    path: &'f Path,
    text: &'f str,
}

impl File<'_> {
    /// Line and column where a span starts, both from 1, in characters.
    fn place(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let in_line = before.get(line_start..).unwrap_or_default();
        let column = in_line.chars().count().saturating_add(1);
        Origin::File(self.path.to_owned(), line, column)
    }
}

fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// Whether a text could be the path of a key.
fn is_path(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}

/// The key that was meant: near as a whole, or the same but for its section.
fn nearest_key(path: &str) -> Option<&'static Key> {
    let name = path.rsplit('.').next().unwrap_or(path);
    nearest(path, keys().map(|key| key.path))
        .and_then(find)
        .or_else(|| keys().find(|key| key.name == name))
}

fn did_you_mean(word: Option<String>) -> String {
    word.map_or_else(
        || "; see docs/CONFIG.md or `sealbook config default` for all of them".to_owned(),
        |word| format!(", did you mean {word}?"),
    )
}
