//! Routing settings, and the routes that they resolve to with the configured keys.
//!
//! The invariant: a provider is used only if the operator gave its key; `auto` never sends requests to a paid provider unless their API's
//! document names it.

use std::{collections::BTreeMap, str::FromStr};

use secrecy::SecretString;
use serde::Deserialize;

use super::{Settings, values};

/// Which service or machine serves which requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RoutingSettings {
    /// `POST /generate-video` with `text`: `auto`, `local`, a service (`bedrock`) or a service's model.
    #[serde(deserialize_with = "values::parsed")]
    pub text: Route,
    /// `POST /api/v1/i2v`: `auto`, `local`, a service (`pika`, `replicate`) or a service's model.
    #[serde(deserialize_with = "values::parsed")]
    pub i2v: Route,
    /// `POST /generate-video` with `characterImageUrl`: `auto`, `local`, a service (`huggingface`) or a service's model.
    #[serde(deserialize_with = "values::parsed")]
    pub characters: Route,
    /// `POST /api/v1/videos/generate` without `model`: `auto`, `local`, a service (`veo`) or a service's model.
    #[serde(deserialize_with = "values::parsed")]
    pub tasks: Route,
    /// Local work with a longer forecast than this, in seconds, 1 to 86400, goes to `overflow_model`. Absent: none does.
    #[serde(deserialize_with = "values::overflow_seconds")]
    pub overflow_after_seconds: Option<u32>,
    /// The model for that work: `bedrock/nova-reel`, `pika/1.5`.
    #[serde(deserialize_with = "values::model_name")]
    pub overflow_model: Option<String>,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            text: Route::Auto,
            i2v: Route::Auto,
            // On many machines a Hugging Face token is there for downloads; it is no consent to send pictures away.
            characters: Route::Local,
            tasks: Route::Auto,
            overflow_after_seconds: None,
            overflow_model: None,
        }
    }
}

/// The route of one kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The provider that the API's document names, if it is fully configured; else this machine.
    Auto,
    /// This machine.
    Local,
    /// A provider with its configured model, or one of its models: "pika", "replicate/owner/name".
    Remote(String),
}

impl FromStr for Route {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "local" => Ok(Self::Local),
            _ if is_model(name) => Ok(Self::Remote(name.to_owned())),
            _ => Err(format!("{name:?} is none of auto, local, {}, or a model of one of them", SERVICES.join(", "))),
        }
    }
}

/// The providers, by the prefix of their model names.
pub(crate) const SERVICES: [&str; 5] = ["bedrock", "veo", "pika", "replicate", "huggingface"];

/// Whether a name is a provider's, or starts with one: "bedrock", "bedrock/nova-reel".
pub(super) fn is_model(name: &str) -> bool {
    SERVICES.contains(&service_of(name)) && !name.ends_with('/')
}

/// The provider that a model's name starts with: "bedrock" for "bedrock/nova-reel" and for itself.
pub(crate) fn service_of(model: &str) -> &str {
    model.split('/').next().unwrap_or_default()
}

/// Captions of images, for `POST /api/v1/i2v`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct InterrogatorSettings {
    /// What reads an image: `auto`, `replicate`, `local` or `none`. `auto` is Replicate if its token is set, else the local model if there
    /// is one, else none.
    #[serde(deserialize_with = "values::parsed")]
    pub kind: InterrogatorKind,
    /// Replicate's model and its version.
    pub replicate_model: String,
    /// The local model: a transformers folder of Salesforce/blip-image-captioning-base or a model of its kind.
    #[serde(deserialize_with = "values::text")]
    pub local_model: Option<String>,
}

impl Default for InterrogatorSettings {
    fn default() -> Self {
        Self {
            kind: InterrogatorKind::default(),
            replicate_model: "pharmapsychotic/clip-interrogator:8151e1c9f47e696fa316146a2e35812ccf79cfc9eba05b11c7f450155102af70".into(),
            local_model: None,
        }
    }
}

/// What captions images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InterrogatorKind {
    /// Replicate if its token is set, else the local model if one is set, else none.
    #[default]
    Auto,
    /// Replicate.
    Replicate,
    /// The local model.
    Local,
    /// None: images are animated without a prompt.
    None,
}

impl FromStr for InterrogatorKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "replicate" => Ok(Self::Replicate),
            "local" => Ok(Self::Local),
            "none" => Ok(Self::None),
            _ => Err(format!("{name:?} is none of auto, replicate, local, none")),
        }
    }
}

/// Callbacks of `POST /api/v1/i2v`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct I2vSettings {
    /// Where the end of a job is posted: `{callback_url}/{request id}/callback`. Absent: nowhere, or
    /// `https://game-api.virtuals.io/requests` if `callback_key` is set.
    #[serde(deserialize_with = "values::endpoint")]
    pub callback_url: Option<String>,
    /// The key that the callback gets as `x-api-key`. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub callback_key: Option<SecretString>,
}

