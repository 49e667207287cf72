//! `POST /async-invoke`: Bedrock's own checks of a request, before the model checks its input.

use serde_json::{Value, json};

use super::{ErrorReply, Job, OWNER, Service, filtered, model_input};
use crate::{Fault, Recorded};

/// The known fields of a request.
const FIELDS: [&str; 5] = ["modelId", "modelInput", "outputDataConfig", "clientRequestToken", "tags"];
/// The known models.
const MODELS: [&str; 2] = ["amazon.nova-reel-v1:0", "amazon.nova-reel-v1:1"];
/// The failure message of a blocked video.
const BLOCKED: &str = "The generated video has been blocked by our content filters.";

impl Service {
    pub(super) fn start(&self, request: &Recorded, fault: Option<&Fault>) -> Result<Value, ErrorReply> {
        if request.media_type() != "application/json" {
            return Err(ErrorReply::new("UnknownOperationException", "The content type must be application/json."));
        }
        let body = request.json();
        let fields = body.as_object().ok_or_else(|| ErrorReply::new("SerializationException", "The body is no JSON object."))?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(ErrorReply::validation(format!("Unknown field '{unknown}'")));
        }
        let model = text(&body, "/modelId", "modelId")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte);
        if model.is_empty() || model.len() > 256 || !model.bytes().all(plain) {
            return Err(constraint("modelId", model, "Member must satisfy regular expression pattern"));
        }
        let token = text(&body, "/clientRequestToken", "clientRequestToken")?;
        if token.is_empty() || token.len() > 256 || !token.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
            return Err(constraint("clientRequestToken", token, "Member must satisfy regular expression pattern: [!-~]*"));
        }
        let uri = text(&body, "/outputDataConfig/s3OutputDataConfig/s3Uri", "outputDataConfig.s3OutputDataConfig.s3Uri")?;
        let Some((bucket, prefix)) = bucket_and_prefix(uri) else {
            let pattern = "Member must satisfy regular expression pattern: s3://[a-z0-9][\\.\\-a-z0-9]{1,61}[a-z0-9](/.*)?";
            return Err(constraint("outputDataConfig.s3OutputDataConfig.s3Uri", uri, pattern));
        };
        if !MODELS.contains(&model) {
            return Err(ErrorReply::validation("The provided model identifier is invalid."));
        }
        let input = body.get("modelInput").unwrap_or(&Value::Null);
        let has_image = model_input::check(model, input).map_err(ErrorReply::validation)?;
        if fault == Some(&Fault::ContentFilterAtStart) {
            return Err(filtered(if has_image { "input image" } else { "text prompt" }));
        }
        if !self.objects.has_bucket(bucket) {
            return Err(ErrorReply::validation("Invalid Output Config/Credentials"));
        }
        let mut state = self.lock();
        if let Some((arn, known)) = state.jobs.iter().find(|(_, known)| known.token == token) {
            let message = "The clientRequestToken was used with another request.";
            return if known.body == body { Ok(json!({"invocationArn": arn})) } else { Err(ErrorReply::new("ConflictException", message)) };
        }
        let id = format!("fake{:08}", state.jobs.len() + 1);
        let arn = format!("arn:aws:bedrock:{}:{OWNER}:async-invoke/{id}", state.account.region);
        let prefix = prefix.trim_matches('/');
        let job = Job {
            token: token.to_owned(),
            model: model.to_owned(),
            bucket: bucket.to_owned(),
            folder: if prefix.is_empty() { id } else { format!("{prefix}/{id}") },
            submitted: self.clock.now(),
            ended: None,
            polls: 0,
            failure: match fault {
                Some(Fault::ContentFilterAtEnd) => Some(BLOCKED.to_owned()),
                Some(Fault::Failed(message)) => Some((*message).to_owned()),
                Some(_) | None => None,
            },
            body,
        };
        state.jobs.insert(arn.clone(), job);
        Ok(json!({"invocationArn": arn}))
    }
}

fn text<'a>(body: &'a Value, pointer: &str, name: &str) -> Result<&'a str, ErrorReply> {
    body.pointer(pointer).and_then(Value::as_str).ok_or_else(|| constraint(name, "null", "Member must not be null"))
}

fn constraint(name: &str, value: &str, rule: &str) -> ErrorReply {
    ErrorReply::validation(format!("1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"))
}

/// The parts of `s3://BUCKET[/PREFIX]`.
fn bucket_and_prefix(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = bucket.as_bytes();
    let ends = bytes.first().copied().is_some_and(small) && bytes.last().copied().is_some_and(small);
    let right = (3..=63).contains(&bytes.len()) && ends && bytes.iter().all(|byte| small(*byte) || b".-".contains(byte));
    right.then_some((bucket, prefix))
}
