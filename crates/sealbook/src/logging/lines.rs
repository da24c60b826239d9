//! The form of a line. Whatever a field holds, an event is one line, nothing in it moves a terminal's
//! cursor, and it has a bounded length.
//!
//! A line of text can be read back, and none can be made to say what was not said. After the time and
//! the level comes the message, then for each field a blank, its name, `=` and its value. A value is
//! in quotes unless it is one plain word. A message has no `=` of its own and a word no quote and no
//! backslash; what may not stand somewhere is written as a backslash and what Rust writes behind one:
//! `\\`, `\"`, `\n`, `\u{202e}`.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Characters of a field that are written.
const FIELD_LENGTH_MAX: usize = 256;
/// Characters of the message that are written. It is ours, but errors in it may quote something.
const MESSAGE_LENGTH_MAX: usize = 2048;
/// What stands for the rest.
const CUT: char = '…';

/// One JSON object a line: `ts`, `level`, `target`, `msg`, then the event's fields.
pub(super) struct JsonLines;

/// Time, level, message and fields for people.
pub(super) struct TextLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = json_line(&now()?, event);
        writeln!(writer, "{line}")
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = text_line(&now()?, event, writer.has_ansi_escapes());
        writeln!(writer, "{line}")
    }
}

fn now() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    Ok(time)
}

fn json_line(time: &str, event: &Event<'_>) -> String {
    let fields = Fields::of(event);
    let meta = event.metadata();
    let mut line = String::from("{");
    let first = [
        ("ts", time),
        ("level", meta.level().as_str()),
        ("target", meta.target()),
        ("msg", &fields.message),
    ];
    for (name, value) in first {
        push_json(&mut line, name, &value.into());
    }
    for (name, value) in &fields.others {
        push_json(&mut line, name, value);
    }
    line + "}"
}

/// Adds a member of an object. What JSON may hold as it is, but some reader takes for the end of a
/// line or for a command, is escaped too.
fn push_json(line: &mut String, name: &str, value: &Value) {
    if !line.ends_with('{') {
        line.push(',');
    }
    for char in format!("\"{name}\":{value}").chars() {
        if is_unsafe(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // A String takes whatever is written to it.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(char);
        }
    }
}

fn text_line(time: &str, event: &Event<'_>, with_colour: bool) -> String {
    let fields = Fields::of(event);
    let level = event.metadata().level();
    let (on, off) = if with_colour {
        (colour(level), "\u{1b}[0m")
    } else {
        ("", "")
    };
    let mut line = format!("{time} {on}{:>5}{off} ", level.as_str());
    push_escaped(&mut line, &fields.message, '=');
    for (name, value) in &fields.others {
        line.push(' ');
        line.push_str(name);
        line.push('=');
        match value {
            Value::String(text) if is_word(text) => line.push_str(text),
            Value::String(text) => {
                line.push('"');
                push_escaped(&mut line, text, '"');
                line.push('"');
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => push_escaped(&mut line, &value.to_string(), '\\'),
        }
    }
    line
}

/// Writes a text without what is unsafe, without backslashes of its own, and without `mark`.
fn push_escaped(line: &mut String, text: &str, mark: char) {
    for char in text.chars() {
        match char {
            '\\' | '"' if char == '\\' || char == mark => line.extend(['\\', char]),
            _ if is_unsafe(char) => line.extend(char.escape_default()),
            _ if char == mark => line.extend(char.escape_unicode()),
            _ => line.push(char),
        }
    }
}

fn is_word(text: &str) -> bool {
    let marks = ['"', '\\'];
    let plain = |char: char| !(char.is_whitespace() || is_unsafe(char) || marks.contains(&char));
    !text.is_empty() && text.chars().all(plain)
}

/// What ends a line, moves a cursor, or cannot be seen and changes how the rest looks: controls,
/// separators of lines and paragraphs, and format characters (categories Cc, Zl, Zp and Cf), which
/// turn the direction of text, join it, or hide in it.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

fn colour(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG | Level::TRACE => "\u{1b}[2m",
    }
}

/// What an event says, cut to its bounds.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = cut(format_args!("{value:?}"), MESSAGE_LENGTH_MAX);
        } else {
            let text = cut(format_args!("{value:?}"), FIELD_LENGTH_MAX);
            self.put(field, text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// The first characters of what is displayed; no more of it is ever kept.
fn cut(shown: fmt::Arguments<'_>, most: usize) -> String {
    let (text, left) = (String::new(), most);
    let mut kept = Kept { text, left };
    // It fails when enough was written.
    if kept.write_fmt(shown).is_err() {
        kept.text.push(CUT);
    }
    kept.text
}

/// Takes so many characters and refuses the others.
struct Kept {
    text: String,
    left: usize,
}

impl fmt::Write for Kept {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
