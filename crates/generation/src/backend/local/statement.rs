//! What the manifests of a job's files say.
//!
//! It must not know certificates. The invariant: the digest is that of the job's work as the store keeps it, so that the operator can show
//! which request made a file.

use std::sync::Arc;

use provenance::{Origin, Signer, Statement};

use crate::{
    artifact,
    backend::{BackendError, seal::Seal},
    model_info::ModelInfo,
    spec::{
        image::{ImageMode, ImageSpec},
        video::VideoSpec,
    },
    work::Work,
};

/// What signs the files of this work, made by a model and its refiner or, an enlargement, by none; `None` if files are not signed.
pub(super) fn seal(
    signer: Option<&Arc<Signer>>,
    work: &Work,
    model: Option<(&ModelInfo, Option<&ModelInfo>)>,
) -> Result<Option<Seal>, BackendError> {
    let seal = |signer: &Arc<Signer>| Ok(Seal::new(Arc::clone(signer), statement(work, model)?));
    signer.map(seal).transpose()
}

fn statement(work: &Work, model: Option<(&ModelInfo, Option<&ModelInfo>)>) -> Result<Statement, BackendError> {
    let stored = serde_json::to_vec(work).map_err(|error| BackendError::Internal(format!("the work cannot be written: {error}")))?;
    let (origin, seed, guides) = match work {
        Work::Image(spec) => (origin(spec), Some(spec.seed()), vec!["control picture".to_owned(); spec.controls().nets().len()]),
        Work::Video(spec) => (Origin::Created, Some(spec.seed()), first_frame(spec)),
        Work::Upscale(_) => (Origin::Edited, None, Vec::new()),
    };
    Ok(Statement { origin, models: models(work, model), seed, settings_sha256: artifact::sha256(&stored), guides })
}

fn origin(spec: &ImageSpec) -> Origin {
    match spec.mode() {
        ImageMode::TextToImage => Origin::Created,
        ImageMode::ImageToImage { .. } | ImageMode::Inpaint { .. } => Origin::Edited,
    }
}

/// The picture that a video sets in motion: the model draws every frame anew, so it is no parent.
fn first_frame(spec: &VideoSpec) -> Vec<String> {
    match spec {
        VideoSpec::Animation(_) | VideoSpec::Clip(_) => vec!["first frame".to_owned()],
        VideoSpec::Scenes(_) | VideoSpec::Remote(_) => Vec::new(),
    }
}

/// The networks that made a file, by their names. Of a pipeline's parts, only those that the work uses.
fn models(work: &Work, model: Option<(&ModelInfo, Option<&ModelInfo>)>) -> Vec<String> {
    let (images, motion, refiner) = match model {
        Some((model, refiner)) => (Some(model.name.as_str()), Some(model.motion.as_str()), refiner.map(|refiner| refiner.name.as_str())),
        None => (None, None, None),
    };
    let used = match work {
        Work::Image(spec) => vec![images, spec.hires().and_then(|hires| hires.upscaler().network()), refiner],
        Work::Video(spec) => {
            let (draws, moves) = match spec {
                VideoSpec::Scenes(spec) => (true, spec.scenes().iter().any(|scene| scene.motion().is_some())),
                VideoSpec::Clip(spec) => (spec.repaint().is_some(), true),
                VideoSpec::Animation(_) => (false, true),
                VideoSpec::Remote(_) => (false, false),
            };
            vec![images.filter(|_| draws), motion.filter(|_| moves)]
        }
        Work::Upscale(spec) => vec![Some(spec.upscaler())],
    };
    used.into_iter().flatten().map(str::to_owned).collect()
}
