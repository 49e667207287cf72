//! Remote providers from the settings: their clients, the backends for their jobs, and what the server needs to know about them.
//!
//! The invariants: a provider is configured only if the operator gave its key; a route to an unconfigured provider fails the start and
//! names the missing setting; nothing here sends a request.

mod budget;
mod clients;
mod local_captions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use generation::{
    Backend, RemoteBackend, RemoteSettings,
    jobs::{Overflow, Routing, SpendSettings},
};
use remote_providers::{Guard, Interrogator, ReplicateInterrogator, ReplicateInterrogatorSettings};
use server::{AllowedHost, GameCallback, GuardSettings, Service, Services};
use url::Url;

use self::{clients::Client, local_captions::LocalInterrogator};
use crate::{
    failure::Usage,
    settings::{InterrogatorKind, Settings, service_of},
};

/// The configured remote providers.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    /// Backends for jobs.
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    /// Providers and routes, for the server.
    pub(crate) services: Services,
    /// Prices and caps.
    pub(crate) spend: SpendSettings,
    /// Which local work overflows to them.
    pub(crate) routing: Routing,
    /// Why a partly configured provider is unavailable.
    pub(crate) remarks: Vec<String>,
}

impl Providers {
    /// Builds them from the settings. The AWS files are read too if the settings name a bucket.
    ///
    /// # Errors
    /// [`Usage`] if settings contradict each other, or a route names an unconfigured provider.
    pub(crate) async fn connect(settings: &Settings, guard: &GuardSettings) -> Result<Self> {
        let (clients, remarks) = clients::all(settings).await?;
        let captions = interrogator(settings).await?;
        let services = Services {
            services: clients.iter().map(service).collect(),
            local_models: vec![settings.model.name.clone(), settings.default_model().motion],
            pool_models: settings.other_models().map(|model| model.name).collect(),
            text: settings.text_route(),
            i2v: settings.i2v_route(),
            characters: settings.characters_route(),
            tasks: settings.tasks_route(),
            captions: captions.is_some(),
            callback: callback(settings, guard)?,
        };
        let mut routing = routing(settings)?;
        let overflow = routing.overflow.as_ref().map(|overflow| &overflow.model);
        for (setting, model) in [
            ("routing.text", services.text.as_ref()),
            ("routing.i2v", services.i2v.as_ref()),
            ("routing.characters", services.characters.as_ref()),
            ("routing.tasks", services.tasks.as_ref()),
            ("routing.overflow_model", overflow),
        ] {
            if let Some(model) = model
                && services.qualified_name(model).is_none()
            {
                return Err(unconfigured(setting, model));
            }
        }
        if let Some(overflow) = &mut routing.overflow
            && let Some(model) = services.qualified_name(&overflow.model)
        {
            // By its full name, so that its price is found.
            overflow.model = model;
        }
        let guard = download_guard(settings, guard, &clients);
        let backends = clients.into_iter().map(|client| backend(client, guard.clone(), captions.clone())).collect();
        Ok(Self { backends, services, spend: budget::of(&settings.budget, &settings.access.key_names())?, routing, remarks })
    }
}

fn service(client: &Client) -> Service {
    let Client { provider, model, .. } = client;
    Service { provider: Arc::clone(provider), model: model.clone() }
}

fn backend(client: Client, guard: Guard, captions: Option<Arc<dyn Interrogator>>) -> Arc<dyn Backend> {
    let Client { provider, slots, tries, pause, backoff, .. } = client;
    let backend = RemoteBackend::new(provider, guard, RemoteSettings { slots, tries, pause, backoff, ..RemoteSettings::new(Instant::now) });
    Arc::new(match captions {
        Some(captions) => backend.with_captions(captions),
        None => backend,
    })
}

/// The error for a route to an unconfigured provider.
fn unconfigured(setting: &str, model: &str) -> anyhow::Error {
    let needed = match service_of(model) {
        "bedrock" => "providers.bedrock.bucket (S3_BUCKET_NAME), a region and a key",
        "veo" => "providers.veo.api_key (VEO3_API_KEY) or providers.veo.google_api_key (GEMINI_API_KEY)",
        "pika" => "providers.pika.bearer_token (PIKAPI_BEARER_TOKEN) or providers.pika.fal_key (FAL_KEY)",
        "replicate" => "providers.replicate.api_token (REPLICATE_API_TOKEN)",
        _ => "providers.huggingface.token (HF_TOKEN)",
    };
    Usage(format!("setting {setting}: {model} is not set up; it needs {needed}")).into()
}

