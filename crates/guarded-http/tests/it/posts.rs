//! Webhooks: what is sent, which part of the answer counts, and that no redirect is followed.

use std::time::Duration;

use guarded_http::{ErrorKind, Guard, HeaderMap, HeaderName, HeaderValue, Rule};

use crate::{
    scripted::{LIMITS, ScriptedResolver, rule, settings},
    server::{Server, Step, ok, redirect},
};

async fn guarded(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> (Server, Guard, String) {
    let server = Server::start(answer).await;
    let allow = [format!("hooks.example:{}", server.port())];
    let guard = Guard::with_resolver(settings(&allow, &[]), ScriptedResolver::new("hooks.example 127.0.0.1"));
    let url = format!("http://hooks.example:{}/done?token=secret", server.port());
    (server, guard, url)
}

#[tokio::test]
async fn a_webhook_arrives_unchanged() {
    let (server, guard, url) = guarded(|_| vec![Step::Send(ok("text/plain", b"thanks"))]).await;
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_static("msg_1"));
    headers.insert(HeaderName::from_static("webhook-signature"), HeaderValue::from_static("v1,abc="));
    assert_eq!(guard.post(&url, headers, br#"{"a":1}"#.to_vec(), LIMITS.timeout).await, Ok(200));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST /done?token=secret HTTP/1.1\r\n") && requests[0].ends_with("\r\n\r\n{\"a\":1}"), "{requests:?}");
    for line in ["content-type: application/json", "webhook-id: msg_1", "webhook-signature: v1,abc=", "content-length: 7"] {
        assert!(requests[0].contains(&format!("\r\n{line}\r\n")), "{line}: {requests:?}");
    }
}

#[tokio::test]
async fn every_status_is_an_answer_and_no_redirect_is_followed() {
    let trap = Server::trap().await;
    let port = trap.port();
    for status in [200, 202, 204, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503] {
        let (server, guard, url) = guarded(move |_| vec![Step::Send(redirect(status, &format!("http://127.0.0.1:{port}/")))]).await;
        assert_eq!(guard.post(&url, HeaderMap::new(), b"{}".to_vec(), LIMITS.timeout).await, Ok(status));
        assert_eq!(server.requests().len(), 1);
    }
    trap.is_untouched("redirects of webhooks").await;
}

#[tokio::test]
async fn the_answer_is_read_up_to_a_limit() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
    let (_server, guard, url) = guarded(move |_| vec![Step::Send(head.clone()), Step::SendForever(chunk.clone())]).await;
    assert_eq!(guard.post(&url, HeaderMap::new(), Vec::new(), LIMITS.timeout).await, Ok(200));
    // A missing body is not awaited, and the status counts anyway.
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_vec();
    let (_server, guard, url) = guarded(move |_| vec![Step::Send(head.clone()), Step::Hold]).await;
    assert_eq!(guard.post(&url, HeaderMap::new(), Vec::new(), LIMITS.timeout).await, Ok(200));
}

#[tokio::test]
async fn a_webhooks_errors_do_not_reveal_its_address() {
    let (_server, guard, url) = guarded(|_| vec![Step::Hold]).await;
    let error = guard.post(&url, HeaderMap::new(), Vec::new(), Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "hooks.example: no complete answer within 200ms");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let (_server, guard, url) = guarded(|_| vec![]).await;
    let error = guard.post(&url, HeaderMap::new(), Vec::new(), LIMITS.timeout).await.unwrap_err();
    assert_eq!(error.to_string(), "hooks.example: the server gave no valid answer");
    let with_password = url.replace("http://", "http://user:secret@");
    let refused = guard.post(&with_password, HeaderMap::new(), Vec::new(), LIMITS.timeout).await;
    assert!(!format!("{refused:?}").contains("secret"));
    assert_eq!(rule(refused, "a password"), Rule::Credentials);
}
