//! Settings of remote providers: keys, addresses, models, and timeouts.
//!
//! It must not know how a provider is called: `crate::providers` builds the clients. The invariants: a key is a secret and never printed;
//! every address and every model is a setting, because providers come and go.

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

/// Amazon Bedrock. The AWS SDK finds what is absent here in its usual places: profiles, roles, its own variables.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BedrockSettings {
    /// The access key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub access_key_id: Option<SecretString>,
    /// The access key's secret. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub secret_access_key: Option<SecretString>,
    /// The session token of a temporary access key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub session_token: Option<SecretString>,
    /// A Bedrock API key. Bedrock gets it instead of signatures, never over plain http; S3 needs an access key all the same. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub bearer_token: Option<SecretString>,
    /// A profile of the user's AWS files.
    #[serde(deserialize_with = "values::text")]
    pub profile: Option<String>,
    /// The region. Absent: the AWS profile's.
    #[serde(deserialize_with = "values::text")]
    pub region: Option<String>,
    /// The bucket for videos. Absent: Bedrock is not set up.
    #[serde(deserialize_with = "values::text")]
    pub bucket: Option<String>,
    /// The folder in the bucket. Absent: its top.
    #[serde(deserialize_with = "values::text")]
    pub prefix: Option<String>,
    /// The model's id at Bedrock.
    pub model: String,
    /// Bedrock's address. Absent: the region's.
    #[serde(deserialize_with = "values::endpoint")]
    pub endpoint: Option<String>,
    /// S3's address. Absent: the region's.
    #[serde(deserialize_with = "values::endpoint")]
    pub s3_endpoint: Option<String>,
    /// Seconds between two questions whether a video is ready, 0.1 to 600. Absent: 10, growing to 20, after the first half minute.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// Seconds until the server gives up on a video, 1 to 86400. Absent: 1800.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1 to 1024.
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
    /// Whether everything that a request needs is set here: a bucket, a region, and a key, an API key or a profile.
    pub(crate) fn is_complete(&self) -> bool {
        let has_key = self.access_key_id.is_some() && self.secret_access_key.is_some();
        self.bucket.is_some() && self.region.is_some() && (has_key || self.bearer_token.is_some() || self.profile.is_some())
    }

    /// Fills missing values from the older section `[bedrock]`.
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

/// Google's Veo: through a relay that speaks OpenAI's video API if `api_key` is set, else from Google itself if its key or token is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VeoSettings {
    /// The relay's key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_key: Option<SecretString>,
    /// The relay's address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The path of the relay's videos.
    #[serde(deserialize_with = "values::url_path")]
    pub endpoint: String,
    /// The model's name at the relay.
    pub model: String,
    /// Whether the image is part of the request; otherwise it is uploaded first.
    pub skip_upload: bool,
    /// The key of the Gemini API. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub google_api_key: Option<SecretString>,
    /// The address of the Gemini API, or of Vertex AI if a project is set. Absent: Google's.
    #[serde(deserialize_with = "values::endpoint")]
    pub google_base_url: Option<String>,
    /// The model's name at Google.
    pub google_model: String,
    /// The project in Vertex AI. Absent: the Gemini API is used.
    #[serde(deserialize_with = "values::text")]
    pub vertex_project: Option<String>,
    /// The location in Vertex AI.
    pub vertex_location: String,
    /// An OAuth access token for Vertex AI. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub vertex_token: Option<SecretString>,
    /// How often a request that failed for a passing reason is repeated, 0 to 20.
    #[serde(deserialize_with = "values::retries")]
    pub max_retries: u32,
    /// Seconds before the first repeat, 0 to 600.
    #[serde(deserialize_with = "values::pause_seconds")]
    pub retry_delay: f64,
    /// Factor by which each further pause is longer, 1 to 10.
    #[serde(deserialize_with = "values::backoff")]
    pub retry_backoff: f64,
    /// Seconds between two questions whether a video is ready, 0.1 to 600. Absent: 5 at a relay, 10 at Google.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// Seconds until the server gives up on a video, 1 to 86400. Absent: 600.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1 to 1024.
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

/// Pika: through its web form if `bearer_token` is set, else through fal if `fal_key` is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PikaSettings {
    /// The web form's token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub bearer_token: Option<SecretString>,
    /// The web form's address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The model's name at the web form.
    pub model: String,
    /// fal's key. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub fal_key: Option<SecretString>,
    /// fal's address.
    #[serde(deserialize_with = "values::address")]
    pub fal_base_url: String,
    /// The model's path at fal.
    pub fal_model: String,
    /// Seconds before the first question whether a video is ready, 0 to 86400. Absent: 300 at the web form, 10 at fal.
    #[serde(deserialize_with = "values::wait_seconds")]
    pub initial_wait_time: Option<f64>,
    /// Seconds after that until the server gives up, 0 to 86400. Absent: 420 at the web form, 1800 at fal.
    #[serde(deserialize_with = "values::wait_seconds")]
    pub max_check_time: Option<f64>,
    /// Seconds between two questions whether a video is ready, 0.1 to 600. Absent: 10 at the web form; 3, growing to 15, at fal.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// Videos at once, 1 to 1024.
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
    /// The token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub api_token: Option<SecretString>,
    /// Replicate's address.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The image-to-video model of requests that name none: `owner/name` or `owner/name:version`.
    #[serde(deserialize_with = "values::text")]
    pub video_model: Option<String>,
    /// The model's input that takes the image, such as `input_image` or `first_frame_image`. Absent: `image`.
    #[serde(deserialize_with = "values::text")]
    pub image_input: Option<String>,
    /// Seconds between two questions whether a video is ready, 0.1 to 600. Absent: 2, growing to 10.
    #[serde(deserialize_with = "values::poll_seconds")]
    pub poll_seconds: Option<f64>,
    /// Seconds until the server gives up on a video, 1 to 86400. Absent: 1800.
    #[serde(deserialize_with = "values::deadline_seconds")]
    pub deadline_seconds: Option<f64>,
    /// Videos at once, 1 to 1024.
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
    /// The token. Never printed.
    #[serde(deserialize_with = "values::secret")]
    pub token: Option<SecretString>,
    /// The address of the hosted inference.
    #[serde(deserialize_with = "values::address")]
    pub base_url: String,
    /// The image-to-video model.
    pub model: String,
    /// Videos at once, 1 to 1024.
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
