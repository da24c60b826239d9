//! Fields of a form as browsers send them: `application/x-www-form-urlencoded` or
//! `multipart/form-data`. Text only: a file is no field.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::{BodyDataStream, Full};
use multer::{Multipart, parse_boundary};
use percent_encoding::percent_decode;

use crate::limits::FORM_FIELDS_MAX;

/// The fields of a form, each at most once. Not `Debug`: a field may be a password.
#[derive(Default)]
pub struct Form {
    fields: Vec<(String, String)>,
}

/// Why a body is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormProblem {
    /// Neither of the two content types.
    #[error("the content type is not that of a form")]
    ContentType,
    /// The multipart framing is wrong, or there is a file in it.
    #[error("the parts of the form cannot be told apart")]
    Framing,
    /// A name or a value is not UTF-8, or its escapes are cut short.
    #[error("the form is not UTF-8 text")]
    NotText,
    /// A field comes twice, so nobody can say which is meant.
    #[error("a field of the form comes twice")]
    Twice,
    /// More than [`FORM_FIELDS_MAX`] fields.
    #[error("the form has more than {FORM_FIELDS_MAX} fields")]
    TooMany,
}

impl Form {
    /// Reads a whole body by its content type. Line ends are left as they came. No more is held
    /// than the body and one copy of it.
    ///
    /// # Errors
    /// See [`FormProblem`]; an empty body is a form without fields.
    pub async fn parse(headers: &HeaderMap, body: Bytes) -> Result<Self, FormProblem> {
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let content_type = content_type.ok_or(FormProblem::ContentType)?;
        let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Self::urlencoded(&body),
            "multipart/form-data" => Self::multipart(content_type, body).await,
            _ => Err(FormProblem::ContentType),
        }
    }

    /// A field's value, as it came.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    fn urlencoded(body: &[u8]) -> Result<Self, FormProblem> {
        let mut form = Self::default();
        for pair in body.split(|byte| *byte == b'&').filter(|it| !it.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut text = || unescaped(halves.next().unwrap_or_default());
            let (name, value) = (text()?, text()?);
            form.push(name, value)?;
        }
        Ok(form)
    }

    async fn multipart(content_type: &str, body: Bytes) -> Result<Self, FormProblem> {
        let boundary = parse_boundary(content_type).map_err(|_| FormProblem::Framing)?;
        let body = BodyDataStream::new(Full::new(body));
        let mut parts = Multipart::new(body, boundary);
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|_| FormProblem::Framing)? {
            let name = part.name().ok_or(FormProblem::Framing)?.to_owned();
            if part.file_name().is_some() {
                return Err(FormProblem::Framing);
            }
            let value = part.bytes().await.map_err(|_| FormProblem::Framing)?;
            let value = String::from_utf8(value.into()).map_err(|_| FormProblem::NotText)?;
            form.push(name, value)?;
        }
        Ok(form)
    }

    fn push(&mut self, name: String, value: String) -> Result<(), FormProblem> {
        if self.field(&name).is_some() {
            return Err(FormProblem::Twice);
        }
        if self.fields.len() >= FORM_FIELDS_MAX {
            return Err(FormProblem::TooMany);
        }
        self.fields.push((name, value));
        Ok(())
    }
}

