//! Text without the passwords of the URLs in it.

/// What stands where a password stood.
const STARS: &str = "***";
/// Parameters of a URL whose values are secret.
const SECRETS: [&str; 2] = ["password=", "sslpassword="];

/// The text, with the password of a URL in it replaced, be it behind the user's name or among the
/// parameters. Text that is no good URL loses what may be a password too: everything from the first
/// colon of what precedes the last `@`.
pub(crate) fn redacted(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{STARS}@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    format!("{scheme}://{}", without_parameters(&rest))
}

/// The part behind `://` without the values of secret parameters.
fn without_parameters(rest: &str) -> String {
    let Some((before, parameters)) = rest.split_once('?') else {
        return rest.to_owned();
    };
    let shown: Vec<String> = parameters
        .split('&')
        .map(|parameter| {
            let secret = SECRETS.iter().find(|name| parameter.starts_with(*name));
            secret.map_or_else(|| parameter.to_owned(), |name| format!("{name}{STARS}"))
        })
        .collect();
    format!("{before}?{}", shown.join("&"))
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn passwords_are_taken_out_and_nothing_else() {
        for same in [
            "",
            "memory:",
            "file:/a:b@c",
            "postgres://h/d",
            "postgres://u@h:5432,i:5433/d?sslmode=require",
        ] {
            assert_eq!(redacted(same), same);
        }
        for (text, expected) in [
            ("postgres://u:pw@h/d", "postgres://u:***@h/d"),
            ("postgres://u:p@w:/x@h,i/d", "postgres://u:***@h,i/d"),
            ("postgres://u:@h", "postgres://u:***@h"),
            ("mysql://u:pw@h?a=b", "mysql://u:***@h?a=b"),
            (
                "postgres://h/d?user=u&password=pw&x=y&sslpassword=pw",
                "postgres://h/d?user=u&password=***&x=y&sslpassword=***",
            ),
            (
                "unexpected argument 'postgres://u:pw@h' found",
                "unexpected argument 'postgres://u:***@h' found",
            ),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
