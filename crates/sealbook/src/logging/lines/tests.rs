use std::io;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What `say` logs, as JSON and as text.
fn logged(say: impl Fn()) -> (String, String) {
    let (json, text) = (Written::default(), Written::default());
    let (to_json, to_text) = (json.clone(), text.clone());
    let log = || tracing_subscriber::fmt().with_max_level(Level::TRACE);
    let subscriber = log()
        .event_format(JsonLines)
        .with_writer(move || to_json.clone());
    tracing::subscriber::with_default(subscriber.finish(), &say);
    let subscriber = log()
        .with_ansi(false)
        .event_format(TextLines)
        .with_writer(move || to_text.clone());
    tracing::subscriber::with_default(subscriber.finish(), &say);
    (json.text(), text.text())
}

const HOSTILE: &[&str] = &[
    "a\nb",
    "a\r\nGET / HTTP/1.1",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "a\u{2028}b\u{2029}c\u{85}d",
    "\u{202e}txt.exe\u{2066}",
    "\"},{\"level\":\"ERROR\",\"msg\":\"forged",
    "\0\u{7f}\u{9b}",
    "back\\slash%0aand%0d",
    "a\\nb",
    "\\",
    "\\\\\"",
    "\\u{202e}",
    "x status=200",
    "\" level=ERROR \"",
    "a=b",
    "=",
    "\u{61c}\u{200e}\u{200b}\u{feff}\u{ad}\u{2063}",
    "\u{e0041}\u{1d173}",
    "200",
    "null",
    "",
    " ",
];

/// The character behind a backslash.
fn unescape(chars: &mut std::str::Chars<'_>) -> char {
    match chars.next().unwrap() {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let digits: String = chars.take_while(|char| *char != '}').collect();
            let number = u32::from_str_radix(digits.strip_prefix('{').unwrap(), 16);
            char::from_u32(number.unwrap()).unwrap()
        }
        mark => {
            assert!("\\\"".contains(mark), "{mark}");
            mark
        }
    }
}

/// Reads a text up to a mark of its end that no backslash is in front of.
fn read_until(text: &str, is_end: impl Fn(char) -> bool) -> (String, &str) {
    let (mut read, mut chars) = (String::new(), text.chars());
    loop {
        let rest = chars.as_str();
        match chars.next() {
            None => return (read, rest),
            Some(char) if is_end(char) => return (read, rest),
            Some('\\') => read.push(unescape(&mut chars)),
            Some(char) => read.push(char),
        }
    }
}

/// The message of a line of text and its fields, as whoever reads the log would find them.
fn read_back(line: &str) -> (String, Vec<(String, String)>) {
    let (_, rest) = line.split_once("Z ").unwrap();
    let rest = rest.trim_start().split_once(' ').unwrap().1;
    // The first `=` is behind the name of the first field, and the blank before that ends the message.
    let (before, _) = rest.split_once('=').unwrap_or((rest, ""));
    let (message, _) = before.rsplit_once(' ').unwrap();
    let mut rest = rest.strip_prefix(message).unwrap();
    let (message, _) = read_until(message, |_| false);
    let mut fields = Vec::new();
    while let Some((name, value)) = rest.strip_prefix(' ').and_then(|it| it.split_once('=')) {
        let (value, left) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (value, left) = read_until(quoted, |char| char == '"');
                (value, left.strip_prefix('"').unwrap())
            }
            None => read_until(value, |char| char == ' '),
        };
        fields.push((name.to_owned(), value));
        rest = left;
    }
    assert_eq!(rest, "");
    (message, fields)
}

#[test]
fn a_line_of_text_reads_back() {
    for one in HOSTILE {
        for two in HOSTILE {
            let (_, text) = logged(|| {
                tracing::warn!(agent = *one, number = 7, shown = %two, "said {one} and {two}");
            });
            let (message, fields) = read_back(text.strip_suffix('\n').unwrap());
            assert_eq!(message, format!("said {one} and {two}"), "{text:?}");
            let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let expect = [
                field("agent", one),
                field("number", "7"),
                field("shown", two),
            ];
            assert_eq!(fields, expect, "{text:?}");
        }
    }
}

#[test]
fn what_a_field_holds_stays_in_it() {
    for hostile in HOSTILE {
        let (json, text) = logged(|| {
            tracing::warn!(agent = *hostile, shown = %hostile, debug = ?hostile, "said {hostile}");
        });
        for written in [&json, &text] {
            assert_eq!(written.lines().count(), 1, "{written:?}");
            let line = written.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(is_unsafe), "{written:?}");
        }
        let line: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(line["agent"], *hostile);
        assert_eq!(line["shown"], *hostile);
        assert_eq!(line["msg"], format!("said {hostile}"));
        assert_eq!(line["level"], "WARN");
    }
}

#[test]
fn a_long_field_is_cut() {
    let long = "é\n".repeat(1 << 19);
    let (json, text) = logged(|| tracing::info!(agent = %long, "{long}"));
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["agent"].as_str().unwrap().chars().count(), 257);
    assert!(line["agent"].as_str().unwrap().ends_with(CUT));
    assert_eq!(line["msg"].as_str().unwrap().chars().count(), 2049);
    assert!(json.len() < 12_000 && text.len() < 12_000);
    let exact = "x".repeat(256);
    let (json, _) = logged(|| tracing::info!(agent = %exact, "short"));
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["agent"], exact);
}

#[test]
fn a_line_has_its_fields_in_order_and_by_type() {
    let (json, text) = logged(|| {
        tracing::info!(
            req_id = "a1",
            status = 200_u16,
            dur_ms = 1.5,
            ok = true,
            client = None::<String>,
            "request answered"
        );
    });
    let (time, rest) = json.split_once(",\"level\"").unwrap();
    assert!(
        time.starts_with("{\"ts\":\"20") && time.ends_with("Z\""),
        "{time}"
    );
    let target = module_path!();
    assert_eq!(
        rest,
        format!(
            ":\"INFO\",\"target\":\"{target}\",\"msg\":\"request answered\",\"req_id\":\"a1\",\
             \"status\":200,\"dur_ms\":1.5,\"ok\":true}}\n"
        )
    );
    let (_, rest) = text.split_once("Z ").unwrap();
    assert_eq!(
        rest,
        " INFO request answered req_id=a1 status=200 dur_ms=1.5 ok=true\n"
    );
    let (_, text) = logged(|| tracing::info!(what = "two \"words\"", none = "", "said"));
    let (_, rest) = text.split_once("Z ").unwrap();
    assert_eq!(rest, " INFO said what=\"two \\\"words\\\"\" none=\"\"\n");
}
