//! Parser of `routes! { State; get ["/a", "/b"] => module::file::handle; … }`.

use crate::source::{Source, closing, is_word, line_of};

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Upper case, or `*` for the fallback.
    pub(crate) method: String,
    /// All spellings; none for the fallback.
    pub(crate) paths: Vec<String>,
    /// `module::file::handle`.
    pub(crate) handler: String,
    /// Line in the file, from 1.
    pub(crate) line: usize,
}

/// A table that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) line: usize,
    pub(crate) message: String,
}

const METHODS: &[&str] = &[
    "any", "connect", "delete", "get", "head", "options", "patch", "post", "put", "trace",
];

/// All routes of all tables in a file.
pub(crate) fn parse(text: &str) -> Result<Vec<Route>, ParseError> {
    const MARKER: &str = "routes!";
    let source = Source::new(text);
    let mut routes = Vec::new();
    for (at, _) in source.code.match_indices(MARKER) {
        let before = source
            .code
            .as_bytes()
            .get(at.wrapping_sub(1))
            .copied()
            .unwrap_or(b' ');
        if is_word(before) {
            continue;
        }
        let after = at + MARKER.len();
        let rest = source.code.get(after..).unwrap_or_default();
        let open = after + (rest.len() - rest.trim_start().len());
        let end = closing(&source.code, open);
        let body = source
            .uncommented
            .get(open + 1..end.saturating_sub(1))
            .unwrap_or_default();
        let found = Table {
            text,
            offset: open + 1,
            body,
        }
        .routes()?;
        routes.extend(found);
    }
    Ok(routes)
}

struct Table<'t> {
    text: &'t str,
    /// Of `body` in `text`.
    offset: usize,
    body: &'t str,
}

impl Table<'_> {
    fn routes(&self) -> Result<Vec<Route>, ParseError> {
        let mut routes = Vec::new();
        let mut is_first = true;
        for (at, statement) in statements(self.body) {
            let line = line_of(self.text, self.offset + at);
            // The first statement is the type of the state.
            if !std::mem::take(&mut is_first) {
                routes.push(route(statement, line)?);
            }
        }
        if routes.is_empty() {
            let line = line_of(self.text, self.offset);
            return Err(ParseError {
                line,
                message: "routes! table is empty".to_owned(),
            });
        }
        Ok(routes)
    }
}

/// The parts between semicolons that are not in a string, trimmed, with their offsets.
fn statements(body: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut in_string = false;
    let ends = body.bytes().enumerate().filter(|(_, byte)| {
        in_string ^= *byte == b'"';
        *byte == b';' && !in_string
    });
    let ends: Vec<usize> = ends.map(|(at, _)| at).chain([body.len()]).collect();
    for end in ends {
        let part = body.get(start..end).unwrap_or_default();
        let lead = part.len() - part.trim_start().len();
        if !part.trim().is_empty() {
            found.push((start + lead, part.trim()));
        }
        start = end + 1;
    }
    found
}

fn route(statement: &str, line: usize) -> Result<Route, ParseError> {
    let error = |message: String| ParseError { line, message };
    let (left, handler) = statement
        .split_once("=>")
        .ok_or_else(|| error(format!("route without =>: {statement}")))?;
    let handler: String = handler.split_whitespace().collect();
    if handler.is_empty() || !handler.bytes().all(|byte| is_word(byte) || byte == b':') {
        return Err(error(format!("handler is not a path: {handler}")));
    }
    let left = left.trim();
    if left == "fallback" {
        return Ok(Route {
            method: "*".to_owned(),
            paths: Vec::new(),
            handler,
            line,
        });
    }
    let (method, list) = left
        .split_once('[')
        .ok_or_else(|| error(format!("route without [paths]: {left}")))?;
    let method = method.trim();
    if !METHODS.contains(&method) {
        return Err(error(format!("unknown method {method}")));
    }
    let paths =
        paths(list).ok_or_else(|| error(format!("list of paths not understood: [{list}")))?;
    Ok(Route {
        method: method.to_ascii_uppercase(),
        paths,
        handler,
        line,
    })
}

/// `"/a", "/b"]` as two paths.
fn paths(list: &str) -> Option<Vec<String>> {
    let inner = list.trim().strip_suffix(']')?;
    let mut found = Vec::new();
    for part in inner
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let path = part.strip_prefix('"')?.strip_suffix('"')?;
        if !path.starts_with('/') {
            return None;
        }
        found.push(path.to_owned());
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"//! routes! { in a comment }
routes! { Toxme;
    post ["/api", "/"] => api::handle; // all actions
    get  ["/u/{name}"] => user_page::handle;
    fallback => api::wrong_method;
}
"#;

    #[test]
    fn a_table_is_read_whole() {
        let routes = parse(TABLE).expect("the table above");
        let shown: Vec<String> = routes
            .iter()
            .map(|it| {
                format!(
                    "{} {} {} {}",
                    it.line,
                    it.method,
                    it.paths.join(","),
                    it.handler
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "3 POST /api,/ api::handle",
                "4 GET /u/{name} user_page::handle",
                "5 *  api::wrong_method",
            ]
        );
    }

    #[test]
    fn a_file_without_a_table_has_no_routes() {
        assert_eq!(parse("fn a() { other_routes! { x } }"), Ok(Vec::new()));
    }

    #[test]
    fn broken_tables_are_refused_with_their_line() {
        for (broken, line) in [
            ("routes! { S; }", 1),
            ("routes! { S;\n get \"/a\" => a; }", 2),
            ("routes! { S;\n got [\"/a\"] => a; }", 2),
            ("routes! { S;\n\n get [\"a\"] => a; }", 3),
            ("routes! { S; get [] => a; }", 1),
            ("routes! { S; get [\"/a\"] => ; }", 1),
            ("routes! { S; get [\"/a\"] a; }", 1),
        ] {
            let error = parse(broken).expect_err(broken);
            assert_eq!(error.line, line, "{broken}: {}", error.message);
        }
    }
}
