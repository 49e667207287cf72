//! The settings of other people's services: keys, addresses, models, and how long they are waited for.
//!
//! It must not know how a service is asked: `crate::providers` makes clients of these. The invariants: a key is a secret that is never
//! printed; every address and every model is a setting, for services come and go.

use secrecy::SecretString;
use serde::Deserialize;

use super::values;

/// Every service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProvidersSettings {
    /// Amazon Bedrock.
    pub bedrock: BedrockSettings,
    /// Google's Veo, by a relay or by Google itself.
    pub veo: VeoSettings,
    /// Pika, by its web form or by fal.
    pub pika: PikaSettings,
    /// Replicate.
    pub replicate: ReplicateSettings,
    /// Hugging Face's hosted inference.
    pub huggingface: HuggingFaceSettings,
}

/// Amazon Bedrock. What is not set here, the AWS SDK looks for in its usual places: profiles, roles, its own variables.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BedrockSettings {
    /// Whose requests they are. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub access_key_id: Option<SecretString>,
    /// What they are signed with. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub secret_access_key: Option<SecretString>,
    /// What belongs to a key that is good for a while. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub session_token: Option<SecretString>,
    /// A Bedrock API key, which is sent instead of signatures to Bedrock alone. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub bearer_token: Option<SecretString>,
    /// A profile of the user's AWS files.
    #[serde(deserialize_with = "values::text")]
    pub profile: Option<String>,
    /// Where they go.
    #[serde(deserialize_with = "values::text")]
    pub region: Option<String>,
    /// The bucket that videos are put into.
    #[serde(deserialize_with = "values::text")]
    pub bucket: Option<String>,
    /// The folder in the bucket; absent: its top.
    #[serde(deserialize_with = "values::text")]
    pub prefix: Option<String>,
    /// The model's id at Bedrock.
    pub model: String,
    /// Bedrock's address; absent: the region's.
    #[serde(deserialize_with = "values::endpoint")]
    pub endpoint: Option<String>,
    /// S3's address; absent: the region's.
    #[serde(deserialize_with = "values::endpoint")]
    pub s3_endpoint: Option<String>,
    /// The time between two questions whether a video is ready, in seconds, 0.1..=600; absent: 10, growing to 20, from half a minute on.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// How long to go on asking, in seconds, 1..=86400; absent: 1800.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1..=1024.
    #[serde(deserialize_with = "values::videos_at_once")]
    pub max_concurrent: usize,
}

impl Default for BedrockSettings {
    fn default() -> Self {
        Self {
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            bearer_token: None,
            profile: None,
            region: None,
            bucket: None,
            prefix: None,
            model: "amazon.nova-reel-v1:1".into(),
            endpoint: None,
            s3_endpoint: None,
            poll_seconds: None,
            deadline_seconds: None,
            max_concurrent: 10,
        }
    }
}

impl BedrockSettings {
    /// Whether all that a request needs is named here: a bucket, a region, and a key, an API key or a profile.
    pub(crate) fn is_complete(&self) -> bool {
        let has_key = self.access_key_id.is_some() && self.secret_access_key.is_some();
        self.bucket.is_some() && self.region.is_some() && (has_key || self.bearer_token.is_some() || self.profile.is_some())
    }

    /// What an older section `[bedrock]` says, where this one is silent.
    pub(super) fn or(self, older: BedrockKeys) -> Self {
        Self {
            access_key_id: self.access_key_id.or(older.access_key_id),
            secret_access_key: self.secret_access_key.or(older.secret_access_key),
            region: self.region.or(older.region),
            bucket: self.bucket.or(older.bucket),
            ..self
        }
    }
}

/// The section `[bedrock]` of older settings files: four keys of [`BedrockSettings`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BedrockKeys {
    #[serde(deserialize_with = "values::secret")]
    access_key_id: Option<SecretString>,
    #[serde(deserialize_with = "values::secret")]
    secret_access_key: Option<SecretString>,
    #[serde(deserialize_with = "values::text")]
    region: Option<String>,
    #[serde(deserialize_with = "values::text")]
    bucket: Option<String>,
}

