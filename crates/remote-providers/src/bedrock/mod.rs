//! Amazon Bedrock's asynchronous invocations with Nova Reel, through Amazon's own SDK.
//!
//! A start returns an ARN, which is the id; the finished video is in S3 and is fetched through a presigned URL. Two starts with the same
//! `clientRequestToken` make one video. Bedrock cannot cancel an invocation, so a cancelled one is still billed. The SDK's own retries are
//! off, because the loop retries.
//!
//! The invariant: the SDK's logs are discarded. At trace level it logs the bearer token and canonical requests with the session token, so
//! each of its futures runs without a subscriber. Reference: the models of bedrock-runtime 2023-09-30, and "Video generation access and
//! usage" in the Amazon Nova user guide.

mod connect;
mod errors;
mod image;
mod intercept;
mod nova_reel;
mod presign;
mod settings;

use std::fmt;

use async_trait::async_trait;
use aws_sdk_bedrockruntime::{
    Client,
    operation::get_async_invoke::GetAsyncInvokeOutput,
    types::{AsyncInvokeOutputDataConfig, AsyncInvokeS3OutputDataConfig, AsyncInvokeStatus},
};
use guarded_http::HeaderMap;
use tracing::{
    instrument::{WithDispatch, WithSubscriber as _},
    subscriber::NoSubscriber,
};
use url::Url;

use crate::{ErrorKind, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest, fields::job_id};
use presign::{Presigner, S3Object};
pub use settings::{AwsKeys, BedrockSettings};

/// The provider's name.
const NAME: &str = "bedrock";
/// The video's file name in the output folder.
const VIDEO: &str = "output.mp4";

/// Amazon Bedrock.
pub struct Bedrock {
    client: Client,
    presigner: Presigner,
    /// Whether requests carry a bearer token, which S3 does not accept.
    has_bearer: bool,
    settings: BedrockSettings,
}

impl fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bedrock").field("has_bearer", &self.has_bearer).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Bedrock {
    /// The full id of a model by its short name; the operator's default for an empty name.
    fn model_id(&self, model: &str) -> Result<&str> {
        let settings = &self.settings;
        let name = if model.is_empty() { &settings.default_model } else { model };
        settings.models.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<_> = settings.models.keys().map(String::as_str).collect();
            invalid(format!("the model {name:?} is not known; there is {}", known.join(", ")))
        })
    }

    async fn get(&self, arn: &str) -> Result<GetAsyncInvokeOutput> {
        if arn.is_empty() {
            return Err(invalid("the job's ARN is empty"));
        }
        let answer = without_logs(self.client.get_async_invoke().invocation_arn(arn).send()).await;
        answer.map_err(|error| errors::of(&error).about_job())
    }

    /// A presigned URL of a finished invocation's video.
    async fn video_url(&self, answer: &GetAsyncInvokeOutput) -> Result<Url> {
        // The folder comes from the answer, not the settings: the job may have been started with another bucket or prefix.
        let folder = match &answer.output_data_config {
            Some(AsyncInvokeOutputDataConfig::S3OutputDataConfig(config)) => Some(config.s3_uri()),
            Some(_) | None => None,
        };
        let place = folder.and_then(|folder| S3Object::within(folder, VIDEO));
        let place = place.ok_or_else(|| protocol("the finished invocation does not say where in S3 its video is"))?;
        self.presigner.url(&place).await.map_err(ProviderError::about_job)
    }
}

#[async_trait]
impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, model: &str, request: &VideoRequest) -> Result<()> {
        nova_reel::Task::of(self.model_id(model)?, request).map(|_| ())
    }

    fn check_model(&self, model: &str) -> Result<()> {
        self.model_id(model).map(drop)
    }

    fn pace(&self) -> Pace {
        self.settings.pace
    }

    fn honours_token(&self) -> bool {
        true
    }

    async fn start(&self, model: &str, request: &VideoRequest, token: &str) -> Result<Started> {
        let model = self.model_id(model)?;
        let task = nova_reel::Task::of(model, request)?;
        if self.has_bearer {
            // Otherwise a video would be billed that cannot be fetched.
            self.presigner.check().await?;
        }
        let input = nova_reel::model_input(task, request).await?;
        let uri = self.settings.s3_uri();
        let output = AsyncInvokeS3OutputDataConfig::builder().s3_uri(uri).build();
        let output = output.map_err(|_| ProviderError::new(NAME, ErrorKind::Settings, "the bucket is not set"))?;
        let call = self.client.start_async_invoke().model_id(model).model_input(input).client_request_token(token);
        let call = call.output_data_config(AsyncInvokeOutputDataConfig::S3OutputDataConfig(output));
        let answer = without_logs(call.send()).await.map_err(|error| errors::of(&error))?;
        job_id(NAME, answer.invocation_arn()).map(Started::Pending)
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        let answer = self.get(id).await?;
        match answer.status().as_str() {
            "InProgress" => Ok(Status::Pending(None)),
            "Completed" => {
                let url = self.video_url(&answer).await?;
                Ok(Status::Finished(Source::Url { url: url.into(), headers: HeaderMap::new() }))
            }
            "Failed" => Ok(Status::Failed(errors::of_failure(answer.failure_message()))),
            unknown => Err(protocol(format!("the status {unknown:?} is not known"))),
        }
    }

    /// Queries the invocation once, because only its answer has the video's location; `None` until it is completed.
    async fn link(&self, id: &str) -> Result<Option<Url>> {
        let answer = self.get(id).await?;
        if *answer.status() == AsyncInvokeStatus::Completed { self.video_url(&answer).await.map(Some) } else { Ok(None) }
    }
}

/// Runs the future without a log subscriber.
fn without_logs<F: Future>(future: F) -> WithDispatch<F> {
    future.with_subscriber(NoSubscriber::new())
}

fn invalid(reason: impl AsRef<str>) -> ProviderError {
    ProviderError::new(NAME, ErrorKind::InvalidRequest, reason)
}

fn protocol(reason: impl AsRef<str>) -> ProviderError {
    ProviderError::new(NAME, ErrorKind::Protocol, reason)
}
