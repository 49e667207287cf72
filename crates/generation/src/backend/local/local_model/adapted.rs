//! An image model with the adapters of the current job in its weights.
//!
//! It must not know jobs. The invariants: a job runs with its own adapters only; adapters are opened and checked before the model changes,
//! and layers that stay the same are neither read nor packed again. If reading the others fails, the next job loads the whole model.

use std::{fmt, path::PathBuf, sync::Arc};

use diffusion_core::{
    Error, Result,
    adapters::{AdaptedSource, AdapterChoice, AdapterFolder, AppliedAdapter, ControlNetFolder, Embedding, reason},
    pipelines::StableDiffusion,
    policy::ExecutionPolicy,
    weights::WeightSource,
};

use super::{adapter_hash, of_vae};
use crate::model_info::NO_ADAPTERS;

/// Opens the model's files again.
type Reopen = dyn Fn() -> Result<Box<dyn WeightSource>> + Send + Sync;

/// The files that may change a model: adapters that requests choose, and embeddings, which are words of every prompt.
#[derive(Clone)]
pub struct Adapters {
    pub(crate) folder: Option<AdapterFolder>,
    /// The adapters of jobs that choose none.
    usual: Vec<AdapterChoice>,
    /// Those of the only job, if there is one.
    only: Option<Vec<AdapterChoice>>,
    embeddings: Option<PathBuf>,
    pub(crate) controlnets: Option<ControlNetFolder>,
    reopen: Arc<Reopen>,
}

impl Adapters {
    /// None yet. `reopen` opens the model's files again, on the device's thread, for a job with other adapters than the one before; nothing
    /// may be downloaded then.
    pub fn new(reopen: impl Fn() -> Result<Box<dyn WeightSource>> + Send + Sync + 'static) -> Self {
        Self { folder: None, usual: Vec::new(), only: None, embeddings: None, controlnets: None, reopen: Arc::new(reopen) }
    }

    /// Lets requests choose from a folder; `usual` are the adapters of those that choose none.
    #[must_use]
    pub fn with_loras(self, folder: AdapterFolder, usual: Vec<AdapterChoice>) -> Self {
        Self { folder: Some(folder), usual, ..self }
    }

    /// Loads the model with the adapters of the only job that is to come, so that their faults are those of the load.
    #[must_use]
    pub fn for_job(self, loras: Vec<AdapterChoice>) -> Self {
        Self { only: Some(loras), ..self }
    }

    /// Adds a folder of embeddings.
    #[must_use]
    pub fn with_embeddings(self, folder: PathBuf) -> Self {
        Self { embeddings: Some(folder), ..self }
    }

    /// Lets requests choose ControlNets.
    #[must_use]
    pub fn with_controlnets(self, folder: ControlNetFolder) -> Self {
        Self { controlnets: Some(folder), ..self }
    }

    /// Opens the chosen adapters.
    fn choose(&self, choices: &[AdapterChoice], opened: &[AppliedAdapter]) -> Result<Vec<AppliedAdapter>> {
        match &self.folder {
            Some(folder) => folder.choose(choices, opened).map_err(of_adapters),
            None if choices.is_empty() => Ok(Vec::new()),
            None => Err(no_folder()),
        }
    }

    /// Loads a model with its words; returns the remarks on how it was read, too.
    fn load(&self, source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<(StableDiffusion, Vec<String>)> {
        let model = StableDiffusion::load(source, policy).map_err(|error| of_vae(error, source));
        let (mut model, mut remarks) = (model?, source.remarks());
        if let Some(folder) = &self.embeddings {
            let (embeddings, faults) = Embedding::open_folder(folder)?;
            remarks.extend(faults);
            remarks.extend(model.set_embeddings(embeddings)?);
        }
        Ok((model, remarks))
    }
}

impl fmt::Debug for Adapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, usual, only, embeddings, controlnets, reopen: _ } = self;
        f.debug_struct("Adapters")
            .field("folder", folder)
            .field("usual", usual)
            .field("only", only)
            .field("embeddings", embeddings)
            .field("controlnets", controlnets)
            .finish_non_exhaustive()
    }
}

