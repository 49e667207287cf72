//! Amazon Bedrock: the provider against a Bedrock and an S3 that verify every signature.

mod environment;
mod faults;
mod flows;
mod images;
mod links;
mod refusals;
mod secrets;

use std::{future::pending, path::Path, sync::Mutex, time::Duration};

use async_trait::async_trait;
use remote_fakes::{Recorded, aws::Account, bedrock, s3::S3};
use remote_providers::{
    AwsKeys, Bedrock, BedrockSettings, DownloadError, DownloadLimits, Durability, Finished, Lost, Pace, ProviderError, RemoteState,
    RemoteStateStore, Run, RunError, VideoRequest, download, run,
};
use secrecy::SecretString;

use crate::{drive::checked, flow::guard};

const BUCKET: &str = "fw-videos";

/// A fake Bedrock, the fake S3 that it writes to, and the persisted states of a run.
struct World {
    s3: S3,
    bedrock: bedrock::Bedrock,
    states: Mutex<Vec<RemoteState>>,
}

impl World {
    async fn new() -> Self {
        Self::with(Account::default()).await
    }

    async fn with(account: Account) -> Self {
        let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
        let bedrock = bedrock::Bedrock::start(account, &s3).await.unwrap();
        Self { s3, bedrock, states: Mutex::default() }
    }

    /// Complete settings, so that nothing of the machine's own configuration is used.
    fn settings(&self) -> BedrockSettings {
        let pace = Pace {
            initial_wait: Duration::ZERO,
            interval: Duration::from_millis(2),
            max_interval: Duration::from_millis(10),
            deadline: Duration::from_secs(120),
        };
        BedrockSettings {
            region: Some("us-east-1".to_owned()),
            prefix: Some("clips".to_owned()),
            keys: Some(keys(&Account::default())),
            // Blank, so that a token from the environment of the test run is ignored.
            bearer_token: Some(SecretString::from("")),
            endpoint: Some(self.bedrock.url()),
            s3_endpoint: Some(self.s3.url()),
            pace,
            ..BedrockSettings::new(BUCKET)
        }
    }

    async fn provider(&self) -> Bedrock {
        Bedrock::connect(self.settings()).await.unwrap()
    }

    /// Makes a video with a provider, as the job with this state.
    async fn run(&self, provider: &Bedrock, request: &VideoRequest, state: RemoteState) -> Result<Finished, ProviderError> {
        let asked = Run {
            provider,
            model: "",
            request: request.clone(),
            memory: self,
            progress: &|_| {},
            tries: 3,
            pause: Duration::from_millis(2),
            backoff: 2.0,
        };
        match run(asked, state, pending()).await {
            Ok(finished) => Ok(finished),
            Err(RunError::Provider(error)) => Err(checked_all(error)),
            Err(error @ (RunError::Stopped { .. } | RunError::Lost(_))) => panic!("{error}"),
        }
    }

    /// The requests that start a video.
    fn starts(&self) -> Vec<Recorded> {
        self.bedrock.requests().into_iter().filter(|request| request.method == "POST").collect()
    }

    /// The states that a run has persisted so far.
    fn states(&self) -> Vec<RemoteState> {
        self.states.lock().unwrap().clone()
    }
}

#[async_trait]
impl RemoteStateStore for World {
    async fn record(&self, state: &RemoteState, _: Durability) -> Result<(), Lost> {
        self.states.lock().unwrap().push(state.clone());
        Ok(())
    }
}

fn keys(account: &Account) -> AwsKeys {
    AwsKeys {
        access_key_id: account.access_key.clone(),
        secret_access_key: SecretString::from(account.secret_key.clone()),
        session_token: account.session_token.clone().map(SecretString::from),
    }
}

fn fresh(token: &str) -> RemoteState {
    RemoteState { token: token.to_owned(), ..RemoteState::default() }
}

fn text() -> VideoRequest {
    VideoRequest { prompt: "a red fox in the snow".to_owned(), ..VideoRequest::default() }
}

/// Downloads a finished video into a file.
async fn fetch(finished: Finished, limits: &DownloadLimits, file: &Path) -> Result<u64, ProviderError> {
    download("bedrock", finished.source, &guard(), limits, file).await.map_err(|error| match error {
        DownloadError::Provider(error) => checked_all(error),
        DownloadError::Disk(error) => panic!("{error}"),
    })
}

/// Checks that hold for every error, including that keys do not leak.
fn checked_all(error: ProviderError) -> ProviderError {
    let error = checked(error);
    let all = format!("{error} {error:?}");
    let account = Account::default();
    for secret in [account.secret_key.as_str(), "X-Amz-Signature", "Signature=", "a-session-token", "a-bearer-token"] {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
    error
}
