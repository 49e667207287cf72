//! The providers with an address and a key. The key is not secret: the server records it.

use std::sync::Arc;

use remote_providers::{
    GoogleAccess, HuggingFace, HuggingFaceSettings, InputImage, Interrogator as _, PikaFal, PikaFalSettings, Provider, ProviderError,
    Replicate, ReplicateInterrogator, ReplicateInterrogatorSettings, ReplicateSettings, VeoGoogle, VeoGoogleSettings, VeoRelay,
    VeoRelaySettings,
};

const KEY: &str = "wire-key";

/// The provider with this name at this address; `None` if the name is unknown.
pub(super) fn connect(name: &str, base: &str) -> Result<Option<Arc<dyn Provider>>, ProviderError> {
    let base_url = base.to_owned();
    Ok(Some(match name {
        "veo-developer" => {
            let access = GoogleAccess::Developer { base_url, key: KEY.into() };
            Arc::new(VeoGoogle::new(VeoGoogleSettings { access, ..VeoGoogleSettings::developer(KEY.into()) })?)
        }
        "veo-vertex" => {
            let access = GoogleAccess::Vertex {
                base_url: Some(base_url.clone()),
                storage_url: base_url,
                project: "wire-project".to_owned(),
                location: "us-central1".to_owned(),
                token: KEY.into(),
                storage_uri: Some("gs://wire-bucket/clips/".to_owned()),
            };
            Arc::new(VeoGoogle::new(VeoGoogleSettings { access, ..VeoGoogleSettings::vertex("", "", KEY.into()) })?)
        }
        "veo-relay" => Arc::new(VeoRelay::new(VeoRelaySettings { base_url, ..VeoRelaySettings::new(KEY.into()) })?),
        "pika-fal" => Arc::new(PikaFal::new(PikaFalSettings { base_url, ..PikaFalSettings::new(KEY.into()) })),
        "replicate" => Arc::new(Replicate::new(ReplicateSettings { base_url, ..ReplicateSettings::new(KEY.into()) })),
        "hugging-face" => Arc::new(HuggingFace::new(HuggingFaceSettings { base_url, ..HuggingFaceSettings::new(KEY.into()) })),
        _ => return Ok(None),
    }))
}

/// The caption of an image from Replicate's interrogator at this address.
pub(super) async fn caption(base: &str, image: &InputImage) -> Result<String, ProviderError> {
    let settings = ReplicateInterrogatorSettings { base_url: base.to_owned(), ..ReplicateInterrogatorSettings::new(KEY.into()) };
    ReplicateInterrogator::new(settings)?.caption(image).await
}
