//! Builds the clients from the operator's settings, then from the SDK's own chain of environment, profile and role.
//!
//! The invariant: a bearer token never goes to a plain-http address unless the operator allows it, and takes precedence over access keys.

use aws_config::{BehaviorVersion, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_bedrockruntime::{
    Client,
    config::{Builder, Region, StalledStreamProtectionConfig, Token, retry::RetryConfig},
};
use aws_smithy_runtime_api::client::{auth::http::HTTP_BEARER_AUTH_SCHEME_ID, interceptors::SharedInterceptor};
use aws_types::service_config::ServiceConfigKey;
use secrecy::ExposeSecret as _;
use std::time::Duration;

use super::{Bedrock, BedrockSettings, NAME, intercept::RequestNormalizer, presign::Presigner, without_logs};
use crate::{ErrorKind, ProviderError, Result};

/// Connect timeout.
const CONNECT: Duration = Duration::from_secs(10);

impl Bedrock {
    /// Fills missing settings from the SDK's chain, and builds the clients. Keys are looked up with the first request.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the settings contradict each other, no region is set anywhere, or a bearer token would go to a plain-http
    /// address.
    pub async fn connect(settings: BedrockSettings) -> Result<Self> {
        settings.check()?;
        let config = without_logs(load(&settings)).await;
        let Some(region) = config.region().map(Region::as_ref) else {
            return Err(refusal("no region is set: set the provider's region, AWS_REGION or the profile's"));
        };
        // The region becomes part of a host name.
        if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err(refusal(&format!("the region is {region:?}; it has small letters, digits and hyphens, as us-east-1")));
        }
        let bearer = without_logs(async { bearer_token(&settings, &config) }).await;
        // The service is called "Bedrock Runtime". In a profile's services section, Amazon's other SDKs read that as bedrock_runtime and
        // the Rust SDK as bedrock-runtime; written without the space, both read the former.
        let endpoint = without_logs(async { endpoint_of(settings.endpoint.as_deref(), &config, "Bedrock_Runtime") }).await;
        let is_plain = endpoint.as_deref().is_some_and(|address| address.trim_start().to_ascii_lowercase().starts_with("http:"));
        if bearer.is_some() && is_plain && !settings.bearer_over_http {
            return Err(refusal(
                "the bearer token (AWS_BEARER_TOKEN_BEDROCK) is not sent to a plain-http endpoint, where anyone on the way can read it: use \
                 https, or access keys, which are never sent",
            ));
        }
        let s3_endpoint = without_logs(async { endpoint_of(settings.s3_endpoint.as_deref(), &config, "S3") }).await;
        let has_bearer = bearer.is_some();
        let (client, presigner) = without_logs(async {
            let mut builder = Builder::from(&config);
            // The SDK takes even an empty AWS_BEARER_TOKEN_BEDROCK for a token, so its own result is replaced.
            builder.set_auth_scheme_preference(None);
            if let Some(token) = bearer {
                builder = builder.bearer_token(Token::new(token, None)).auth_scheme_preference([HTTP_BEARER_AUTH_SCHEME_ID]);
            }
            builder.set_endpoint_url(endpoint);
            builder.push_interceptor(SharedInterceptor::new(RequestNormalizer));
            (Client::from_conf(builder.build()), Presigner::new(&config, s3_endpoint, settings.link_lifetime))
        })
        .await;
        Ok(Self { client, presigner, has_bearer, settings })
    }
}

async fn load(settings: &BedrockSettings) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT.min(settings.timeout)).operation_timeout(settings.timeout);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        // The timeout covers stalled answers too, and answers have only a few hundred bytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = settings.region.clone() {
        loader = loader.region(Region::new(region));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(keys) = &settings.keys {
        let token = keys.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        let secret = keys.secret_access_key.expose_secret();
        loader = loader.credentials_provider(aws_credential_types::Credentials::new(&keys.access_key_id, secret, token, None, "settings"));
    }
    loader.load().await
}

/// The settings' token, else the environment's; `None` if it is blank.
fn bearer_token(settings: &BedrockSettings, config: &SdkConfig) -> Option<String> {
    let set = settings.bearer_token.as_ref().map(|token| token.expose_secret().to_owned());
    let token = set.or_else(|| configured(config, "bedrock", "AWS_BEARER_TOKEN", ""))?;
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// The settings' address, else the SDK's for the service, else `None` for Amazon's own.
fn endpoint_of(set: Option<&str>, config: &SdkConfig, service: &str) -> Option<String> {
    let found = || configured(config, service, "AWS_ENDPOINT_URL", "endpoint_url").or_else(|| config.endpoint_url().map(str::to_owned));
    set.map(str::to_owned).or_else(found).filter(|address| !address.trim().is_empty())
}

/// A service's value in the SDK's chain: an environment variable, or a key of the profile.
fn configured(config: &SdkConfig, service: &str, variable: &str, key: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env(variable).profile(key).build().ok()?;
    config.service_config()?.load_config(key)
}

fn refusal(reason: &str) -> ProviderError {
    ProviderError::new(NAME, ErrorKind::Settings, reason)
}
