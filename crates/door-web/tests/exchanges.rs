//! One snapshot per page, named after its address.

use crate::door::{Door, connection, request, settings, snapshot};

#[tokio::test]
async fn pages_of_two_names() {
    let door = Door::of_two().await;
    for (name, path) in [
        ("home__get__page", "/"),
        ("u__get__moved", "/u/"),
        ("u__get__proven", "/u/Alice"),
        ("u__get__unproven", "/u/bob"),
        ("u__get__unknown", "/u/nobody"),
        ("u__get__bad_character", "/u/al%20ice"),
        ("u__get__not_utf8", "/u/%ff"),
        ("search__get__part", "/search?q=lic"),
        ("search__get__exact", "/search?q=alice@example.test"),
        ("search__get__hidden", "/search?q=BOB"),
        ("search__get__nobody", "/search?q=bo"),
        ("search__get__elsewhere", "/search?q=bob@Example.org"),
        ("search__get__empty", "/search?q="),
        ("search__get__bad_page", "/search?q=a&page=-1"),
        ("search__get__not_utf8", "/search?q=%ff&page=%ff"),
        ("friends__get__first", "/friends/0"),
        ("friends__get__moved", "/friends"),
        ("friends__get__nobody", "/friends/1"),
        ("friends__get__no_number", "/friends/-1"),
        ("barcode__get__code", "/barcode/alice.svg"),
        ("barcode__get__unknown", "/barcode/nobody.svg"),
        ("barcode__get__no_svg", "/barcode/alice"),
        ("add_ui__get__form", "/add_ui"),
        ("edit_ui__get__ask", "/edit_ui"),
        ("edit_ui__get__form", "/edit_ui?name=alice"),
        ("edit_ui__get__unknown", "/edit_ui?name=nobody"),
        ("robots__get__text", "/robots.txt"),
        ("static__get__icon", "/static/icon.svg"),
        ("static__get__unknown", "/static/none.css"),
    ] {
        snapshot(name, &door.get(path).await);
    }
}

#[tokio::test]
async fn the_first_page_of_an_empty_directory() {
    let mut settings = settings();
    settings.title = Some("Names & keys".to_owned());
    settings.contact = Some("mailto:admin@example.test".to_owned());
    settings.has_people = false;
    let door = Door::over(testkit::World::new().await, settings);
    snapshot("home__get__empty", &door.get("/").await);
    snapshot("friends__get__off", &door.get("/friends/0").await);
    snapshot("friends__get__moved_off", &door.get("/friends").await);
    assert!(!door.get("/add_ui").await.text.contains("/friends"));
}

#[tokio::test]
async fn insecure_requests_are_told_so() {
    let door = Door::of_two().await;
    for (name, method, path) in [
        ("home__get__insecure", "GET", "/"),
        ("u__get__insecure", "GET", "/u"),
        ("add_ui__get__insecure", "GET", "/add_ui"),
        ("add_ui__post__insecure", "POST", "/add_ui"),
    ] {
        let mut request = request(method, path).body(Vec::new()).unwrap();
        request
            .extensions_mut()
            .insert(connection("203.0.113.7:4000", false));
        snapshot(name, &door.send(request).await);
    }
    for path in ["/static/style.css", "/robots.txt"] {
        let mut request = request("GET", path).body(Vec::new()).unwrap();
        request
            .extensions_mut()
            .insert(connection("203.0.113.7:4000", false));
        assert_eq!(door.send(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_has_no_page_is_told_to_browsers_in_html() {
    let door = Door::new().await;
    let browser = request("GET", "/nowhere").header("accept", "text/html,*/*;q=0.8");
    let page = door.send(browser.body(Vec::new()).unwrap()).await;
    snapshot("nowhere__get__page", &page);
    let other = door.get("/nowhere").await;
    assert_eq!(
        (other.status, other.body.as_slice()),
        (404, b"nothing here\n".as_slice())
    );
    let method = door
        .send(request("PUT", "/add_ui").body(Vec::new()).unwrap())
        .await;
    snapshot("add_ui__put__refused", &method);
}

#[tokio::test]
async fn head_is_answered_like_get() {
    let door = Door::of_two().await;
    for path in [
        "/",
        "/u/alice",
        "/friends/0",
        "/barcode/alice.svg",
        "/add_ui",
    ] {
        let head = door
            .send(request("HEAD", path).body(Vec::new()).unwrap())
            .await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}
