//! What stands around every page of the panel: who may look, what a browser may do with it, and in which language it is.

use super::*;

const LOOK: &str = "Host: localhost\nAccept: text/html";

#[tokio::test]
async fn a_page_runs_nothing_that_is_not_ours_and_stays_in_no_cache() {
    let plane = Plane::start().await;
    let page = plane.local(&format!("GET /rejected HTTP/1.1\n{LOOK}")).await;
    let fields = ["content-type", "cache-control", "x-content-type-options", "referrer-policy"];
    let expected = ["text/html; charset=utf-8", "no-store", "nosniff", "same-origin"];
    assert_eq!((page.status, fields.map(|name| page.field(name))), (200, expected));
    let policy = page.field("content-security-policy");
    for rule in ["default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "base-uri 'none'"]
    {
        assert!(policy.split("; ").any(|found| found == rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for forbidden in ["<script>", " style=", " onclick=", "http://", "https://", "javascript:"] {
        assert!(!page.content.contains(forbidden), "{forbidden}: {}", page.content);
    }
    let style = page.content.split("href=\"").find_map(|rest| rest.split('"').next().filter(|it| it.ends_with(".css")));
    let style = plane.admin(&format!("GET {} HTTP/1.1\nHost: localhost", style.expect("a stylesheet"))).await;
    assert_eq!((style.status, style.field("cache-control")), (200, "public, max-age=31536000, immutable"));
}

#[tokio::test]
async fn over_the_network_nobody_looks_who_is_not_signed_in() {
    let plane = Plane::start().await;
    let page = plane.admin(&format!("GET /rejected HTTP/1.1\n{LOOK}")).await;
    assert_eq!((page.status, page.field("location"), &*page.content), (303, "/sign-in?back=%2Frejected", ""));
    let sent = form(&[("language", "de"), ("back", "/audit")]);
    let page = plane.admin(&format!("POST /language HTTP/1.1\n{LOOK}\n{sent}")).await;
    assert_eq!((page.status, page.field("content-type")), (401, "text/html; charset=utf-8"));
    assert!(page.content.contains("Please sign in"), "{}", page.content);
    // Nor does what is wrong with a form tell anything of the edge.
    for path in ["/sign-in", "/setup"] {
        let page = plane.admin(&format!("POST {path} HTTP/1.1\n{LOOK}\nContent-Length: 0\n")).await;
        assert!(page.status >= 400 && !page.content.contains("<nav"), "{}", page.content);
    }
}

#[tokio::test]
async fn pages_speak_the_language_of_the_browser_or_the_one_that_was_chosen() {
    let plane = Plane::start().await;
    let german = plane.local(&format!("GET /audit HTTP/1.1\n{LOOK}\nAccept-Language: de-AT,en;q=0.5")).await;
    assert!(german.content.contains("<html lang=\"de\">") && german.content.contains("<h1>Protokoll</h1>"));
    let chosen = format!("GET /audit HTTP/1.1\n{LOOK}\nAccept-Language: de\nCookie: vitrine_language=en");
    assert!(plane.local(&chosen).await.content.contains("<h1>Audit</h1>"));

    let sent = form(&[("language", "de"), ("back", "/audit?before=7")]);
    let answer = plane.local(&format!("POST /language HTTP/1.1\n{LOOK}\n{sent}")).await;
    assert_eq!((answer.status, answer.field("location")), (303, "/audit?before=7"));
    assert_eq!(answer.field("set-cookie"), "vitrine_language=de; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict");
}

#[tokio::test]
async fn through_the_socket_no_page_elsewhere_sends_a_browser_either() {
    let plane = Plane::start().await;
    let sent = form(&[("language", "de"), ("back", "/audit")]);
    for fields in [
        "Host: rebound.example",
        "Host: localhost\nOrigin: http://evil.example",
        "Host: localhost\nSec-Fetch-Site: cross-site",
    ] {
        let refused = plane.local(&format!("POST /language HTTP/1.1\n{fields}\n{sent}")).await;
        refused.assert_problem(403, "foreign-request");
    }
    let own = format!("POST /language HTTP/1.1\nHost: localhost:9180\nOrigin: http://localhost:9180\n{sent}");
    assert_eq!(plane.local(&own).await.status, 303);
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_a_document_for_programs() {
    let plane = Plane::start().await;
    let page = plane.local(&format!("GET /nowhere HTTP/1.1\n{LOOK}")).await;
    assert_eq!((page.status, page.field("content-type")), (404, "text/html; charset=utf-8"));
    plane.local("GET /nowhere HTTP/1.1\nHost: localhost").await.assert_problem(404, "not-found");
    let page = plane.local(&format!("GET /language HTTP/1.1\n{LOOK}")).await;
    assert_eq!((page.status, page.field("allow")), (405, "POST"));
}

/// The fields and the body of a form that is sent.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let part =
        |(name, value): &(&str, &str)| format!("--limit\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n");
    let body: String = fields.iter().map(part).collect::<String>() + "--limit--";
    // The request ends with an empty line more, which belongs to no part.
    let length = body.replace('\n', "\r\n").len() + 4;
    format!("Content-Type: multipart/form-data; boundary=limit\nContent-Length: {length}\n\n{body}")
}
