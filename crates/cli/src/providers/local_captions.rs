//! Captions from a local model: BLIP on the CPU, one image at a time.
//!
//! The device belongs to its own thread, so the captioner runs beside it on the CPU. The invariants: long work never runs on a thread that
//! serves requests; captioning stops at the next token once its caller is gone.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use candle_core::{DType, Device};
use diffusion_core::{
    pipelines::{
        IgnoredFields,
        caption::{CaptionParams, Captioner},
    },
    weights::{Component, TransformersFolder},
};
use remote_providers::{ErrorKind, InputImage, Interrogator, ProviderError};
use tokio::sync::Semaphore;

use crate::unknown_fields::UnknownFields;

/// Beams of the search.
const BEAMS: usize = 3;
/// The provider name in errors.
const NAME: &str = "interrogator";

/// The local captioner.
pub(super) struct LocalInterrogator {
    model: Arc<Captioner>,
    /// All cores work on one image.
    turn: Semaphore,
}

impl fmt::Debug for LocalInterrogator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalInterrogator").finish_non_exhaustive()
    }
}

impl LocalInterrogator {
    /// Loads a transformers folder such as Salesforce/blip-image-captioning-base.
    ///
    /// # Errors
    /// If it is not such a model, or has unknown fields that the settings refuse.
    pub(super) async fn load(folder: &str, unknown_fields: UnknownFields) -> Result<Self> {
        let path = Path::new(folder).to_owned();
        let loaded = tokio::task::spawn_blocking(move || Captioner::load(&TransformersFolder::open(path)?, &Device::Cpu, DType::F32));
        let failed = || format!("cannot load interrogator.local_model {folder}");
        let model = loaded.await?.with_context(failed)?;
        let fields = model.ignored_fields().to_vec();
        let ignored = (!fields.is_empty()).then(|| IgnoredFields { file: Component::Captioner.config_file().into(), fields });
        unknown_fields.check_fields(folder, ignored.as_slice()).with_context(failed)?;
        Ok(Self { model: Arc::new(model), turn: Semaphore::new(1) })
    }
}

/// Cancels the caption when dropped.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Interrogator for LocalInterrogator {
    async fn caption(&self, image: &InputImage) -> remote_providers::Result<String> {
        let failed = |kind, reason: &str| ProviderError::new(NAME, kind, reason);
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await.map_err(|_| failed(ErrorKind::Unavailable, "the captioner is gone"))?;
        let (model, bytes) = (Arc::clone(&self.model), image.bytes.clone());
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let _cancel_on_drop = CancelOnDrop(Arc::clone(&is_cancelled));
        let caption = tokio::task::spawn_blocking(move || {
            let decoded = image::load_from_memory(&bytes).map_err(|error| failed(ErrorKind::InvalidRequest, &format!("image: {error}")))?;
            let params = CaptionParams { num_beams: BEAMS, ..CaptionParams::default() };
            let caption = model.caption(&decoded.to_rgb8(), &params, &|| is_cancelled.load(Ordering::Relaxed));
            caption.map_err(|error| failed(ErrorKind::Failed, &error.to_string()))
        });
        let caption = caption.await.map_err(|_| failed(ErrorKind::Failed, "the captioner has failed"))??;
        let text = caption.text.trim();
        if text.is_empty() { Err(failed(ErrorKind::Failed, "the caption of the image is empty")) } else { Ok(text.to_owned()) }
    }
}
