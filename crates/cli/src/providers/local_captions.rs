//! Prompts that a model of this machine reads from images: BLIP, on the processor, one image at a time.
//!
//! The device is its own thread's, so the captioner runs beside it and leaves it alone. The invariants: nothing that takes long runs on a
//! thread that answers requests; an image that nobody waits for any more stops at the next token.

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

/// Captions side by side, of which the likeliest is taken.
const BEAMS: usize = 3;
/// The name that errors have.
const NAME: &str = "interrogator";

/// A captioner of this machine.
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
    /// Loads a transformers folder, as of Salesforce/blip-image-captioning-base.
    ///
    /// # Errors
    /// If it is no such model, or has unknown fields and such models are to be refused.
    pub(super) async fn load(folder: &str, unknown_fields: UnknownFields) -> Result<Self> {
        let path = Path::new(folder).to_owned();
        let loaded = tokio::task::spawn_blocking(move || Captioner::load(&TransformersFolder::open(path)?, &Device::Cpu, DType::F32));
        let failed = || format!("cannot load interrogator.local_model {folder}");
        let model = loaded.await?.with_context(failed)?;
        let fields = model.ignored_fields().to_vec();
        let ignored = (!fields.is_empty()).then(|| IgnoredFields { file: Component::Captioner.config_file().into(), fields });
        unknown_fields.judge_fields(folder, ignored.as_slice()).with_context(failed)?;
        Ok(Self { model: Arc::new(model), turn: Semaphore::new(1) })
    }
}

/// Says that a caption is not wanted any more, when it is dropped.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Interrogator for LocalInterrogator {
    async fn caption(&self, image: &InputImage) -> remote_providers::Result<String> {
        let failed = |kind, reason: &str| ProviderError::new(NAME, kind, reason);
        // Never closed.
        let _turn = self.turn.acquire().await.map_err(|_| failed(ErrorKind::Unavailable, "the captioner is gone"))?;
        let (model, bytes) = (Arc::clone(&self.model), image.bytes.clone());
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let _wanted = Wanted(Arc::clone(&is_cancelled));
        let caption = tokio::task::spawn_blocking(move || {
            let picture = image::load_from_memory(&bytes).map_err(|error| failed(ErrorKind::InvalidRequest, &format!("image: {error}")))?;
            let params = CaptionParams { num_beams: BEAMS, ..CaptionParams::default() };
            let caption = model.caption(&picture.to_rgb8(), &params, &|| is_cancelled.load(Ordering::Relaxed));
            caption.map_err(|error| failed(ErrorKind::Failed, &error.to_string()))
        });
        let caption = caption.await.map_err(|_| failed(ErrorKind::Failed, "the captioner has failed"))??;
        let text = caption.text.trim();
        if text.is_empty() { Err(failed(ErrorKind::Failed, "the caption of the image is empty")) } else { Ok(text.to_owned()) }
    }
}