/// An image model and the adapters in its weights.
pub(super) struct AdaptedImages {
    /// `None` after a change that failed.
    model: Option<StableDiffusion>,
    policy: ExecutionPolicy,
    adapters: Option<Adapters>,
    applied: Vec<AppliedAdapter>,
    hashes: Vec<(String, String)>,
    /// Remarks on the adapters that the current job chose.
    remarks: Vec<String>,
}

impl AdaptedImages {
    /// A model without adapters.
    pub(super) fn fixed(model: StableDiffusion) -> Self {
        let policy = model.policy().clone();
        Self { policy, model: Some(model), adapters: None, applied: Vec::new(), hashes: Vec::new(), remarks: Vec::new() }
    }

    /// Loads a model with its usual adapters, or with those of its only job; returns the remarks on how it was read, too. Without one of the
    /// usual ones, because it is gone or damaged, the model is loaded without any: only jobs that choose none fail.
    ///
    /// # Errors
    /// Any fault in the files of the model; [`Error::Params`] of `loras`, or of `models.loras` for the usual ones, for adapters that do not fit
    /// it.
    pub(super) fn load(source: Box<dyn WeightSource>, policy: &ExecutionPolicy, adapters: Adapters) -> Result<(Self, Vec<String>)> {
        let chosen = adapters.only.as_ref().unwrap_or(&adapters.usual);
        let field = if *chosen == adapters.usual { USUAL } else { "loras" };
        let (applied, missing) = match adapters.choose(chosen, &[]) {
            Ok(applied) => (applied, None),
            Err(error) if adapters.only.is_some() => return Err(of_setting(error, field)),
            Err(error) => (Vec::new(), Some(format!("the model is loaded without its usual adapters: {}", of_operator(error)))),
        };
        // A fault of the model's own files keeps its place, which is the operator's.
        let judged = |mut error: Error| match file_of(&mut error) {
            Some(file) if applied.iter().any(|one| one.adapter.path() == file) => of_setting(of_adapters(error), field),
            Some(_) | None => of_setting(error, field),
        };
        let (source, _) = adapted(source, &applied).map_err(judged)?;
        let (model, mut remarks) = adapters.load(source.as_ref(), policy).map_err(judged)?;
        if let Some(missing) = missing {
            tracing::warn!("{missing}");
            remarks.push(missing);
        }
        let hashes = hashes(&applied);
        let adapters = Some(adapters);
        Ok((Self { model: Some(model), policy: policy.clone(), adapters, applied, hashes, remarks: Vec::new() }, remarks))
    }

    /// The device and precisions of its loads.
    pub(super) fn policy(&self) -> &ExecutionPolicy {
        &self.policy
    }

    /// The folder of its adapters.
    pub(super) fn folder(&self) -> Option<&AdapterFolder> {
        self.adapters.as_ref()?.folder.as_ref()
    }

    /// The folder of its ControlNets.
    pub(super) fn controlnets(&self) -> Option<&ControlNetFolder> {
        self.adapters.as_ref()?.controlnets.as_ref()
    }

    /// The model.
    pub(super) fn model(&self) -> Option<&StableDiffusion> {
        self.model.as_ref()
    }

    /// The names and hashes of the adapters in its weights.
    pub(super) fn hashes(&self) -> &[(String, String)] {
        &self.hashes
    }

    /// A remark for each adapter that the current job chose and of which a part fits no layer.
    pub(super) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The error of a run, as one of the request if the numbers overflowed under the adapters that it chose.
    pub(super) fn of_run(&self, error: Error, choices: &[AdapterChoice]) -> Error {
        let is_chosen = self.adapters.as_ref().is_some_and(|adapters| choices != adapters.usual);
        let Error::NonFinite { what } = error else { return error };
        if !is_chosen || self.applied.is_empty() {
            return Error::NonFinite { what };
        }
        let names = self.applied.iter().map(|one| one.adapter.name()).collect::<Vec<_>>().join(", ");
        let precision = self.policy.unet.as_str();
        let reason =
            format!("{names}: with these adapters, the model produced non-finite numbers in {what} ({precision}); lower their weights");
        Error::Params { field: "loras", reason }
    }

    /// Gives the model its usual adapters.
    ///
    /// # Errors
    /// As [`Self::adapt`].
    pub(super) fn adapt_as_usual(&mut self) -> Result<()> {
        let usual = self.adapters.as_ref().map(|adapters| adapters.usual.clone()).unwrap_or_default();
        self.adapt(&usual)
    }

