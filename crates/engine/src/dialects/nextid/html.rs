//! The text of a post that its server hands out as HTML.

/// The text of a piece of HTML: `<br>` and `</p>` end a line, other tags vanish with what is between their
/// angle brackets, entities become their characters. It is not to be shown as HTML again. Never longer
/// than the HTML.
#[must_use]
pub fn text_of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    // No tag begins after the last end of one; so none is looked for in vain, however many begin.
    let tags_end = html.rfind('>').unwrap_or_default();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        let has_end = html.len() - special.len() < tags_end;
        rest = match special.strip_prefix('<') {
            Some(tag) if has_end => after_tag(tag, &mut text),
            Some(after) => {
                text.push('<');
                after
            }
            None => after_entity(special, &mut text),
        };
    }
    text.push_str(rest);
    text
}

/// Reads a tag, whose `<` is gone.
fn after_tag<'h>(html: &'h str, text: &mut String) -> &'h str {
    let (tag, rest) = html.split_once('>').unwrap_or((html, ""));
    let name = tag.split([' ', '\t', '\r', '\n']).next().unwrap_or(tag);
    let name = name.trim_end_matches('/');
    if name.eq_ignore_ascii_case("br") || name.eq_ignore_ascii_case("/p") {
        text.push('\n');
    }
    rest
}

/// Longest entity, the ampersand apart, that is looked for: `#x10FFFF;`.
const ENTITY_BYTES_MAX: usize = 9;

/// Reads an entity, or the ampersand alone.
fn after_entity<'h>(html: &'h str, text: &mut String) -> &'h str {
    let rest = html.strip_prefix('&').unwrap_or(html);
    let end = rest
        .bytes()
        .take(ENTITY_BYTES_MAX)
        .position(|byte| byte == b';');
    let found = end.and_then(|end| Some((character(rest.get(..end)?)?, rest.get(end..)?)));
    match found {
        Some((c, after)) => {
            text.push(c);
            after.strip_prefix(';').unwrap_or(after)
        }
        None => {
            text.push('&');
            rest
        }
    }
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = entity.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let point = match hex {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(point.ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_and_entities() {
        for (html, text) in [
            ("<p>a</p><p>b<br>c<br/>d<BR />e</P>", "a\nb\nc\nd\ne\n"),
            (
                "a &lt;b&gt; &amp;amp; &quot;&#39;&#x1F3AD;&apos;",
                "a <b> &amp; \"'🎭'",
            ),
            (
                "1 < 2 & 3; &bogus; &#xD800; &#; &",
                "1 < 2 & 3; &bogus; &#xD800; &#; &",
            ),
            ("<a href=\"x\">@<span>b</span></a><branch>", "@b"),
            ("</pre>x<", "x<"),
            ("&éé;", "&éé;"),
            ("", ""),
        ] {
            assert_eq!(text_of_html(html), text, "{html}");
        }
    }

    /// Were each end of a tag looked for through all of the text, this would take minutes.
    #[test]
    fn many_beginnings_cost_no_more_than_others() {
        let text = "<&".repeat(1 << 19);
        assert_eq!(text_of_html(&text), text);
        assert_eq!(text_of_html(&format!("{text}>")), "");
    }

    proptest! {
        #[test]
        fn never_grows(html in "(<br>|</p>|<|>|&lt;|&#x41;|&amp;|&|;|#|a|é|\n|/)*") {
            prop_assert!(text_of_html(&html).len() <= html.len());
        }

        #[test]
        fn plain_text_stays(text in "[^<&]*") {
            prop_assert_eq!(text_of_html(&text), text);
        }
    }
}
