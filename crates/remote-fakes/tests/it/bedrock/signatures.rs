//! Authentication: signatures, bearer tokens, keys that expire, and the signed path.

use std::time::{Duration, SystemTime};

use remote_fakes::aws::{Account, SignedRequest};

use super::{World, assert_refused, text_video};
use crate::raw::send;

#[tokio::test]
async fn each_mistake_in_the_signature_is_named() {
    let world = World::new().await;
    let right = world.start(&text_video());
    let invalid = "InvalidSignatureException";

    let other_key = Account { secret_key: "another".to_owned(), ..world.account.clone() };
    let answer = world.send_by(&right, &other_key).await;
    assert_refused(&answer, "another secret", 403, invalid, "does not match");
    assert!(!answer.text().contains(&world.account.secret_key));

    let unknown = Account { access_key: "AKIDUNKNOWN".to_owned(), ..world.account.clone() };
    assert_refused(&world.send_by(&right, &unknown).await, "unknown key", 403, "UnrecognizedClientException", "security token");
    let with_token = Account { session_token: Some("token".to_owned()), ..world.account.clone() };
    assert_refused(&world.send_by(&right, &with_token).await, "a token too many", 403, "UnrecognizedClientException", "security token");

    let body = SignedRequest { signed_body: Some(b"{}".to_vec()), ..right.clone() };
    assert_refused(&world.send(&body).await, "another body", 403, invalid, "does not match");
    let region = SignedRequest { region: "eu-west-1".to_owned(), ..right.clone() };
    assert_refused(&world.send(&region).await, "another region", 403, invalid, "not 'eu-west-1'");
    let service = SignedRequest { service: "bedrock-runtime".to_owned(), ..right.clone() };
    assert_refused(&world.send(&service).await, "another service", 403, invalid, "correct service: 'bedrock'");

    let early = SignedRequest { time: SystemTime::now() - Duration::from_secs(301), ..right.clone() };
    assert_refused(&world.send(&early).await, "too old", 403, invalid, "Signature expired");
    let late = SignedRequest { time: SystemTime::now() + Duration::from_secs(310), ..right.clone() };
    assert_refused(&world.send(&late).await, "too new", 403, invalid, "not yet current");
    let nearly = SignedRequest { time: SystemTime::now() - Duration::from_secs(200), ..right.clone() };
    assert_eq!(world.send(&nearly).await.status, 200);

    // Missing parts of the header.
    let url = world.bedrock.url();
    let signed = right.sign(&world.account, url.strip_prefix("http://").unwrap());
    let change = |from: &str, to: &str| {
        signed.iter().map(|(name, value)| (name.clone(), value.replace(from, to))).collect::<Vec<(String, String)>>()
    };
    let without = |name: &str| signed.iter().filter(|(known, _)| known != name).cloned().collect::<Vec<_>>();
    let table = [
        ("no authorization", without("authorization"), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("no date", without("x-amz-date"), "IncompleteSignatureException", "X-Amz-Date"),
        ("no Credential", change("Credential=", "Credentials="), "IncompleteSignatureException", "'Credential'"),
        ("no SignedHeaders", change("SignedHeaders=", "Headers="), "IncompleteSignatureException", "'SignedHeaders'"),
        ("no Signature", change("Signature=", "Sig="), "IncompleteSignatureException", "'Signature'"),
        ("another algorithm", change("AWS4-HMAC-SHA256", "AWS3-HMAC-SHA256"), "IncompleteSignatureException", "algorithm"),
        ("a short scope", change("/aws4_request", ""), "IncompleteSignatureException", "5 slash-delimited"),
        ("the host is not signed", change(";host", ""), "IncompleteSignatureException", "'host'"),
        ("the date is not signed", change(";x-amz-date", ""), "IncompleteSignatureException", "'x-amz-date'"),
        ("a header that is signed and not sent", without("content-type"), "IncompleteSignatureException", "'content-type'"),
        ("one digit of the signature", flip_last(&signed), invalid, "does not match"),
    ];
    for (name, headers, code, words) in table {
        let answer = send(&url, "POST", "/async-invoke", &headers, &right.body).await;
        assert_refused(&answer, name, 403, code, words);
    }
    assert_eq!(world.bedrock.begun(), 1);
}

/// The same headers, with the last digit of the signature changed.
fn flip_last(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut headers = headers.to_vec();
    let signature = &mut headers.iter_mut().find(|(name, _)| name == "authorization").unwrap().1;
    let last = signature.pop().unwrap();
    signature.push(if last == '0' { '1' } else { '0' });
    headers
}

#[tokio::test]
async fn an_arn_is_encoded_in_the_path_and_once_more_for_the_signature() {
    let world = World::new().await;
    let arn = world.begin().await;
    let right = world.get(&arn);
    assert_eq!(world.send(&right).await.status, 200);

    let once = SignedRequest { signed_path: Some(right.path.clone()), ..right.clone() };
    assert_refused(&world.send(&once).await, "signed as it is sent", 403, "InvalidSignatureException", "does not match");
    let twice = SignedRequest { path: right.path.replace('%', "%25"), ..right.clone() };
    assert_refused(&world.send(&twice).await, "sent encoded twice", 400, "ValidationException", "invocation ARN");
    for path in [format!("/async-invoke/{arn}"), format!("/async-invoke/{}", arn.replace('/', "%2F")), "/async-invoke/".to_owned()] {
        let plain = SignedRequest { path: path.clone(), ..right.clone() };
        assert_refused(&world.send(&plain).await, &path, 404, "UnknownOperationException", "not recognized");
    }
    let unknown = world.get("arn:aws:bedrock:us-east-1:123456789012:async-invoke/another00000");
    assert_refused(&world.send(&unknown).await, "an unknown ARN", 400, "ValidationException", "invocation ARN");
}

#[tokio::test]
async fn a_bearer_token_replaces_a_signature() {
    let world = World::new().await;
    let ask = |token: &str| {
        let headers = [("content-type".to_owned(), "application/json".to_owned()), ("authorization".to_owned(), format!("Bearer {token}"))];
        (world.bedrock.url(), headers)
    };
    let (url, headers) = ask("a-bearer-token");
    assert_eq!(send(&url, "POST", "/async-invoke", &headers, text_video().to_string().as_bytes()).await.status, 200);
    let (url, headers) = ask("another");
    let answer = send(&url, "POST", "/async-invoke", &headers, text_video().to_string().as_bytes()).await;
    assert_refused(&answer, "an unknown token", 403, "AccessDeniedException", "API Key");
}

#[tokio::test]
async fn temporary_keys_expire() {
    let world = World::new().await;
    let account = Account {
        session_token: Some("a-session-token".to_owned()),
        expires: Some(SystemTime::now() + Duration::from_secs(60)),
        ..world.account.clone()
    };
    world.bedrock.set_account(account.clone());
    assert_eq!(world.send_by(&world.start(&text_video()), &account).await.status, 200);
    let keyless = world.send(&world.start(&text_video())).await;
    assert_refused(&keyless, "without the token", 403, "UnrecognizedClientException", "security token");
    world.bedrock.clock.advance(Duration::from_secs(61));
    let expired = SignedRequest { time: world.bedrock.clock.now(), ..world.start(&text_video()) };
    assert_refused(&world.send_by(&expired, &account).await, "expired", 403, "ExpiredTokenException", "expired");
}
