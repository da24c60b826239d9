//! What commands print: words for people, or JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::failure::Failure;

/// Standard output and standard error in one of two forms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: the words, or the object on one line.
    ///
    /// # Errors
    /// When standard output takes no more; a reader that went away is no failure.
    pub(crate) fn result(self, words: &str, object: &Value) -> Result<(), Failure> {
        let mut text = if self.json {
            object.to_string()
        } else {
            words.to_owned()
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        match write(io::stdout().lock(), &text) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
                format!("cannot write to standard output: {error}"),
            )),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Prints a failure to standard error. Nobody can be told when that does not work.
    pub(crate) fn failure(self, failure: &Failure) {
        let text = if self.json {
            let code = failure.exit.code();
            format!("{}\n", json!({ "code": code, "error": failure.said }))
        } else {
            format!("sealbook: {}\n", failure.said)
        };
        let _ = write(io::stderr().lock(), &text);
    }
}

fn write(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
