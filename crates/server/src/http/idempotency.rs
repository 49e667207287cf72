//! The `Idempotency-Key` header: a name for a request, which makes one job however often it is sent.
//!
//! It must not know what the request asks for. It follows the IETF draft (draft-ietf-httpapi-idempotency-key-header): the same key with the
//! same request gets the same answer again, with `Idempotent-Replayed: true`; with another request it is 422. There is no 409 for a first
//! request that is still running, because jobs are accepted atomically: the second request finds the job. A key is valid for as long as its
//! job is kept (ten minutes after its end for a held job), and each owner has their own keys.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web::Bytes,
};
use generation::jobs::Idempotency;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::http::{error_bodies::ValidationErrorDetail, problem::Problem, request_body::offload};

/// The header's name.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The maximum length of a key.
pub(crate) const MAX_CHARS: usize = 255;

/// The header in /openapi.json.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only documents the header")]
pub(crate) struct IdempotencyHeader {
    /// A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The request's key, if it has one, and a digest of its method, its path and its body.
///
/// # Errors
/// 422 if the key is empty, too long, given twice, or contains anything but visible ASCII.
pub(crate) async fn of(request: &HttpRequest, body: &Bytes) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = name_of(request)? else { return Ok(None) };
    Ok(Some(Idempotency { key, fingerprint: fingerprint(request, body).await? }))
}

/// A digest of a request's method, its path and its body.
pub(crate) async fn fingerprint(request: &HttpRequest, body: &Bytes) -> Result<String, Problem> {
    // Neither a method nor a path contains a line break, so the parts cannot be confused.
    let head = format!("{}\n{}\n", request.method(), request.path());
    let body = body.clone();
    let fingerprint = offload(body.len(), move || {
        let digest = Sha256::new().chain_update(head).chain_update(body).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    fingerprint.await
}

/// The value of the header.
fn name_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut names = request.headers().get_all(IDEMPOTENCY_KEY);
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => name.to_str().ok().filter(|name| is_name(name)).map(|name| Some(name.to_owned())).ok_or_else(unreadable),
        (Some(_), Some(_)) => Err(unreadable()),
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_CHARS).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unreadable() -> Problem {
    Problem::invalid(vec![ValidationErrorDetail {
        kind: "value_error".into(),
        loc: vec!["header".into(), IDEMPOTENCY_KEY.into()],
        msg: format!("Value error, {IDEMPOTENCY_KEY} is given once, and is 1 to {MAX_CHARS} visible ASCII characters"),
        input: Value::Null,
        ctx: None,
    }])
}

/// Marks an answer as a repeated one.
pub(crate) fn mark(response: &mut HttpResponse, replayed: bool) {
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use actix_web::{http::Method, test::TestRequest};

    use super::*;

    fn request(key: &str) -> TestRequest {
        TestRequest::post().uri("/api/v1/videos/generate").insert_header((IDEMPOTENCY_KEY, key))
    }

    async fn fingerprint(request: TestRequest, body: &'static str) -> String {
        of(&request.to_http_request(), &Bytes::from_static(body.as_bytes())).await.unwrap().unwrap().fingerprint
    }

    #[actix_web::test]
    async fn another_request_has_another_fingerprint() {
        let first = fingerprint(request("a"), "{}").await;
        assert_eq!(first, fingerprint(request("b"), "{}").await);
        assert_eq!(first.len(), 64);
        for other in [
            fingerprint(request("a"), "{ }").await,
            fingerprint(request("a").uri("/api/v1/images/generate"), "{}").await,
            fingerprint(request("a").method(Method::PUT), "{}").await,
        ] {
            assert_ne!(first, other);
        }
    }

    #[actix_web::test]
    async fn the_fingerprint_of_a_long_body_is_its_digest() {
        // Python: hashlib.sha256(b"POST\n/api/v1/videos/generate\n" + b"x" * 100_000)
        let long = Bytes::from(vec![b'x'; 100_000]);
        let found = of(&request("a").to_http_request(), &long).await.unwrap().unwrap().fingerprint;
        assert_eq!(found, "a03a8cea5d77b2ff605421b05a0f600fea0cf40f9ea5f93a67686ecd8306c4e6");
    }

    #[test]
    fn a_name_is_visible_ascii() {
        let read = |request: TestRequest| name_of(&request.to_http_request());
        assert_eq!(read(TestRequest::post()).unwrap(), None);
        assert_eq!(read(request("8e03978e-40d5-43e8-bc93-6894a57f9324")).unwrap().unwrap().len(), 36);
        let long = "x".repeat(MAX_CHARS + 1);
        for refused in ["", "a b", "caf\u{e9}", &long] {
            assert!(matches!(read(request(refused)), Err(problem) if !problem.fields.is_empty()), "{refused}");
        }
        assert!(matches!(read(request("a").append_header((IDEMPOTENCY_KEY, "b"))), Err(problem) if !problem.fields.is_empty()));
    }
}
