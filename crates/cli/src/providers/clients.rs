//! Builds the client of each configured provider.
//!
//! The invariant: a missing setting keeps the provider's own default.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use remote_providers::{
    AwsKeys, Bedrock, BedrockSettings, GoogleAccess, HuggingFace, HuggingFaceSettings, Pace, PikaFal, PikaFalSettings, PikaWeb,
    PikaWebSettings, Provider, ProviderError, Replicate, ReplicateSettings, VeoGoogle, VeoGoogleSettings, VeoRelay, VeoRelaySettings,
};
use secrecy::ExposeSecret as _;

use crate::{
    failure::Usage,
    settings::{ProvidersSettings, Route, Settings},
};

/// The short name of Bedrock's model.
const NOVA_REEL: &str = "nova-reel";
/// Default retries: attempts of a call that fails for a transient reason, the pause after the first, and the backoff factor.
const TRIES: (u32, Duration, f64) = (4, Duration::from_secs(2), 2.0);

/// The client of a configured provider.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) provider: Arc<dyn Provider>,
    /// The model for requests that name only the provider; empty if it has none.
    pub(super) model: String,
    /// Its address, if that is a setting.
    pub(super) address: Option<String>,
    /// Concurrent videos.
    pub(super) slots: usize,
    /// Attempts of a call, the pause after the first failure, and the factor for each further pause.
    pub(super) tries: u32,
    pub(super) pause: Duration,
    pub(super) backoff: f64,
}

impl Client {
    fn new(provider: impl Provider + 'static, model: &str, address: Option<&str>, slots: usize) -> Self {
        let (tries, pause, backoff) = TRIES;
        let (model, address) = (model.to_owned(), address.map(str::to_owned));
        Self { provider: Arc::new(provider), model, address, slots, tries, pause, backoff }
    }
}

/// The clients of all configured providers, and a remark for each partly configured one.
///
/// # Errors
/// [`Usage`] if a provider's settings contradict each other.
pub(super) async fn all(settings: &Settings) -> Result<(Vec<Client>, Vec<String>)> {
    let providers = &settings.providers;
    let mut remarks = Vec::new();
    let bedrock = match bedrock(providers).await {
        Ok(client) => client,
        // The bucket may be set for another program on the same machine.
        Err(error) if !providers.bedrock.is_complete() => {
            remarks.push(format!("bedrock is not set up: {}", error.reason));
            None
        }
        Err(error) => return Err(refused("bedrock", &error)),
    };
    if bedrock.is_some() && !providers.bedrock.is_complete() && settings.routing.text == Route::Auto {
        remarks.push(
            "videos from texts stay here: bedrock has no key among the settings; where this machine has a role or shared credentials, set \
             routing.text to \"bedrock\""
                .to_owned(),
        );
    }
    let veo = veo(providers).map_err(|error| refused("veo", &error))?;
    let others = [pika(providers), replicate(providers), hugging_face(providers)];
    let clients: Vec<Client> = [bedrock, veo].into_iter().chain(others).flatten().collect();
    for Client { provider, model, .. } in clients.iter().filter(|client| !client.model.is_empty()) {
        provider.check_model(model).map_err(|error| refused(provider.name(), &error))?;
    }
    Ok((clients, remarks))
}

fn refused(service: &str, error: &ProviderError) -> anyhow::Error {
    Usage(format!("settings of providers.{service}: {}", error.reason)).into()
}

async fn bedrock(providers: &ProvidersSettings) -> Result<Option<Client>, ProviderError> {
    let set = &providers.bedrock;
    let Some(bucket) = &set.bucket else { return Ok(None) };
    let keys = set.access_key_id.as_ref().zip(set.secret_access_key.clone()).map(|(id, secret_access_key)| AwsKeys {
        access_key_id: id.expose_secret().to_owned(),
        secret_access_key,
        session_token: set.session_token.clone(),
    });
    let defaults = BedrockSettings::new(bucket.clone());
    let pace = paced(defaults.pace, set.poll_seconds, None, set.deadline_seconds);
    let settings = BedrockSettings {
        region: set.region.clone(),
        prefix: set.prefix.clone(),
        models: BTreeMap::from([(NOVA_REEL.to_owned(), set.model.clone())]),
        default_model: NOVA_REEL.to_owned(),
        keys,
        profile: set.profile.clone(),
        bearer_token: set.bearer_token.clone(),
        endpoint: set.endpoint.clone(),
        s3_endpoint: set.s3_endpoint.clone(),
        pace,
        ..defaults
    };
    Ok(Some(Client::new(Bedrock::connect(settings).await?, NOVA_REEL, set.endpoint.as_deref(), set.max_concurrent)))
}

