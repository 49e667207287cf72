//! S3: objects by signed headers, by path and by host, in ranges, and refusals. Presigned URLs are tested by the provider's tests.

use std::time::{Duration, SystemTime};

use remote_fakes::{
    aws::{Account, SignedRequest},
    s3::S3,
};

use crate::raw::{Answer, send};

const BUCKET: &str = "fw-videos";

async fn ask(s3: &S3, request: &SignedRequest, account: &Account, more: &[(&str, &str)]) -> Answer {
    let url = s3.url();
    let mut headers = request.sign(account, url.strip_prefix("http://").unwrap());
    headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    send(&url, request.method, &request.path, &headers, &request.body).await
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
}

#[tokio::test]
async fn objects_are_put_and_fetched() {
    let account = Account::default();
    let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
    let to = |method, path: &str| SignedRequest::new(&account, "s3", method, path, SystemTime::now());
    let mut put = to("PUT", "/fw-videos/a%20folder/x.mp4");
    put.body = b"0123456789".to_vec();
    assert_eq!(ask(&s3, &put, &account, &[]).await.status, 200);
    assert_eq!(s3.object(BUCKET, "a folder/x.mp4").unwrap(), b"0123456789");

    let get = to("GET", "/fw-videos/a%20folder/x.mp4");
    let whole = ask(&s3, &get, &account, &[]).await;
    assert_eq!((whole.status, whole.text().as_str(), whole.header("content-type")), (200, "0123456789", Some("video/mp4")));
    for (range, part, says) in
        [("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=7-", "789", "bytes 7-9/10"), ("bytes=-2", "89", "bytes 8-9/10")]
    {
        let answer = ask(&s3, &get, &account, &[("range", range)]).await;
        assert_eq!((answer.status, answer.text().as_str(), answer.header("content-range")), (206, part, Some(says)), "{range}");
    }
    assert_refused(&ask(&s3, &get, &account, &[("range", "bytes=10-")]).await, 416, "InvalidRange");
    let head = ask(&s3, &to("HEAD", "/fw-videos/a%20folder/x.mp4"), &account, &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));

    assert_refused(&ask(&s3, &to("GET", "/fw-videos/y.mp4"), &account, &[]).await, 404, "NoSuchKey");
    assert_refused(&ask(&s3, &to("GET", "/another/y.mp4"), &account, &[]).await, 404, "NoSuchBucket");
    assert_refused(&ask(&s3, &to("DELETE", "/fw-videos/a%20folder/x.mp4"), &account, &[]).await, 405, "MethodNotAllowed");
}

#[tokio::test]
async fn each_signature_mistake_has_s3s_own_message() {
    let account = Account::default();
    let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
    s3.put(BUCKET, "x.mp4", *b"x");
    let right = SignedRequest::new(&account, "s3", "GET", "/fw-videos/x.mp4", SystemTime::now());
    assert_eq!(ask(&s3, &right, &account, &[]).await.status, 200);
    assert_refused(&send(&s3.url(), "GET", "/fw-videos/x.mp4", &[], b"").await, 403, "AccessDenied");
    let other = Account { secret_key: "another".to_owned(), ..account.clone() };
    assert_refused(&ask(&s3, &right, &other, &[]).await, 403, "SignatureDoesNotMatch");
    let unknown = Account { access_key: "AKIDUNKNOWN".to_owned(), ..account.clone() };
    assert_refused(&ask(&s3, &right, &unknown, &[]).await, 403, "InvalidAccessKeyId");
    let region = SignedRequest { region: "eu-west-1".to_owned(), ..right.clone() };
    assert_refused(&ask(&s3, &region, &account, &[]).await, 400, "AuthorizationHeaderMalformed");
    let path = SignedRequest { path: "/fw-videos/y.mp4".to_owned(), ..right.clone() };
    let url = s3.url();
    let headers = right.sign(&account, url.strip_prefix("http://").unwrap());
    assert_refused(&send(&url, "GET", &path.path, &headers, b"").await, 403, "SignatureDoesNotMatch");
    assert_refused(&send(&url, "GET", "/fw-videos/x.mp4", &headers, b"another body").await, 400, "XAmzContentSHA256Mismatch");
    let old = SignedRequest { time: SystemTime::now() - Duration::from_secs(3600), ..right };
    assert_refused(&ask(&s3, &old, &account, &[]).await, 403, "RequestTimeTooSkewed");
}