/// What services may cost in a calendar month (UTC), in US dollars, 0 to 1000000.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BudgetSettings {
    /// The cap of each service. A service that is not named has none.
    #[serde(deserialize_with = "values::amounts")]
    pub providers: BTreeMap<String, f64>,
    /// The cap of each API key, by name.
    #[serde(deserialize_with = "values::amounts")]
    pub keys: BTreeMap<String, f64>,
    /// The cap of each API key that is not named in `keys`. Absent: none.
    #[serde(deserialize_with = "values::budget_dollars")]
    pub each_key: Option<f64>,
    /// The price of a video, by model (`bedrock/nova-reel`) or by service (`pika`). A video that falls under a cap and has no price is
    /// refused.
    #[serde(deserialize_with = "values::amounts")]
    pub prices: BTreeMap<String, f64>,
    /// The price of each second of video, in addition.
    #[serde(deserialize_with = "values::amounts")]
    pub prices_per_second: BTreeMap<String, f64>,
}

impl Settings {
    /// The model for videos from texts; `None` for this machine.
    pub(crate) fn text_route(&self) -> Option<String> {
        route(&self.routing.text, "bedrock/nova-reel", self.providers.bedrock.is_complete())
    }

    /// The model for image-to-video requests with a callback; `None` for this machine.
    pub(crate) fn i2v_route(&self) -> Option<String> {
        let pika = &self.providers.pika;
        route(&self.routing.i2v, "pika", pika.bearer_token.is_some() || pika.fal_key.is_some())
    }

    /// The model for character videos; `None` for this machine.
    pub(crate) fn characters_route(&self) -> Option<String> {
        route(&self.routing.characters, "huggingface", self.providers.huggingface.token.is_some())
    }

    /// The model for videos of the Tasks API; `None` for this machine.
    pub(crate) fn tasks_route(&self) -> Option<String> {
        let veo = &self.providers.veo;
        route(&self.routing.tasks, "veo", veo.api_key.is_some() || veo.google_api_key.is_some() || veo.vertex_token.is_some())
    }
}

fn route(route: &Route, auto: &str, is_set: bool) -> Option<String> {
    match route {
        Route::Auto => is_set.then(|| auto.to_owned()),
        Route::Local => None,
        Route::Remote(model) => Some(model.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::{Settings, environment_layers};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::resolve(None, environment_layers(variables).unwrap()).unwrap()
    }

    #[test]
    fn texts_go_to_bedrock_only_if_it_is_fully_configured() {
        let all =
            [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s1"), ("AWS_REGION", "eu-west-1"), ("S3_BUCKET_NAME", "videos")];
        let route = |pairs: &[(&str, &str)], text: Option<&str>| {
            let routing = text.map(|text| ("FRAMEWRIGHT__ROUTING__TEXT", text));
            settings(&pairs.iter().copied().chain(routing).collect::<Vec<_>>()).text_route()
        };
        assert_eq!([route(&all, None), route(&all, Some("auto"))], [Some("bedrock/nova-reel".into()), Some("bedrock/nova-reel".into())]);
        for missing in 0..all.len() {
            let some: Vec<_> = all.iter().enumerate().filter(|(index, _)| *index != missing).map(|(_, pair)| *pair).collect();
            assert_eq!(route(&some, None), None, "{some:?}");
        }
        let profile = [("AWS_PROFILE", "work"), ("AWS_DEFAULT_REGION", "eu-west-1"), ("S3_BUCKET_NAME", "videos")];
        let api_key = [("AWS_BEARER_TOKEN_BEDROCK", "b"), ("AWS_REGION", "eu-west-1"), ("S3_BUCKET_NAME", "videos")];
        assert!(route(&profile, None).is_some() && route(&api_key, None).is_some());
        assert_eq!(route(&all, Some("local")), None);
        assert_eq!(route(&[], Some("bedrock")).as_deref(), Some("bedrock"));
    }

    #[test]
    fn a_token_alone_routes_no_character_videos() {
        let route = |pairs: &[(&str, &str)]| settings(pairs).characters_route();
        assert_eq!(route(&[("HF_TOKEN", "hf_1")]), None);
        let auto = ("FRAMEWRIGHT__ROUTING__CHARACTERS", "auto");
        assert_eq!((route(&[auto]), route(&[auto, ("HF_TOKEN", "hf_1")]).as_deref()), (None, Some("huggingface")));
        assert_eq!(settings(&[("PIKAPI_BEARER_TOKEN", "p")]).i2v_route().as_deref(), Some("pika"));
        assert_eq!(settings(&[("VEO3_API_KEY", "v")]).tasks_route().as_deref(), Some("veo"));
        let none = settings(&[]);
        assert_eq!((none.i2v_route(), none.tasks_route(), none.text_route()), (None, None, None));
    }
}
