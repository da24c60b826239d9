//! Query parameters, read as Go's `net/url` and the reference server's framework read them
//! (ProofService specification, section 1).

use percent_encoding::percent_decode;

/// The parameters of a request, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// A number or a truth value that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParamFault;

impl Query {
    /// Reads a query as it stands in the address, without its question mark. Pairs with a semicolon
    /// or with a broken escape are dropped, as Go drops them. Bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&');
        let pairs = pairs.filter(|pair| !pair.is_empty() && !pair.contains(';'));
        Self(pairs.filter_map(pair).collect())
    }

    /// The first value of a parameter, however often it is given.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter's text; empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default()
    }

    /// A whole number of 64 bits; 0 when absent or empty.
    pub(crate) fn integer(&self, name: &str) -> Result<i64, ParamFault> {
        match self.text(name) {
            "" => Ok(0),
            text => text.parse().map_err(|_| ParamFault),
        }
    }

    /// A truth value; false when absent or empty.
    pub(crate) fn truth(&self, name: &str) -> Result<bool, ParamFault> {
        match self.text(name) {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(ParamFault),
        }
    }
}

fn pair(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((unescaped(name)?, unescaped(value)?))
}

/// `None` when a `%` is not followed by two hexadecimal digits.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut after_percent = text.split('%').skip(1);
    let is_whole = after_percent.all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let text = text.replace('+', " ");
    let text = percent_decode(text.as_bytes()).decode_utf8_lossy();
    is_whole.then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_counts_and_broken_pairs_are_dropped() {
        let query = Query::parse(Some(
            "a=1&a=2&b=x%20y+z&c=%zz&d=1;e=2&%66=%ff&g&h=%4&=0&i=a%2Cb&j==",
        ));
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.first("b"), Some("x y z"));
        assert_eq!(query.first("f"), Some("\u{fffd}"));
        assert_eq!(query.first("g"), Some(""));
        assert_eq!(query.first("i"), Some("a,b"));
        assert_eq!(query.first("j"), Some("="));
        for dropped in ["c", "d", "e", "h", "k"] {
            assert_eq!(query.first(dropped), None, "{dropped}");
        }
        assert_eq!(Query::parse(None), Query::default());
    }

    #[test]
    fn numbers_and_truth_values() {
        for (text, number) in [
            ("", Ok(0)),
            ("7", Ok(7)),
            ("%2B5", Ok(5)),
            ("-5", Ok(-5)),
            ("007", Ok(7)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("9223372036854775808", Err(ParamFault)),
            ("+5", Err(ParamFault)),
            ("null", Err(ParamFault)),
            ("1.0", Err(ParamFault)),
            ("0x1", Err(ParamFault)),
            ("1_0", Err(ParamFault)),
        ] {
            let query = format!("page={text}");
            assert_eq!(Query::parse(Some(&query)).integer("page"), number, "{text}");
        }
        for (text, truth) in [
            ("", Ok(false)),
            ("true", Ok(true)),
            ("T", Ok(true)),
            ("False", Ok(false)),
            ("0", Ok(false)),
            ("yes", Err(ParamFault)),
            ("tRUE", Err(ParamFault)),
        ] {
            let query = format!("exact={text}");
            assert_eq!(Query::parse(Some(&query)).truth("exact"), truth, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read(text in "\\PC{0,60}") {
            let query = Query::parse(Some(&text));
            prop_assert!(query.0.len() <= 61);
        }
    }
}
