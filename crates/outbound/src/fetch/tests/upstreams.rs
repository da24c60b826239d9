//! Services, what their redirects and secrets may reach, and checks in the background.

use super::*;

fn named(name: &'static str) -> Request {
    Request::get(Upstream::Named(name), "")
}

async fn fetch(site: &Site, request: Request) -> Result<Fetched, FetchError> {
    site.fetcher().fetch(request, limits()).await
}

#[tokio::test]
async fn a_service_is_private_only_where_the_operator_chose_its_url() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    site.script.tell("trap.example", &[&[LOOPBACK]]);
    let refused = fetch(&site, named("trap")).await.unwrap_err();
    assert_eq!((refused, site.trapped()), (FetchError::ForbiddenAddress, 0));
    assert_eq!(fetch(&site, named("own")).await.unwrap().peer, LOOPBACK);
    assert_eq!(fetch(&site, named("fixed")).await.unwrap().peer, PUBLIC);
}

#[tokio::test]
async fn a_redirect_leads_nowhere_but_below_the_upstreams_that_were_named() {
    for (location, others, expect) in [
        ("/api/x", vec![], Err(FetchError::TooManyRedirects)),
        (
            "//b.example:PORT/api/x",
            vec![],
            Err(FetchError::ForbiddenAddress),
        ),
        (
            "//a.example:PORT/other",
            vec![],
            Err(FetchError::ForbiddenAddress),
        ),
        ("/api/../other", vec![], Err(FetchError::ForbiddenAddress)),
        (
            "//127.0.0.1:PORT/api/x",
            vec![],
            Err(FetchError::ForbiddenAddress),
        ),
        (
            "http://a.example:PORT/api/x",
            vec![],
            Err(FetchError::ForbiddenAddress),
        ),
        (
            "//trap.example:PORT/api",
            vec!["trap"],
            Err(FetchError::ForbiddenAddress),
        ),
        ("//127.0.0.1:PORT/api/x", vec!["trap", "own"], Ok("trapped")),
    ] {
        let site =
            Site::of(|port| Play::Say(redirect(302, &location.replace("PORT", &port.to_string()))))
                .await;
        site.script.tell("b.example", &[&[PUBLIC]]);
        site.script.tell("trap.example", &[&[LOOPBACK]]);
        let request = Request {
            follow: Follow::Below(others.into_iter().map(Upstream::Named).collect()),
            ..named("fixed")
        };
        let fetched = fetch(&site, request).await;
        let body = fetched.as_ref().map(|fetched| &fetched.body[..]);
        assert_eq!(
            body,
            expect.as_ref().map(|body| body.as_bytes()),
            "{location}"
        );
        assert_eq!(site.trapped(), usize::from(expect.is_ok()), "{location}");
        let hops = 1 + 3 * usize::from(expect == Err(FetchError::TooManyRedirects));
        assert_eq!(site.visits(), hops, "{location}");
    }
}