/// Google's Veo: by a relay that speaks as OpenAI's video API does, if its key is set; else by Google itself, if that key is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VeoSettings {
    /// The relay's key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
    /// The relay's address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The path of its videos.
    #[serde(deserialize_with = "values::url_path")]
    pub endpoint: String,
    /// The model's name there.
    pub model: String,
    /// Whether the image is a part of the request; else it is uploaded first.
    pub skip_upload: bool,
    /// The Gemini API's key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub google_api_key: Option<SecretString>,
    /// The Gemini API's address, or Vertex AI's if a project is set; absent: Google's.
    #[serde(deserialize_with = "values::endpoint")]
    pub google_base_url: Option<String>,
    /// The model's name there.
    pub google_model: String,
    /// Vertex AI's project; absent: the Gemini API is asked.
    #[serde(deserialize_with = "values::text")]
    pub vertex_project: Option<String>,
    /// Vertex AI's location.
    pub vertex_location: String,
    /// An OAuth access token for Vertex AI. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub vertex_token: Option<SecretString>,
    /// How often a request that fails for a reason that passes is sent again, 0..=20.
    #[serde(deserialize_with = "values::retries")]
    pub max_retries: u32,
    /// The pause before it is sent again, in seconds, 0..=600.
    #[serde(deserialize_with = "values::pause_seconds")]
    pub retry_delay: f64,
    /// How many times as long each further pause is, 1..=10.
    #[serde(deserialize_with = "values::backoff")]
    pub retry_backoff: f64,
    /// The time between two questions whether a video is ready, in seconds, 0.1..=600; absent: 5 at a relay, 10 at Google.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// How long to go on asking, in seconds, 1..=86400; absent: 600.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1..=1024.
    #[serde(deserialize_with = "values::videos_at_once")]
    pub max_concurrent: usize,
}

impl Default for VeoSettings {
    fn default() -> Self {
        Self {
            api_key: None,
            base_url: "https://api.kuai.host".into(),
            endpoint: "/v1/videos".into(),
            model: "veo_3_1".into(),
            skip_upload: true,
            google_api_key: None,
            google_base_url: None,
            google_model: "veo-3.1-generate-001".into(),
            vertex_project: None,
            vertex_location: "us-central1".into(),
            vertex_token: None,
            max_retries: 3,
            retry_delay: 5.0,
            retry_backoff: 2.0,
            poll_seconds: None,
            deadline_seconds: None,
            max_concurrent: 2,
        }
    }
}

/// Pika: by its web form if that token is set; else by fal, if its key is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PikaSettings {
    /// The web form's token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub bearer_token: Option<SecretString>,
    /// The web form's address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// fal's key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub fal_key: Option<SecretString>,
    /// fal's address.
    #[serde(deserialize_with = "values::address")]
    pub fal_base_url: String,
    /// The model's path there.
    pub fal_model: String,
    /// How long to wait before the first question whether a video is ready, in seconds, 0..=86400; absent: 300 at the web form, 10 at fal.
    #[serde(deserialize_with = "values::wait_seconds")]
    pub initial_wait_time: Option<f64>,
    /// How long to go on asking after that, in seconds, 0..=86400; absent: 420 at the web form, 1800 at fal.
    #[serde(deserialize_with = "values::wait_seconds")]
    pub max_check_time: Option<f64>,
    /// The time between two questions whether a video is ready, in seconds, 0.1..=600; absent: 10 at the web form; 3, growing to 15, at fal.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// Videos at once, 1..=1024.
    #[serde(deserialize_with = "values::videos_at_once")]
    pub max_concurrent: usize,
}

impl Default for PikaSettings {
    fn default() -> Self {
        Self {
            bearer_token: None,
            base_url: "https://api.pikapikapika.io/web".into(),
            model: "1.5".into(),
            fal_key: None,
            fal_base_url: "https://queue.fal.run".into(),
            fal_model: "fal-ai/pika/v2.2/image-to-video".into(),
            initial_wait_time: None,
            max_check_time: None,
            poll_seconds: None,
            max_concurrent: 4,
        }
    }
}

/// Replicate.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReplicateSettings {
    /// Its token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_token: Option<SecretString>,
    /// Its address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The image-to-video model when a request names none: `owner/name` or `owner/name:version`.
    #[serde(deserialize_with = "values::text")]
    pub video_model: Option<String>,
    /// The model's input that takes the image: `input_image`, `first_frame_image`; absent: `image`.
    #[serde(deserialize_with = "values::text")]
    pub image_input: Option<String>,
    /// The time between two questions whether a video is ready, in seconds, 0.1..=600; absent: 2, growing to 10.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// How long to go on asking, in seconds, 1..=86400; absent: 1800.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1..=1024.
    #[serde(deserialize_with = "values::videos_at_once")]
    pub max_concurrent: usize,
}

impl Default for ReplicateSettings {
    fn default() -> Self {
        Self {
            api_token: None,
            base_url: "https://api.replicate.com".into(),
            video_model: None,
            image_input: None,
            poll_seconds: None,
            deadline_seconds: None,
            max_concurrent: 4,
        }
    }
}

/// Hugging Face's hosted inference.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HuggingFaceSettings {
    /// Its token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub token: Option<SecretString>,
    /// Its address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The image-to-video model.
    pub model: String,
    /// Videos at once, 1..=1024.
    #[serde(deserialize_with = "values::videos_at_once")]
    pub max_concurrent: usize,
}

impl Default for HuggingFaceSettings {
    fn default() -> Self {
        Self {
            token: None,
            base_url: "https://api-inference.huggingface.co".into(),
            model: "stabilityai/stable-video-diffusion-img2vid-xt".into(),
            max_concurrent: 2,
        }
    }
}
