//! Replicate: any image-to-video or text-to-video model, by name or version.
//!
//! It must not wait or retry; a prediction is created once, because Replicate has no idempotency token.

mod prediction;

use std::time::Duration;

use async_trait::async_trait;
use guarded_http::HeaderMap;
use reqwest::header::AUTHORIZATION;
use secrecy::SecretString;
use serde_json::{Map, Value};

pub(crate) use self::prediction::{ModelName, Prediction, Predictions};
use crate::{
    ErrorKind, InputImage, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
    fields::{data_url_bytes, invalid, refuse},
    http::secret_header,
};

/// The provider's name.
pub(crate) const NAME: &str = "replicate";

/// The option that names the model's image input; not an input itself.
const IMAGE_KEY: &str = "image_key";
/// The image input of most models.
const IMAGE: &str = "image";

/// Settings of Replicate.
#[derive(Clone, Debug)]
pub struct ReplicateSettings {
    /// The API's address, without "/v1".
    pub base_url: String,
    /// The token.
    pub token: SecretString,
    /// The default model; may be empty.
    pub model: String,
    /// The model's image input, if a request's options name none: "image".
    pub image_key: String,
    /// How to poll for a video.
    pub pace: Pace,
    /// Timeout of one answer.
    pub timeout: Duration,
}

impl ReplicateSettings {
    /// Replicate's own address, no model, the first poll after 5 s, and a deadline of 30 minutes, when Replicate itself ends a prediction.
    pub fn new(token: SecretString) -> Self {
        let pace = Pace {
            initial_wait: Duration::from_secs(5),
            interval: Duration::from_secs(2),
            max_interval: Duration::from_secs(10),
            deadline: Duration::from_secs(1800),
        };
        let base_url = "https://api.replicate.com".to_owned();
        Self { base_url, token, model: String::new(), image_key: IMAGE.to_owned(), pace, timeout: Duration::from_secs(60) }
    }
}

/// Replicate. A model's name is "owner/name", "owner/name:version" or a version.
///
/// Models define their own inputs. `prompt`, `image`, `negative_prompt` and `seed` are sent under these names if the request has them, and
/// all `options` as further inputs. `options.image_key` overrides [`ReplicateSettings::image_key`], the name of the image input: Stable
/// Video Diffusion has `input_image`.
#[derive(Debug)]
pub struct Replicate {
    predictions: Predictions,
    model: String,
    image_key: String,
    pace: Pace,
}

impl Replicate {
    /// Creates it from the settings, without a request.
    pub fn new(settings: ReplicateSettings) -> Self {
        let ReplicateSettings { base_url, token, model, image_key, pace, timeout } = settings;
        Self { predictions: Predictions::new(base_url, token, timeout), model, image_key, pace }
    }

    fn model<'a>(&'a self, model: &'a str) -> Result<ModelName<'a>> {
        let model = if model.is_empty() { &self.model } else { model };
        if model.is_empty() {
            return Err(invalid(NAME, "no model is named; name one: owner/name, owner/name:version or a version"));
        }
        ModelName::read(model)
    }

    /// The model's input; `url` turns the image into an address. Options take precedence over the common fields.
    fn input(&self, request: &VideoRequest, url: fn(&InputImage) -> String) -> Result<Map<String, Value>> {
        let advice = "give it in options under the model's own name";
        let fields = [
            ("last_image", request.last_image.is_some()),
            ("shots", !request.shots.is_empty()),
            ("seconds", request.seconds.is_some()),
            ("size", request.size.is_some()),
            ("fps", request.fps.is_some()),
        ];
        let fields = fields.map(|(name, is_set)| (format!("{name} ({advice})"), is_set));
        refuse(NAME, &fields.each_ref().map(|(name, is_set)| (name.as_str(), *is_set)))?;

        let mut options = request.options.clone();
        let image_key = match options.remove(IMAGE_KEY) {
            None => self.image_key.clone(),
            Some(Value::String(key)) if !key.trim().is_empty() => key,
            Some(other) => return Err(invalid(NAME, format!("options.image_key is {other}; it has to be the name of the model's input"))),
        };
        let mut input = Map::new();
        if !request.prompt.is_empty() {
            input.insert("prompt".to_owned(), request.prompt.as_str().into());
        }
        if let Some(negative) = &request.negative_prompt {
            input.insert("negative_prompt".to_owned(), negative.as_str().into());
        }
        if let Some(image) = &request.image {
            input.insert(image_key, url(image).into());
        }
        if let Some(seed) = request.seed {
            input.insert("seed".to_owned(), seed.into());
        }
        input.append(&mut options);
        if input.is_empty() {
            return Err(invalid(NAME, "the request is empty; give a prompt, an image or options"));
        }
        Ok(input)
    }

    fn source(&self, output: &Value) -> Result<Source> {
        let wrong = |reason| ProviderError::new(NAME, ErrorKind::Protocol, reason);
        let url = first_file(output).ok_or_else(|| wrong("the prediction succeeded, but its output has no file"))?;
        if let Some(data) = url.strip_prefix("data:") {
            return data_url_bytes(data).map(Source::Bytes).ok_or_else(|| wrong("the output is a data URL that is not base64"));
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = self.predictions.key_for(url)? {
            headers.insert(AUTHORIZATION, secret_header(NAME, "Bearer ", token)?);
        }
        Ok(Source::Url { url: url.to_owned(), headers })
    }

    fn status(&self, prediction: &Prediction) -> Status {
        match prediction.word() {
            "succeeded" if prediction.is_removed() => {
                let reason = "the provider has removed the video, as it does an hour after it was made";
                Status::Failed(ProviderError::new(NAME, ErrorKind::Result, reason).with_retryable(false))
            }
            "succeeded" => self.source(prediction.output()).map_or_else(Status::Failed, Status::Finished),
            "starting" | "processing" => Status::Pending(prediction.percent()),
            "failed" | "canceled" | "aborted" => Status::Failed(self.predictions.failure(prediction)),
            _ => Status::Failed(prediction.unknown_word()),
        }
    }
}

#[async_trait]
impl Provider for Replicate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        self.model(model)?;
        self.input(request, InputImage::left_out).map(drop)
    }

    fn check_model(&self, model: &str) -> Result<()> {
        self.model(model).map(drop)
    }

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn start(&self, model: &str, request: &VideoRequest, _token: &str) -> Result<Started> {
        // A video takes longer than Replicate holds an answer, so `wait` is not requested.
        let prediction = self.predictions.create(&self.model(model)?, self.input(request, InputImage::url)?, false).await?;
        let id = prediction.id().to_owned();
        match self.status(&prediction) {
            Status::Finished(source) => Ok(Started::Finished(id, source)),
            // The next poll reports it again, and by then the id is stored.
            Status::Pending(_) | Status::Failed(_) => Ok(Started::Pending(id)),
        }
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        Ok(self.status(&self.predictions.get(id).await?))
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        self.predictions.cancel(id).await
    }
}

/// The first address in an output, which is a text, a list or an object.
fn first_file(output: &Value) -> Option<&str> {
    match output {
        Value::String(text) => {
            Some(text.as_str()).filter(|text| ["http://", "https://", "data:"].iter().any(|start| text.starts_with(start)))
        }
        Value::Array(files) => files.iter().find_map(first_file),
        // If there are several files, the video is under "video".
        Value::Object(files) => files.get("video").and_then(first_file).or_else(|| files.values().find_map(first_file)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
