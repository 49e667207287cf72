//! The operator's settings as plain data. The SDK's own chain fills missing ones from the environment and from profiles.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::NAME;
use crate::{ErrorKind, Pace, ProviderError, Result};

/// Settings of Amazon Bedrock.
#[derive(Clone, Debug)]
pub struct BedrockSettings {
    /// The region, which must be the bucket's too; `None` leaves it to the SDK's chain (AWS_REGION, the profile). boto3 reads
    /// AWS_DEFAULT_REGION instead, so a caller that supports both passes it here.
    pub region: Option<String>,
    /// The S3 bucket for videos.
    pub bucket: String,
    /// The folder in the bucket; `None` is its top.
    pub prefix: Option<String>,
    /// Full model ids by their short names in requests.
    pub models: BTreeMap<String, String>,
    /// The short name used for an empty model name.
    pub default_model: String,
    /// Access keys; `None` leaves them to the SDK's chain (environment, profile, role).
    pub keys: Option<AwsKeys>,
    /// The profile in Amazon's own configuration files; `None` is AWS_PROFILE's.
    pub profile: Option<String>,
    /// A Bedrock API key; it takes precedence over access keys. `None` means AWS_BEARER_TOKEN_BEDROCK, which takes precedence too, as in
    /// boto3. S3 does not accept it, so fetching videos needs access keys as well.
    pub bearer_token: Option<SecretString>,
    /// Bedrock's address; `None` is AWS_ENDPOINT_URL_BEDROCK_RUNTIME's, else Amazon's own.
    pub endpoint: Option<String>,
    /// S3's address; `None` is AWS_ENDPOINT_URL_S3's, else Amazon's own.
    pub s3_endpoint: Option<String>,
    /// Whether a bearer token may be sent to a plain-http address, where anyone on the way can read it. boto3 never does that.
    pub bearer_over_http: bool,
    /// Timeout of one request, connecting included.
    pub timeout: Duration,
    /// How long a link to a video is valid, at most a week; shorter if the keys expire earlier.
    pub link_lifetime: Duration,
    /// How to poll for a video.
    pub pace: Pace,
}

/// Access keys.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// The key's id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: SecretString,
    /// The session token of temporary keys.
    pub session_token: Option<SecretString>,
}

impl BedrockSettings {
    /// Settings for a bucket, with Amazon's defaults for everything else.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            region: None,
            bucket: bucket.into(),
            prefix: None,
            models: BTreeMap::from([("nova-reel".to_owned(), "amazon.nova-reel-v1:1".to_owned())]),
            default_model: "nova-reel".to_owned(),
            keys: None,
            profile: None,
            bearer_token: None,
            endpoint: None,
            s3_endpoint: None,
            bearer_over_http: false,
            timeout: Duration::from_secs(60),
            link_lifetime: Duration::from_secs(60 * 60),
            pace: Pace {
                // Six seconds of video take about 90 s, two minutes take 14 to 17 minutes.
                initial_wait: Duration::from_secs(30),
                interval: Duration::from_secs(10),
                max_interval: Duration::from_secs(20),
                deadline: Duration::from_secs(30 * 60),
            },
        }
    }

    /// The output folder: `s3://BUCKET[/PREFIX]`, without a trailing slash.
    pub(super) fn s3_uri(&self) -> String {
        match self.prefix.as_deref().map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!("s3://{}/{prefix}", self.bucket),
            None => format!("s3://{}", self.bucket),
        }
    }

    /// Checks everything that can be checked without calling Amazon.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(ProviderError::new(NAME, ErrorKind::Settings, reason));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.bytes().all(plain) {
            let rule = "a bucket's name has 3 to 63 small letters, digits, dots and hyphens";
            return refuse(format!("the bucket is {:?}; {rule}", self.bucket));
        }
        if !self.models.contains_key(&self.default_model) {
            return refuse(format!("the default model {:?} is not among the models", self.default_model));
        }
        for (name, address) in [("endpoint", &self.endpoint), ("S3 endpoint", &self.s3_endpoint)] {
            let right = |address: &String| Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if address.as_ref().is_some_and(|address| !right(address)) {
                // The address may contain a password, so the error does not repeat it.
                return refuse(format!("the {name} is no http or https address"));
            }
        }
        if !(1..=604_800).contains(&self.link_lifetime.as_secs()) {
            return refuse(format!("links are valid for {} s; S3 allows 1 to 604800", self.link_lifetime.as_secs()));
        }
        Ok(())
    }
}