    /// Gives the model these adapters and no others.
    ///
    /// # Errors
    /// [`Error::Params`] of `loras` if an adapter is missing, damaged or made for another model; any fault in the model's files.
    pub(super) fn adapt(&mut self, choices: &[AdapterChoice]) -> Result<()> {
        let Some(adapters) = &self.adapters else {
            return if choices.is_empty() { Ok(()) } else { Err(no_folder()) };
        };
        // Usual adapters are the operator's choice, so their faults are not the request's.
        let is_usual = choices == adapters.usual;
        let judged = |error: Error| if is_usual { of_operator(error) } else { error };
        let applied = adapters.choose(choices, &self.applied).map_err(judged)?;
        let is_same = applied.len() == self.applied.len() && applied.iter().zip(&self.applied).all(|(new, old)| new.is_same(old));
        if self.model.is_some() && is_same {
            return Ok(());
        }
        let base = (adapters.reopen)().map_err(without_folder)?;
        let (source, remarks) = adapted(base, &applied).map_err(|error| blamed(error, &applied))?;
        let model = match self.model.take() {
            Some(model) => model.reload(source.as_ref()),
            None => adapters.load(source.as_ref(), &self.policy).map(|(model, _)| model),
        };
        let model = model.map_err(|error| blamed(error, &applied))?;
        self.model = Some(model);
        for remark in &remarks {
            tracing::warn!("{remark}");
        }
        // Those on the usual ones are among the model's own.
        self.remarks = if is_usual { Vec::new() } else { remarks };
        (self.hashes, self.applied) = (hashes(&applied), applied);
        Ok(())
    }
}

fn no_folder() -> Error {
    Error::Params { field: "loras", reason: NO_ADAPTERS.to_owned() }
}

/// A model with adapters, and the remarks on these.
fn adapted(source: Box<dyn WeightSource>, applied: &[AppliedAdapter]) -> Result<(Box<dyn WeightSource>, Vec<String>)> {
    if applied.is_empty() {
        return Ok((source, Vec::new()));
    }
    let adapted = AdaptedSource::new(source, applied.to_vec())?;
    let remarks = adapted.adapters_remarks().to_vec();
    Ok((Box::new(adapted), remarks))
}

/// The setting of the usual adapters.
const USUAL: &str = "models.loras";

/// A fault of usual adapters as one of the operator's settings, which is no fault of a request.
fn of_operator(error: Error) -> Error {
    if let Error::Params { reason, .. } = &error { Error::file(USUAL, reason.clone()) } else { error }
}

/// A fault of adapters that a model is loaded with, as one of the setting or the flag that names them.
fn of_setting(error: Error, setting: &'static str) -> Error {
    if let Error::Params { field: "loras", reason } = error { Error::Params { field: setting, reason } } else { error }
}

/// The names and hashes of adapters; without those whose files cannot be read any more.
fn hashes(applied: &[AppliedAdapter]) -> Vec<(String, String)> {
    let of = |one: &AppliedAdapter| Some((one.adapter.name().to_owned(), adapter_hash::short(&one.adapter).ok()?));
    applied.iter().filter_map(of).collect()
}

/// The file that an error is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and the rest is not about files")]
fn file_of(error: &mut Error) -> Option<&mut PathBuf> {
    match error {
        Error::File { file, .. } | Error::Weights { file, .. } | Error::Io { path: file, .. } => Some(file),
        _ => None,
    }
}

/// A fault that was found while adapters were merged: one of the request if an adapter's file is at fault, and one of the model otherwise.
fn blamed(mut error: Error, applied: &[AppliedAdapter]) -> Error {
    match file_of(&mut error) {
        Some(file) if !applied.iter().any(|one| one.adapter.path() == file) => without_folder(error),
        Some(_) | None => of_adapters(error),
    }
}

/// A fault in the model's files without their folder, which clients must not see.
fn without_folder(mut error: Error) -> Error {
    if let Some(file) = file_of(&mut error) {
        *file = file.file_name().map(PathBuf::from).unwrap_or_default();
    }
    error
}

/// A fault in an adapter's file as one of the request that names it; without the folder, which clients must not see.
fn of_adapters(mut error: Error) -> Error {
    let Some(file) = file_of(&mut error) else { return error };
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Error::Params { field: "loras", reason: format!("{name}: {}", reason(&error)) }
}
