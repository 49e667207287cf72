//! Captions: text descriptions of an image, used as prompts for its video.
//!
//! Implements Replicate's. A prediction is billed, so one that may have started is not created again; one that was refused for a transient
//! reason is.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use crate::{
    ErrorKind, InputImage, ProviderError, Result,
    replicate::{ModelName, NAME, Prediction, Predictions},
};

/// The i2v API's model.
const MODEL: &str = "pharmapsychotic/clip-interrogator:8151e1c9f47e696fa316146a2e35812ccf79cfc9eba05b11c7f450155102af70";

/// Captions images.
#[async_trait]
pub trait Interrogator: fmt::Debug + Send + Sync {
    /// A non-empty caption.
    ///
    /// # Errors
    /// [`ProviderError`], also if the caption is empty.
    async fn caption(&self, image: &InputImage) -> Result<String>;
}

/// The operator's settings of Replicate's interrogator.
#[derive(Clone, Debug)]
pub struct ReplicateInterrogatorSettings {
    /// The API's address, without "/v1".
    pub base_url: String,
    /// The token.
    pub token: SecretString,
    /// The model: "owner/name:version", "owner/name" or a version.
    pub model: String,
    /// Timeout of one answer; Replicate holds the first one for up to 60 s.
    pub timeout: Duration,
    /// Time between polls, if the first answer has no caption.
    pub interval: Duration,
    /// Timeout of the whole caption.
    pub deadline: Duration,
}

impl ReplicateInterrogatorSettings {
    /// CLIP Interrogator at Replicate's own address, with five minutes: the model may have to start first.
    pub fn new(token: SecretString) -> Self {
        Self {
            base_url: "https://api.replicate.com".to_owned(),
            token,
            model: MODEL.to_owned(),
            timeout: Duration::from_secs(90),
            interval: Duration::from_secs(2),
            deadline: Duration::from_secs(300),
        }
    }
}

/// CLIP Interrogator on Replicate.
#[derive(Debug)]
pub struct ReplicateInterrogator {
    predictions: Predictions,
    model: String,
    interval: Duration,
    deadline: Duration,
}

impl ReplicateInterrogator {
    /// Creates it from the settings, without a request.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the model's name is invalid.
    pub fn new(settings: ReplicateInterrogatorSettings) -> Result<Self> {
        let ReplicateInterrogatorSettings { base_url, token, model, timeout, interval, deadline } = settings;
        let interrogator = Self { predictions: Predictions::new(base_url, token, timeout), model, interval, deadline };
        interrogator.model()?;
        Ok(interrogator)
    }

    /// The operator's model; callers cannot choose it.
    fn model(&self) -> Result<ModelName<'_>> {
        ModelName::read(&self.model).map_err(|error| ProviderError::new(NAME, ErrorKind::Settings, error.reason))
    }

    /// The caption, or `None` while the prediction runs.
    fn read(&self, prediction: &Prediction) -> Result<Option<String>> {
        let failed = |reason: &str| ProviderError::new(NAME, ErrorKind::Failed, reason);
        match (prediction.word(), prediction.output()) {
            ("starting" | "processing", Value::Null) => Ok(None),
            ("starting" | "processing" | "succeeded", Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            ("starting" | "processing" | "succeeded", Value::String(_) | Value::Null) => Err(failed("the interrogator's caption is empty")),
            ("starting" | "processing" | "succeeded", _) => {
                Err(ProviderError::new(NAME, ErrorKind::Protocol, "the interrogator's output is no text; is the model an interrogator?"))
            }
            ("failed" | "canceled" | "aborted", _) => Err(self.predictions.failure(prediction)),
            (_, _) => Err(prediction.unknown_word()),
        }
    }
}

#[async_trait]
impl Interrogator for ReplicateInterrogator {
    async fn caption(&self, image: &InputImage) -> Result<String> {
        let until = Instant::now() + self.deadline;
        let mut input = Map::new();
        input.insert("image".to_owned(), image.url().into());
        input.insert("clip_model_name".to_owned(), "ViT-L-14/openai".into());
        input.insert("mode".to_owned(), "best".into());
        let model = self.model()?;
        let first = loop {
            let error = match self.predictions.create(&model, input.clone(), true).await {
                Ok(prediction) => break prediction,
                Err(error) => error,
            };
            let pause = self.interval.max(error.retry_after.unwrap_or_default());
            if error.may_have_started || !error.is_retryable() || until.saturating_duration_since(Instant::now()) <= pause {
                return Err(error);
            }
            sleep(pause).await;
        };
        if let Some(caption) = self.read(&first)? {
            return Ok(caption);
        }
        while Instant::now() + self.interval < until {
            sleep(self.interval).await;
            match self.predictions.get(first.id()).await {
                Ok(prediction) => {
                    if let Some(caption) = self.read(&prediction)? {
                        return Ok(caption);
                    }
                }
                // Polling is free.
                Err(error) if error.is_retryable() => sleep(error.retry_after.unwrap_or_default().min(self.interval * 15)).await,
                Err(error) => return Err(error),
            }
        }
        // The caption is no longer needed; a prediction that cannot be cancelled ends by itself.
        let _ends_by_itself: Result<()> = self.predictions.cancel(first.id()).await;
        let reason = format!("the caption was not ready after {} s", self.deadline.as_secs());
        Err(ProviderError::new(NAME, ErrorKind::Deadline, reason))
    }
}