fn veo(providers: &ProvidersSettings) -> Result<Option<Client>, ProviderError> {
    let set = &providers.veo;
    let client = if let Some(key) = &set.api_key {
        let defaults = VeoRelaySettings::new(key.clone());
        let settings = VeoRelaySettings {
            base_url: set.base_url.clone(),
            endpoint: set.endpoint.clone(),
            model: set.model.clone(),
            skip_upload: set.skip_upload,
            pace: paced(defaults.pace, set.poll_seconds, None, set.deadline_seconds),
            ..defaults
        };
        Client::new(VeoRelay::new(settings)?, &set.model, Some(&set.base_url), set.max_concurrent)
    } else {
        let defaults = match (&set.vertex_project, &set.vertex_token, &set.google_api_key) {
            (Some(project), Some(token), _) => VeoGoogleSettings::vertex(project, &set.vertex_location, token.clone()),
            (_, _, Some(key)) => VeoGoogleSettings::developer(key.clone()),
            (_, _, None) => return Ok(None),
        };
        let mut access = defaults.access;
        if let Some(address) = &set.google_base_url {
            match &mut access {
                GoogleAccess::Developer { base_url, .. } => base_url.clone_from(address),
                GoogleAccess::Vertex { base_url, .. } => *base_url = Some(address.clone()),
            }
        }
        let pace = paced(defaults.pace, set.poll_seconds, None, set.deadline_seconds);
        let settings = VeoGoogleSettings { access, model: set.google_model.clone(), pace, timeout: defaults.timeout };
        Client::new(VeoGoogle::new(settings)?, &set.google_model, set.google_base_url.as_deref(), set.max_concurrent)
    };
    let pause = Duration::from_secs_f64(set.retry_delay);
    Ok(Some(Client { tries: set.max_retries + 1, pause, backoff: set.retry_backoff, ..client }))
}

fn pika(providers: &ProvidersSettings) -> Option<Client> {
    let set = &providers.pika;
    let pace = |defaults| paced(defaults, set.poll_seconds, set.initial_wait_time, set.max_check_time);
    if let Some(key) = &set.bearer_token {
        let defaults = PikaWebSettings::new(key.clone());
        let settings = PikaWebSettings { base_url: set.base_url.clone(), model: set.model.clone(), pace: pace(defaults.pace), ..defaults };
        return Some(Client::new(PikaWeb::new(settings), &set.model, Some(&set.base_url), set.max_concurrent));
    }
    let defaults = PikaFalSettings::new(set.fal_key.clone()?);
    let settings =
        PikaFalSettings { base_url: set.fal_base_url.clone(), model: set.fal_model.clone(), pace: pace(defaults.pace), ..defaults };
    Some(Client::new(PikaFal::new(settings), &set.fal_model, Some(&set.fal_base_url), set.max_concurrent))
}

fn replicate(providers: &ProvidersSettings) -> Option<Client> {
    let set = &providers.replicate;
    let defaults = ReplicateSettings::new(set.api_token.clone()?);
    let model = set.video_model.clone().unwrap_or_default();
    let pace = paced(defaults.pace, set.poll_seconds, None, set.deadline_seconds);
    let image_key = set.image_input.clone().unwrap_or(defaults.image_key);
    let settings = ReplicateSettings { base_url: set.base_url.clone(), model: model.clone(), image_key, pace, ..defaults };
    Some(Client::new(Replicate::new(settings), &model, Some(&set.base_url), set.max_concurrent))
}

fn hugging_face(providers: &ProvidersSettings) -> Option<Client> {
    let set = &providers.huggingface;
    let defaults = HuggingFaceSettings::new(set.token.clone()?);
    let settings = HuggingFaceSettings { base_url: set.base_url.clone(), model: set.model.clone(), ..defaults };
    Some(Client::new(HuggingFace::new(settings), &set.model, Some(&set.base_url), set.max_concurrent))
}

/// A provider's pace with the operator's overrides. A shorter polling interval also shortens the initial wait.
fn paced(usual: Pace, poll: Option<f64>, first: Option<f64>, deadline: Option<f64>) -> Pace {
    let [poll, first, deadline] = [poll, first, deadline].map(|seconds| seconds.map(Duration::from_secs_f64));
    Pace {
        initial_wait: first.unwrap_or_else(|| poll.map_or(usual.initial_wait, |poll| poll.min(usual.initial_wait))),
        interval: poll.unwrap_or(usual.interval),
        max_interval: poll.unwrap_or(usual.max_interval),
        deadline: deadline.unwrap_or(usual.deadline),
    }
}