/// The configured captioner.
async fn interrogator(settings: &Settings) -> Result<Option<Arc<dyn Interrogator>>> {
    let (replicate, set) = (&settings.providers.replicate, &settings.interrogator);
    let kind = match set.kind {
        InterrogatorKind::Auto if replicate.api_token.is_some() => InterrogatorKind::Replicate,
        InterrogatorKind::Auto if set.local_model.is_some() => InterrogatorKind::Local,
        InterrogatorKind::Auto => InterrogatorKind::None,
        given @ (InterrogatorKind::Replicate | InterrogatorKind::Local | InterrogatorKind::None) => given,
    };
    let needs = |what: &str| Usage(format!("setting interrogator.kind: {what}"));
    Ok(match kind {
        InterrogatorKind::Auto | InterrogatorKind::None => None,
        InterrogatorKind::Replicate => {
            let token = replicate.api_token.clone();
            let token = token.ok_or_else(|| needs("replicate needs providers.replicate.api_token (REPLICATE_API_TOKEN)"))?;
            let (base_url, model) = (replicate.base_url.clone(), set.replicate_model.clone());
            let settings = ReplicateInterrogatorSettings { base_url, model, ..ReplicateInterrogatorSettings::new(token) };
            let interrogator = ReplicateInterrogator::new(settings);
            Some(Arc::new(interrogator.map_err(|error| Usage(format!("setting interrogator.replicate_model: {}", error.reason)))?))
        }
        InterrogatorKind::Local => {
            let folder = set.local_model.as_deref().ok_or_else(|| needs("local needs interrogator.local_model"))?;
            Some(Arc::new(LocalInterrogator::load(folder, settings.model.unknown_fields).await?))
        }
    })
}

/// The callback for finished image-to-video jobs.
fn callback(settings: &Settings, guard: &GuardSettings) -> Result<Option<GameCallback>> {
    /// The default address, from the API's document.
    const BASE: &str = "https://game-api.virtuals.io/requests";
    let i2v = &settings.i2v;
    let invalid = |error: server::InvalidCallback| Usage(format!("setting i2v.callback_url: {error}"));
    match (&i2v.callback_url, &i2v.callback_key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(Usage("setting i2v.callback_url: it needs i2v.callback_key (GAME_API_KEY)".into()).into()),
        (url, Some(key)) => Ok(Some(GameCallback::new(url.as_deref().unwrap_or(BASE), key, guard).map_err(invalid)?)),
    }
}

fn routing(settings: &Settings) -> Result<Routing> {
    let routing = &settings.routing;
    let overflow = match (routing.overflow_after_seconds, &routing.overflow_model) {
        (None, None) => None,
        (Some(seconds), Some(model)) => {
            let after = Duration::from_secs(seconds.into());
            Some(Overflow { after, model: model.clone() })
        }
        (Some(_), None) => return Err(Usage("setting routing.overflow_after_seconds: it needs routing.overflow_model".into()).into()),
        (None, Some(_)) => return Err(Usage("setting routing.overflow_model: it needs routing.overflow_after_seconds".into()).into()),
    };
    Ok(Routing { overflow })
}

/// The guard for downloads of finished videos. An address that the operator configured may be private.
fn download_guard(settings: &Settings, guard: &GuardSettings, clients: &[Client]) -> Guard {
    let s3 = settings.providers.bedrock.s3_endpoint.as_deref();
    let addresses = clients.iter().filter_map(|client| client.address.as_deref()).chain(s3);
    let own = addresses.filter_map(|address| Url::parse(address).ok()).flat_map(|url| AllowedHost::of_url(&url));
    let mut guard = guard.clone();
    guard.allow.extend(own);
    Guard::new(guard)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[tokio::test]
    async fn an_overflow_to_a_services_bare_name_has_the_price_of_its_model() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        let text = "[providers.pika]\nbearer_token = \"a-token\"\n\
                    [routing]\noverflow_after_seconds = 60\noverflow_model = \"pika\"\n\
                    [budget.prices]\n\"pika/1.5\" = 0.5\n";
        std::fs::write(&file, text).unwrap();
        let settings = Settings::resolve(Some(&file), []).unwrap();
        let Providers { routing, spend, .. } = Providers::connect(&settings, &GuardSettings::default()).await.unwrap();
        let model = routing.overflow.unwrap().model;
        assert_eq!((model.as_str(), spend.prices.get(&model).map(|price| price.per_job)), ("pika/1.5", Some(500_000)));
    }
}
