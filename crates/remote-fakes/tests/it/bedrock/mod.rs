//! Bedrock refuses each single mistake with Amazon's status, error name and field: requests are written and signed by hand.

mod bodies;
mod signatures;

use std::time::SystemTime;

use remote_fakes::{
    aws::{Account, SignedRequest},
    bedrock::Bedrock,
    s3::S3,
};
use serde_json::{Value, json};

use crate::raw::{Answer, send};

const BUCKET: &str = "fw-videos";

/// A Bedrock fake and its S3.
struct World {
    bedrock: Bedrock,
    _s3: S3,
    account: Account,
}

impl World {
    async fn new() -> Self {
        let account = Account { bearer: Some("a-bearer-token".to_owned()), ..Account::default() };
        let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
        Self { bedrock: Bedrock::start(account.clone(), &s3).await.unwrap(), _s3: s3, account }
    }

    /// A correct start; each test adds one mistake.
    fn start(&self, body: &Value) -> SignedRequest {
        let mut request = SignedRequest::new(&self.account, "bedrock", "POST", "/async-invoke", SystemTime::now());
        request.body = body.to_string().into_bytes();
        request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        request
    }

    fn get(&self, arn: &str) -> SignedRequest {
        SignedRequest::new(&self.account, "bedrock", "GET", format!("/async-invoke/{}", encoded(arn)), SystemTime::now())
    }

    async fn send(&self, request: &SignedRequest) -> Answer {
        self.send_by(request, &self.account).await
    }

    async fn send_by(&self, request: &SignedRequest, account: &Account) -> Answer {
        let url = self.bedrock.url();
        let headers = request.sign(account, url.strip_prefix("http://").unwrap());
        send(&url, request.method, &request.path, &headers, &request.body).await
    }

    /// Starts a video.
    async fn begin(&self) -> String {
        let answer = self.send(&self.start(&text_video())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["invocationArn"].as_str().unwrap().to_owned()
    }
}

fn encoded(arn: &str) -> String {
    arn.replace(':', "%3A").replace('/', "%2F")
}

/// A correct request for one shot.
fn text_video() -> Value {
    json!({
        "modelId": "amazon.nova-reel-v1:1",
        "modelInput": {
            "taskType": "TEXT_VIDEO",
            "textToVideoParams": {"text": "a fox"},
            "videoGenerationConfig": {"durationSeconds": 6, "fps": 24, "dimension": "1280x720", "seed": 42},
        },
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": format!("s3://{BUCKET}/clips")}},
        "clientRequestToken": "5d3f4a2e-1111-4222-8333-944455556666",
    })
}

/// The same body with another value at a place; `null` removes the field.
fn but(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let fields = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name).unwrap();
    } else {
        fields.insert(name.to_owned(), value);
    }
    body
}

#[track_caller]
fn assert_refused(answer: &Answer, name: &str, status: u16, code: &str, words: &str) {
    let given = answer.header("x-amzn-errortype").unwrap_or_default();
    // Amazon appends an address to its error names, after a colon.
    assert_eq!((answer.status, given.split(':').next().unwrap()), (status, code), "{name}: {}", answer.text());
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(words), "{name}: {message}");
}