#[tokio::test]
async fn secrets_stay_with_the_host_they_are_for() {
    let secret = |request: Request| {
        request
            .with_header("authorization", "Bearer secret")
            .with_header("x-api-key", "secret")
            .with_header("accept", "text/html")
    };
    let seen = |site: &Site| -> Vec<(bool, bool)> {
        let requests = site.requests.lock().unwrap();
        let requests = requests.iter().map(|request| request.to_lowercase());
        let has = |request: String| {
            (
                request.contains("secret"),
                request.contains("\naccept: text/html\r\n"),
            )
        };
        requests.map(has).collect()
    };
    for (location, expect) in [
        ("/api/x", vec![(true, true); 4]),
        (
            "//b.example:PORT/api",
            vec![(true, true), (false, true), (false, true), (false, true)],
        ),
    ] {
        let site =
            Site::of(|port| Play::Say(redirect(302, &location.replace("PORT", &port.to_string()))))
                .await;
        site.script.tell("b.example", &[&[PUBLIC]]);
        let refused = fetch(&site, secret(get("a.example"))).await.unwrap_err();
        assert_eq!(refused, FetchError::TooManyRedirects);
        assert_eq!(seen(&site), expect, "{location}");
    }
    let shown = format!("{:?}", secret(get("a.example")));
    assert!(
        shown.contains("x-api-key") && !shown.contains("secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_body_and_headers_are_sent_and_headers_come_back() {
    let long = "y".repeat(1025);
    let head =
        format!("HTTP/1.1 429 Slow\r\nETag: \"a1\"\r\nx-long: {long}\r\nretry-after: 90\r\n");
    let head =
        format!("{head}content-type: text/html\r\nx-bad: \u{e9}\r\ncontent-length: 2\r\n\r\n");
    let site = Site::new(Play::Say([head.as_bytes(), b"no"].concat())).await;
    let request = Request::post_json(Upstream::Named("fixed"), "/rpc?x=1", r#"{"id":1}"#)
        .with_header("Authorization", "Bot token");
    let fetched = fetch(&site, request).await.unwrap();
    assert_eq!((fetched.status, &fetched.body[..]), (429, &b"no"[..]));
    assert_eq!(fetched.header("etag"), Some("\"a1\""));
    assert_eq!(fetched.header("content-type"), Some("text/html"));
    assert_eq!(fetched.header("x-long"), None);
    assert_eq!(fetched.header("x-bad"), None);
    assert_eq!(fetched.retry_after, Some(Duration::from_secs(90)));
    let requests = site.requests.lock().unwrap();
    let request = requests[0].to_lowercase();
    assert!(
        request.starts_with("post /api/rpc?x=1 http/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\nauthorization: bot token\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\ncontent-type: application/json\r\n"),
        "{request}"
    );
    assert!(request.ends_with(r#"{"id":1}"#), "{request}");
}

#[test]
fn servers_ask_to_be_left_alone_in_two_ways() {
    let asked = |retry: &str, date: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", retry.parse().unwrap());
        headers.insert("date", date.parse().unwrap());
        answer::retry_after(&headers)
    };
    let now = "Fri, 13 May 2022 16:53:20 GMT";
    for (text, seconds) in [
        ("0", 0),
        (" 120 ", 120),
        ("99999999999999999999999999", 86_400),
        ("Fri, 13 May 2022 16:54:20 GMT", 60),
        ("Fri, 13 May 2022 16:00:00 GMT", 0),
        ("Fri, 13 May 2044 16:00:00 GMT", 86_400),
    ] {
        assert_eq!(
            asked(text, now),
            Some(Duration::from_secs(seconds)),
            "{text}"
        );
    }
    for text in ["", "soon", "-1", "+1", "1.5"] {
        assert_eq!(asked(text, now), None, "{text}");
    }
    assert_eq!(asked("Fri, 13 May 2022 16:54:20 GMT", "now"), None);
}

#[test]
fn none_left_is_a_time_to_wait_too() {
    let asked = |pairs: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Fri, 13 May 2022 16:53:20 GMT".parse().unwrap());
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        answer::retry_after(&headers)
    };
    let (left, reset) = ("x-ratelimit-remaining", "x-ratelimit-reset");
    let second = Some(Duration::from_secs(1));
    assert_eq!(asked(&[(left, "0"), (reset, "1652460801")]), second);
    let (theirs, at) = ("x-rate-limit-remaining", "x-rate-limit-reset");
    assert_eq!(asked(&[(theirs, "0"), (at, "1652460801")]), second);
    let both = [(left, "0"), (reset, "1652460801"), ("retry-after", "9")];
    assert_eq!(asked(&both), Some(Duration::from_secs(9)));
    let far = [(left, "0"), (reset, "18446744073709551615")];
    assert_eq!(asked(&far), Some(Duration::from_secs(86_400)));
    for pairs in [
        [(left, "1"), (reset, "1652460801")],
        [(left, "0"), (reset, "1652460799")],
        [(left, "0"), (reset, "60")],
        [(left, "0"), (reset, "soon")],
        [(left, "0"), ("x-other", "1")],
    ] {
        assert_eq!(asked(&pairs), None, "{pairs:?}");
    }
}

#[tokio::test]
async fn what_an_answer_names_is_found_below_an_upstream() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    let fetcher = site.fetcher();
    let among = [
        Upstream::Named("own"),
        Upstream::At("each", Domain::parse("b.example").unwrap()),
    ];
    let port = site.port;
    let own = fetcher.locate(&format!("https://127.0.0.1:{port}/api/raw?x"), &among);
    assert_eq!(own, Some((among[0].clone(), "/raw?x".into())));
    // What the operator stands in for is asked where the operator says.
    let stood_in = fetcher.locate(&format!("https://a.example:{port}/api/raw"), &among);
    assert_eq!(stood_in, Some((among[0].clone(), "/raw".into())));
    let each = fetcher.locate(&format!("https://b.example:{port}/api"), &among);
    assert_eq!(each, Some((among[1].clone(), String::new())));
    for url in [
        "https://127.0.0.1/api/raw",
        "https://c.example/api",
        "raw",
        "",
    ] {
        assert_eq!(fetcher.locate(url, &among), None, "{url}");
    }
}

fn background(name: &'static str) -> Request {
    Request {
        purpose: Purpose::Background,
        ..named(name)
    }
}

#[tokio::test]
async fn checks_in_the_background_leave_an_upstream_alone_that_fails() {
    let site = Site::new(Play::Say(
        b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n".into(),
    ))
    .await;
    let fetcher = site.fetcher();
    for _ in 0..3 {
        let away = fetcher.fetch(background("fixed"), limits()).await.unwrap();
        assert_eq!(away.status, 503);
    }
    let resting = fetcher.fetch(background("fixed"), limits()).await;
    assert!(
        matches!(resting, Err(FetchError::Resting(_))),
        "{resting:?}"
    );
    assert_eq!(site.visits(), 3);
    // Somebody's request is always tried, and other upstreams are not concerned.
    let asked = fetcher.fetch(named("fixed"), limits()).await.unwrap();
    assert_eq!((asked.status, site.visits()), (503, 4));
    let other = fetcher.fetch(background("own"), limits()).await.unwrap();
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn an_upstream_whose_requests_are_spent_rests_at_once() {
    let head = "HTTP/1.1 403 Spent\r\ncontent-length: 0\r\nx-ratelimit-remaining: 0\r\n";
    let head = format!("{head}date: Fri, 13 May 2022 16:53:20 GMT\r\n");
    let head = format!("{head}x-ratelimit-reset: 1652461800\r\n\r\n");
    let site = Site::new(Play::Say(head.into())).await;
    let fetcher = site.fetcher();
    let spent = fetcher.fetch(background("fixed"), limits()).await.unwrap();
    assert!(spent.wants_less());
    let resting = fetcher.fetch(background("fixed"), limits()).await;
    assert!(
        matches!(resting, Err(FetchError::Resting(_))),
        "{resting:?}"
    );
    assert_eq!(site.visits(), 1);
}

#[tokio::test]
async fn without_limits_nobody_rests() {
    let site = Site::new(Play::Say(Vec::new())).await;
    let options = FetchOptions {
        resolver: site.script.clone(),
        ca_file: Some(site.ca.path().into()),
        allow_private: false,
        upstreams: site.services(),
        rests: false,
        user_agent: "x".into(),
    };
    let fetcher = Fetcher::with_rule(options, test_rule).unwrap();
    for _ in 0..6 {
        let failed = fetcher.fetch(background("fixed"), limits()).await;
        assert_eq!(failed.unwrap_err(), FetchError::Unreachable);
    }
}

#[tokio::test]
async fn an_upstream_sees_one_check_in_the_background_at_once() {
    let site = Site::new(Play::Hang(Vec::new())).await;
    let fetcher = Arc::new(site.fetcher());
    let mut all = tokio::task::JoinSet::new();
    let mut start = |request, limits| {
        let fetcher = fetcher.clone();
        all.spawn(async move { fetcher.fetch(request, limits).await })
    };
    let held = start(background("fixed"), limits());
    while site.visits() < 1 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        start(background("fixed"), short());
    }
    for _ in 0..10 {
        let waited = all.join_next().await.unwrap().unwrap();
        assert_eq!(waited.unwrap_err(), FetchError::Busy);
    }
    assert_eq!(site.visits(), 1);
    // They keep nobody waiting.
    let asked = {
        let fetcher = fetcher.clone();
        all.spawn(async move { fetcher.fetch(named("fixed"), limits()).await })
    };
    while site.visits() < 2 {
        tokio::task::yield_now().await;
    }
    drop((held, asked));
}
