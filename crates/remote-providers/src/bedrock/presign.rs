//! Presigned URLs of S3: Signature Version 4, valid for an hour, or shorter if the keys expire earlier.
//!
//! Signing uses only the credentials chain, so a link costs no request.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::{Client, config::Builder, presigning::PresigningConfig};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use url::Url;

use super::{NAME, errors, intercept::RequestNormalizer, protocol, without_logs};
use crate::{ErrorKind, ProviderError, Result};

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Object {
    bucket: String,
    key: String,
}

impl S3Object {
    /// A file in a folder `s3://BUCKET[/PREFIX][/]`; `None` if the folder is malformed.
    pub(super) fn within(folder: &str, file: &str) -> Option<Self> {
        let rest = folder.strip_prefix("s3://")?.trim_end_matches('/');
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let key = if prefix.is_empty() { file.to_owned() } else { format!("{prefix}/{file}") };
        (!bucket.is_empty()).then(|| Self { bucket: bucket.to_owned(), key })
    }
}

/// Creates presigned URLs.
pub(super) struct Presigner {
    client: Client,
    tracked: Option<TrackedCredentials>,
    lifetime: Duration,
}

impl Presigner {
    pub(super) fn new(config: &SdkConfig, endpoint: Option<String>, lifetime: Duration) -> Self {
        let tracked = config.credentials_provider().map(|inner| TrackedCredentials { inner, expiry: Arc::default() });
        // A host other than Amazon's has no subdomains for buckets.
        let mut builder = Builder::from(config).force_path_style(endpoint.is_some());
        builder.set_endpoint_url(endpoint);
        builder.push_interceptor(SharedInterceptor::new(RequestNormalizer));
        builder.set_credentials_provider(tracked.clone().map(SharedCredentialsProvider::new));
        Self { client: Client::from_conf(builder.build()), tracked, lifetime }
    }

    /// Checks that there are keys to sign with.
    pub(super) async fn check(&self) -> Result<()> {
        let place = S3Object { bucket: "check".to_owned(), key: "check".to_owned() };
        self.sign(&place, self.lifetime).await.map(|_| ()).map_err(|error| {
            let reason =
                format!("the video will be in S3, which takes no bearer token; access keys are needed beside it: {}", error.reason);
            ProviderError::new(NAME, ErrorKind::Credentials, reason)
        })
    }

    /// A URL that fetches an object without credentials.
    pub(super) async fn url(&self, place: &S3Object) -> Result<Url> {
        let url = self.sign(place, self.lifetime).await?;
        // Signing has looked up the keys, so their expiry is known now.
        let Some(expiry) = self.tracked.as_ref().and_then(TrackedCredentials::expiry) else { return Ok(url) };
        let left = expiry.duration_since(SystemTime::now()).unwrap_or_default();
        if left.as_secs() == 0 {
            return Err(ProviderError::new(NAME, ErrorKind::Credentials, "the temporary keys have expired"));
        }
        if left < self.lifetime { self.sign(place, left).await } else { Ok(url) }
    }

    async fn sign(&self, place: &S3Object, lifetime: Duration) -> Result<Url> {
        let lifetime = Duration::from_secs(lifetime.as_secs());
        let config = PresigningConfig::expires_in(lifetime);
        let config = config.map_err(|error| ProviderError::new(NAME, ErrorKind::Settings, error.to_string()))?;
        let call = self.client.get_object().bucket(&place.bucket).key(&place.key);
        let signed = without_logs(call.presigned(config)).await.map_err(|error| errors::of(&error))?;
        Url::parse(signed.uri()).map_err(|_| protocol("the presigned URL is malformed"))
    }
}

/// A credentials provider that remembers when the last credentials expire.
#[derive(Clone, Debug)]
struct TrackedCredentials {
    inner: SharedCredentialsProvider,
    expiry: Arc<Mutex<Option<SystemTime>>>,
}

impl TrackedCredentials {
    fn expiry(&self) -> Option<SystemTime> {
        *self.expiry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for TrackedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let credentials = self.inner.provide_credentials().await?;
            *self.expiry.lock().unwrap_or_else(PoisonError::into_inner) = credentials.expiry();
            Ok(credentials)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::S3Object;

    #[test]
    fn a_video_is_found_with_or_without_prefix_and_slash() {
        let place = |bucket: &str, key: &str| Some(S3Object { bucket: bucket.to_owned(), key: key.to_owned() });
        assert_eq!(S3Object::within("s3://bkt", "output.mp4"), place("bkt", "output.mp4"));
        assert_eq!(S3Object::within("s3://bkt/a/b/", "output.mp4"), place("bkt", "a/b/output.mp4"));
        assert_eq!(S3Object::within("https://bkt/a", "output.mp4"), None);
        assert_eq!(S3Object::within("s3:///a", "output.mp4"), None);
    }
}
