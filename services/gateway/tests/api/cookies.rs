//! Signing in with a cookie, what the cookie is like, and who gets to see it.

use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, LOGIN, ME};
use crate::gateway::Gateway;
use crate::stage::{PASSWORD, Stage};
use crate::upstream::Upstream;

const BEHIND_TLS: &[(&str, &str)] = &[("x-forwarded-proto", "https")];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_with_a_browser_can_read_statistics() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, ada) = stage.person("ada").await;
    let (shop, blog) = (stage.project_of(ada).await, stage.project_of(ada).await);

    let browser = Browser::before(&gateway);
    let answer = browser.sign_in(&email).await;
    assert_eq!((answer.status, &answer.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
    assert_eq!(answer.body["expires_in"], 7 * 24 * 3600);
    assert_eq!(answer.body["csrf_token"], browser.csrf());
    assert_eq!(
        (&answer.body["account"]["id"], &answer.body["account"]["email"]),
        (&json!(ada), &json!(email))
    );
    assert!(!answer.body.to_string().contains("token\":\"eyJ"), "scripts get no tokens: {}", answer.body);

    let browser = Browser::of(&gateway, &email).await;
    assert_eq!(browser.get(ME).await.body["email"], email);
    assert_eq!(browser.get("/api/v1/projects").await.body["data"].as_array().unwrap().len(), 2);
    let stats = "/api/v1/stats/dau?from=2026-11-01&to=2026-11-03";
    assert_eq!(browser.get(stats).await.body["errors"][0]["field"], "X-Project-Id", "there are two");
    for project in [shop, blog] {
        let request = browser.request(Method::GET, stats).header("X-Project-Id", project.to_string());
        let answer = browser.take(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.body["data"].as_array().unwrap().len()), (200, 3));
        assert!(answer.set_cookies().is_empty(), "a young cookie stays what it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registers_with_a_browser_is_signed_in() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let browser = Browser::before(&gateway);
    let body = json!({"email": "ada@example.com", "password": "seven purple elephants"});
    let path = "/api/v1/auth/register?session=cookie";
    let answer = browser.take(browser.request(Method::POST, path).json(&body).send().await.unwrap()).await;
    assert_eq!((answer.status, &answer.body["account"]["email"]), (201, &json!("ada@example.com")));
    assert_eq!(answer.body["csrf_token"], browser.csrf());
    wait::until("auth answers", async || browser.get(ME).await.status == 200).await;
    let elsewhere = browser.request(Method::POST, path).header("Sec-Fetch-Site", "cross-site").json(&body);
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_clear_a_cookie_has_the_attributes_that_it_can_have() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    // The word of a stranger on TLS is not taken.
    let answer = Browser::saying(&gateway, BEHIND_TLS).sign_in(&email).await;
    let [session, csrf] = answer.set_cookies()[..] else { panic!("two cookies: {answer:?}") };
    assert!(session.starts_with("millrace_session=ey"), "{session}");
    assert!(session.ends_with("; Max-Age=604800; HttpOnly; Path=/; SameSite=Lax"), "{session}");
    assert_eq!(session.split(';').next().unwrap().split('.').count(), 5, "it is a JWE: {session}");
    assert!(csrf.starts_with("millrace_csrf="), "{csrf}");
    assert!(csrf.ends_with("; Max-Age=604800; Path=/; SameSite=Lax"), "{csrf}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_cookie_is_for_this_host_alone() {
    let stage = Stage::set().await;
    let gateway = stage.gateway_behind_tls();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::saying(&gateway, BEHIND_TLS);
    let answer = browser.sign_in(&email).await;
    is_for_tls_alone(answer.set_cookies());
    wait::until("auth answers", async || browser.get(ME).await.status == 200).await;

    // Anybody on the line can have a browser keep a cookie of the other name.
    let tossed = Browser::saying(&gateway, BEHIND_TLS);
    tossed.put(&browser.session());
    assert_eq!(tossed.get(ME).await.status, 401);
    let logout = browser.post("/api/v1/auth/logout", json!({})).await;
    assert_eq!(logout.status, 204);
    assert!(
        logout.clears() && logout.set_cookies().iter().all(|line| line.contains("; Secure")),
        "{logout:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_begins_with_https_is_enough() {
    let url = || Some("https://millrace.example.com".parse().unwrap());
    let stage = Stage::with(|auth| auth.public_url = url()).await;
    let mut settings = stage.settings(crate::gateway::nobody());
    settings.public_url = url();
    let gateway = Gateway::with(settings);
    let (email, _) = stage.person("ada").await;
    let browser = Browser::before(&gateway);
    is_for_tls_alone(browser.sign_in(&email).await.set_cookies());
    wait::until("auth answers", async || browser.get(ME).await.status == 200).await;
}

fn is_for_tls_alone(cookies: Vec<&str>) {
    let [session, csrf] = <[&str; 2]>::try_from(cookies).unwrap();
    assert!(session.starts_with("__Host-millrace_session=ey"), "{session}");
    assert!(session.ends_with("; Max-Age=604800; HttpOnly; Path=/; SameSite=Lax; Secure"), "{session}");
    assert!(csrf.starts_with("millrace_csrf=") && csrf.ends_with("; Path=/; SameSite=Lax; Secure"), "{csrf}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_cannot_sign_people_in() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    stage.person("ada").await;
    let browser = Browser::before(&gateway);
    let json = format!(r#"{{"email": "ada@example.com", "password": "{PASSWORD}"}}"#);
    let form = format!("username=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    let ours = gateway.url("");
    for (media_type, body, said, status) in [
        ("application/json", &json, None, 200),
        ("application/json", &json, Some(("Origin", ours.as_str())), 200),
        ("application/json", &json, Some(("Sec-Fetch-Site", "same-origin")), 200),
        ("application/json", &json, Some(("Origin", "https://evil.example")), 403),
        ("application/json", &json, Some(("Sec-Fetch-Site", "cross-site")), 403),
        ("application/x-www-form-urlencoded", &form, Some(("Origin", ours.as_str())), 200),
        ("application/x-www-form-urlencoded", &form, Some(("Sec-Fetch-Site", "same-origin")), 200),
        ("application/x-www-form-urlencoded", &form, None, 403),
        ("application/x-www-form-urlencoded", &form, Some(("Origin", "null")), 403),
        ("application/x-www-form-urlencoded", &form, Some(("Origin", "https://evil.example")), 403),
        ("application/x-www-form-urlencoded", &form, Some(("Sec-Fetch-Site", "same-site")), 403),
    ] {
        let mut request =
            browser.request(Method::POST, LOGIN).header("content-type", media_type).body(body.clone());
        if let Some((name, value)) = said {
            request = request.header(name, value);
        }
        let answer = Browser::before(&gateway).take(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{media_type} {said:?}: {answer:?}");
        assert_eq!(answer.code() == "csrf", status == 403, "{answer:?}");
        assert_eq!(answer.set_cookies().is_empty(), status == 403, "{answer:?}");
    }
    let tokens = browser.request(Method::POST, "/api/v1/auth/login").header("Origin", "https://evil.example");
    let tokens = tokens.header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = browser.take(tokens.send().await.unwrap()).await;
    assert!(answer.status == 200 && answer.set_cookies().is_empty(), "tokens are for programs: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_other_kind_of_session() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    stage.person("ada").await;
    let browser = Browser::before(&gateway);
    for query in ["session=token", "session=", "session=Cookie", "session=cookie&session=cookie"] {
        let request = browser.request(Method::POST, &format!("/api/v1/auth/login?{query}"));
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let answer = browser.take(request.json(&body).send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (422, &json!("session")), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_an_old_cookie_or_a_good_one_can_sign_in() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let ((ada, _), (bob, _)) = (stage.person("ada").await, stage.person("bob").await);
    let browser = Browser::of(&gateway, &ada).await;
    assert_eq!(browser.sign_in(&bob).await.status, 200, "no CSRF token is asked for");
    assert_eq!(browser.get(ME).await.body["email"], bob);
    browser.put("not a cookie of ours");
    let answer = browser.sign_in(&ada).await;
    assert!(answer.status == 200 && !answer.clears(), "{answer:?}");
    assert_eq!(browser.get(ME).await.body["email"], ada);
    browser.put("not a cookie of ours");
    assert_eq!(browser.get("/.well-known/jwks.json").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_not_good_gets_401_and_goes() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    let body = json!({"email": email, "password": PASSWORD});
    let login = browser.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
    let granted: Value = login.json().await.unwrap();
    let good = browser.session();
    let parts: Vec<&str> = good.split('.').collect();
    let other = if parts[3].ends_with('A') { 'B' } else { 'A' };
    let other_ciphertext =
        format!("{}..{}.{}{other}.{}", parts[0], parts[2], &parts[3][..parts[3].len() - 1], parts[4]);
    for bad in [
        "",
        "nonsense",
        "a.b.c",
        "a..b.c.d",
        &good[..good.len() - 1],
        &good[1..],
        &other_ciphertext,
        granted["access_token"].as_str().unwrap(),
        granted["refresh_token"].as_str().unwrap(),
    ] {
        let browser = Browser::before(&gateway);
        browser.put(bad);
        let answer = browser.get(ME).await;
        assert_eq!((answer.status, answer.code()), (401, "unauthenticated"), "{bad}");
        assert!(answer.clears(), "{bad}: {answer:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    // Nor is it good for anything else than a cookie.
    let bearer = crate::gateway::client().get(gateway.url(ME)).bearer_auth(&good).send().await.unwrap();
    assert_eq!(bearer.status(), 401);
    assert_eq!(browser.get(ME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_is_shown_a_sessions_cookie() {
    let stage = Stage::set().await;
    let mirror = Upstream::mirror();
    let (email, _) = stage.person("ada").await;
    let real = Gateway::with(stage.settings(mirror.address));
    let browser = Browser::of(&real, &email).await;
    let mut settings = stage.settings(mirror.address);
    settings.origins.analytics = format!("http://{}", mirror.address).parse().unwrap();
    let gateway = Gateway::with(settings);
    let shown = async |method: Method, path: &str| {
        let request = crate::gateway::client()
            .request(method, gateway.url(path))
            .header("X-CSRF-Token", browser.csrf());
        let (session, csrf) = (browser.session(), browser.csrf());
        let cookie = format!(
            "theme=dark; millrace_session={session}; __Host-millrace_session={session}; millrace_csrf={csrf}"
        );
        request.header("cookie", cookie).send().await.unwrap()
    };
    let seen = wait::until_some("the gateway finds auth", async || {
        let answer = shown(Method::GET, "/api/v1/stats/dau").await;
        if answer.status() == 503 { None } else { Some(answer.text().await.unwrap()) }
    })
    .await;
    assert!(seen.contains("\nauthorization: Bearer eyJ"), "{seen}");
    assert!(seen.contains("\ncookie: theme=dark\n"), "{seen}");
    // Ingest knows programs alone: nothing is translated for it, and a library on a page of ours is not refused.
    let ingest = shown(Method::POST, "/api/v1/events").await.text().await.unwrap();
    assert!(ingest.starts_with("POST /api/v1/events") && !ingest.contains("authorization"), "{ingest}");
    for seen in [seen, ingest] {
        assert!(!seen.contains(&browser.session()) && !seen.contains("millrace_"), "{seen}");
    }
}
