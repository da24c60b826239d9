//! Where a signature stands in a post. What is found is text; [`super::decode_signature`] reads it.

/// Most signatures taken of one Steam summary.
const STEAM_SIGNATURES_MAX: usize = 10;

/// What follows the prefix (`Sig: `, `Signature: `) in the first line that begins with it and goes on.
/// Lines end at a newline, with or without a carriage return before it.
#[must_use]
pub fn line_signature<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let lines = text
        .split('\n')
        .map(|it| it.strip_suffix('\r').unwrap_or(it));
    lines
        .filter_map(|line| line.strip_prefix(prefix))
        .find(|rest| !rest.is_empty())
}

/// What stands between `NextID proof: ` and the next colon in a Steam summary, wherever it is in its line;
/// at most ten.
#[must_use]
pub fn steam_signatures(summary: &str) -> Vec<&str> {
    let pieces = summary.split("NextID proof: ").skip(1);
    pieces
        .filter_map(|piece| piece.split_once(':').map(|(signature, _)| signature))
        .filter(|signature| !signature.is_empty() && !signature.contains('\n'))
        .take(STEAM_SIGNATURES_MAX)
        .collect()
}

/// What stands between the first `Sig: ` of a title and the next white space or semicolon, which has to
/// follow.
#[must_use]
pub fn title_signature(title: &str) -> Option<&str> {
    let (_, rest) = title.split_once("Sig: ")?;
    let end = rest.find([' ', '\t', '\n', '\r', '\x0c', ';'])?;
    rest.get(..end).filter(|signature| !signature.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_whole_line_wins() {
        let find = |text| line_signature(text, "Sig: ");
        assert_eq!(find("Sig: a\nSig: b"), Some("a"));
        assert_eq!(find("Sig: \nsig: b\nSig: c"), Some("c"));
        assert_eq!(find("Sig: a\r\n"), Some("a"));
        assert_eq!(find("x\r\nSig: a\r"), Some("a"));
        assert_eq!(find("x\rSig: a"), None);
        assert_eq!(find("Sig:a\n Sig: b\n> Sig: c"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn a_summary_may_hold_several() {
        assert_eq!(
            steam_signatures(
                "NextID proof: a:1 NextID proof: b\n: NextID proof: c:NextID proof: :"
            ),
            ["a", "c"]
        );
        let many = "NextID proof: a:".repeat(11);
        assert_eq!(steam_signatures(&many).len(), 10);
    }

    #[test]
    fn in_a_title_something_follows() {
        assert_eq!(title_signature("x Sig: a;b"), Some("a"));
        assert_eq!(title_signature("Sig: a b"), Some("a"));
        assert_eq!(title_signature("Sig: a"), None);
        assert_eq!(title_signature("Sig: ;a"), None);
    }
}
