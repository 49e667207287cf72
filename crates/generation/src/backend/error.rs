//! Why a backend refuses work, and why a job has no result.

use remote_providers::ProviderError;

use super::too_large::TooLarge;

/// Why a backend refuses work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It makes nothing of this kind.
    #[error("{backend} does not make {kind}")]
    OtherKind {
        /// The backend's name.
        backend: String,
        /// The requested kind: "images" or "videos".
        kind: &'static str,
    },
    /// No local model of this name is set up.
    #[error("no model {model:?} is set up; there are {}", known.join(", "))]
    UnknownModel {
        /// The name.
        model: String,
        /// The models that are set up.
        known: Vec<String>,
    },
    /// A field names something that does not go together with the rest.
    #[error("{field}: {reason}")]
    Unfit {
        /// The field.
        field: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// Its model is still being loaded.
    #[error("Model not loaded yet")]
    Loading,
    /// Its model could not be loaded, or its device is lost.
    #[error("the model cannot be used: {0}")]
    Failed(String),
    /// The job needs more memory than it can ever get.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The provider does not accept the request.
    #[error(transparent)]
    Provider(ProviderError),
    /// No provider of this name is set up.
    #[error("no provider {provider:?} is set up; {}", known_providers(known))]
    UnknownProvider {
        /// The requested provider: the first part of the model's name.
        provider: String,
        /// The providers that are set up.
        known: Vec<String>,
    },
    /// A provider's video takes minutes, so its job must be stored; it cannot be held while its caller waits.
    #[error("{provider} makes videos in stored tasks only: create a task, and ask for it later")]
    StoredOnly {
        /// The provider.
        provider: String,
    },
}

impl Refusal {
    /// The request field at fault, if there is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::TooLarge(error) => Some(error.field()),
            // Providers put it first: "durationSeconds: 7 is none of 6 and 12".
            Self::Provider(error) => {
                let (field, _) = error.reason.split_once(": ")?;
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'[' | b']');
                (!field.is_empty() && field.bytes().all(is_name)).then_some(field)
            }
            Self::UnknownProvider { .. } | Self::UnknownModel { .. } => Some("model"),
            Self::Unfit { field, .. } => Some(field),
            Self::OtherKind { .. } | Self::Loading | Self::Failed(_) | Self::StoredOnly { .. } => None,
        }
    }
}

fn known_providers(known: &[String]) -> String {
    if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) }
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The job was cancelled, by its caller or because the program shuts down.
    #[error("cancelled")]
    Cancelled,
    /// The model could not be loaded for the job.
    #[error("the model {model} could not be loaded: {reason}")]
    NotLoaded {
        /// The model's name.
        model: String,
        /// The reason, in one line.
        reason: String,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] diffusion_core::Error),
    /// The image could not be encoded as PNG.
    #[error("PNG: {0}")]
    Encode(#[from] png::EncodingError),
    /// The video could not be written; no file of it remains.
    #[error(transparent)]
    Video(#[from] video_encode::Error),
    /// The provider returned no video.
    #[error(transparent)]
    Remote(#[from] ProviderError),
    /// A bug: the job panicked. The backend continues with the next job.
    #[error("internal error: {0}")]
    Internal(String),
}

impl BackendError {
    /// If the model rejects the request: the field, and the reason in one line.
    pub fn refusal(&self) -> Option<(&str, String)> {
        let Self::Model(error) = self else { return None };
        let reason = if let diffusion_core::Error::Params { reason, .. } = error { reason.clone() } else { error.to_string() };
        Some((error.refused_parameter()?, reason.lines().next().unwrap_or_default().to_owned()))
    }

    /// Whether the same work may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Remote(error) => error.is_retryable(),
            Self::Encode(_) | Self::Video(_) | Self::NotLoaded { .. } => true,
            Self::Model(error) => matches!(error, diffusion_core::Error::OutOfMemory { .. }),
            Self::Cancelled | Self::Internal(_) => false,
        }
    }

    /// Whether the result could not be encoded or written to disk.
    pub fn is_of_output(&self) -> bool {
        matches!(self, Self::Encode(_) | Self::Video(_) | Self::Model(diffusion_core::Error::Sink(_)))
    }

    /// Whether the error means that the backend's device is lost.
    pub(crate) fn is_device_lost(&self) -> bool {
        matches!(self, Self::Model(diffusion_core::Error::Device { .. }))
    }
}