/// `+` is a blank, `%XX` a byte; a `%` without two digits behind it is refused.
fn unescaped(text: &[u8]) -> Result<String, FormProblem> {
    let is_cut = |(at, _): (usize, &u8)| {
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit)
    };
    let mut escapes = text.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if escapes.any(is_cut) {
        return Err(FormProblem::NotText);
    }
    let blanks: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes: Vec<u8> = percent_decode(&blanks).collect();
    String::from_utf8(bytes).map_err(|_| FormProblem::NotText)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    const URLENCODED: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=xyz";

    async fn parse(kind: &str, body: &[u8]) -> Result<Form, FormProblem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        Form::parse(&headers, Bytes::copy_from_slice(body)).await
    }

    async fn problem(kind: &str, body: &[u8]) -> FormProblem {
        parse(kind, body).await.err().unwrap()
    }

    fn part(name: &str, value: &str) -> String {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    #[tokio::test]
    async fn both_kinds_read_the_same() {
        let body = b"name=al%C3%AFce&bio=a+b%2B%0D%0Ac&empty=&bare";
        let first = parse(&format!("{URLENCODED}; charset=UTF-8"), body).await;
        let parts = [
            ("name", "al\u{ef}ce"),
            ("bio", "a b+\r\nc"),
            ("empty", ""),
            ("bare", ""),
        ];
        let body: String = parts
            .iter()
            .map(|(name, value)| part(name, value))
            .collect();
        let second = parse(MULTIPART, format!("{body}--xyz--\r\n").as_bytes()).await;
        for form in [first.ok().unwrap(), second.ok().unwrap()] {
            for (name, value) in parts {
                assert_eq!(form.field(name), Some(value));
            }
            assert_eq!(form.field("other"), None);
        }
    }

    #[tokio::test]
    async fn an_empty_body_has_no_fields() {
        let form = parse(URLENCODED, b"&&").await.ok().unwrap();
        assert_eq!(form.field(""), None);
        assert!(parse(URLENCODED, b"").await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        let json = problem("application/json", b"{}").await;
        assert_eq!(json, FormProblem::ContentType);
        let none = Form::parse(&HeaderMap::new(), Bytes::new()).await;
        assert_eq!(none.err().unwrap(), FormProblem::ContentType);
        for cut in [&b"a=%"[..], b"a=%4", b"%zz=1", b"a=%ff", b"a=\xff"] {
            assert_eq!(
                problem(URLENCODED, cut).await,
                FormProblem::NotText,
                "{cut:?}"
            );
        }
        assert_eq!(problem(URLENCODED, b"a=1&%61=2").await, FormProblem::Twice);
        let many: String = (0..=FORM_FIELDS_MAX).map(|at| format!("f{at}=&")).collect();
        assert_eq!(
            problem(URLENCODED, many.as_bytes()).await,
            FormProblem::TooMany
        );
    }

    #[tokio::test]
    async fn broken_parts_are_refused() {
        let file = "--xyz\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n--xyz--\r\n";
        let nameless = "--xyz\r\nContent-Disposition: form-data\r\n\r\nc\r\n--xyz--\r\n";
        let (open, twice) = (part("a", "b"), part("a", "b").repeat(2) + "--xyz--\r\n");
        for (kind, body, expected) in [
            ("multipart/form-data", "", FormProblem::Framing),
            (MULTIPART, "", FormProblem::Framing),
            (MULTIPART, "no boundary", FormProblem::Framing),
            (MULTIPART, file, FormProblem::Framing),
            (MULTIPART, nameless, FormProblem::Framing),
            (MULTIPART, &open, FormProblem::Framing),
            (MULTIPART, &twice, FormProblem::Twice),
        ] {
            assert_eq!(problem(kind, body.as_bytes()).await, expected, "{body}");
        }
        let mut bytes = part("a", "b").replace('b', "\u{1}").into_bytes();
        let at = bytes.iter().position(|byte| *byte == 1).unwrap();
        bytes[at] = 0xff;
        bytes.extend_from_slice(b"--xyz--\r\n");
        assert_eq!(problem(MULTIPART, &bytes).await, FormProblem::NotText);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(name in "\\PC{1,20}", value in any::<String>()) {
            let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let body = format!("{}={}", escaped(&name), escaped(&value));
            let form = Form::urlencoded(body.as_bytes()).ok().unwrap();
            prop_assert_eq!(form.field(&name), Some(value.as_str()));
        }

        #[test]
        fn no_bytes_can_break_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(form) = Form::urlencoded(&body) {
                prop_assert!(form.fields.len() <= FORM_FIELDS_MAX);
            }
        }
    }
}
