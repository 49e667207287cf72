//! An image model with the adapters of the current job in its weights.
//!
//! It must not know jobs. The invariants: a job runs with its own adapters only; adapters are opened and checked before the model changes,
//! and layers that stay the same are neither read nor packed again, even if reading the others fails or is cancelled.

use std::{fmt, ops::ControlFlow, path::PathBuf, sync::Arc};

use diffusion_core::{
    Error, Result,
    adapters::{AdaptedSource, AdapterChoice, AdapterFolder, AppliedAdapter, ControlNetFolder, Embedding, reason},
    pipelines::{ImageParams, StableDiffusion, UnloadedModel},
    policy::ExecutionPolicy,
    weights::{StopCheck, WatchedSource, WeightSource},
};

use super::{adapter_hash, other_parts::of_other_part};
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

    /// Loads a model with its words; returns the hashes of these and the remarks on how it was read, too.
    fn load(&self, source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<(StableDiffusion, NamedHashes, Vec<String>)> {
        let model = StableDiffusion::load(source, policy).map_err(|error| of_other_part(error, source));
        let (mut model, mut hashes, mut remarks) = (model?, Vec::new(), source.remarks());
        if let Some(folder) = &self.embeddings {
            let (embeddings, faults) = Embedding::open_folder(folder)?;
            let hash = |one: &Embedding| Some((one.name.clone(), adapter_hash::of_embedding(one.path()).ok()?));
            hashes.extend(embeddings.iter().filter_map(hash));
            remarks.extend(faults);
            remarks.extend(model.set_embeddings(embeddings)?);
        }
        Ok((model, hashes, remarks))
    }
}

/// Names of files and their hashes.
pub(super) type NamedHashes = Vec<(String, String)>;

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
    /// `None` after a change that failed or was cancelled.
    model: Option<StableDiffusion>,
    /// What that change left.
    unloaded: Option<UnloadedModel>,
    policy: ExecutionPolicy,
    adapters: Option<Adapters>,
    applied: Vec<AppliedAdapter>,
    hashes: NamedHashes,
    /// Those of all embeddings.
    embeddings: NamedHashes,
    /// Remarks on the adapters that the current job chose.
    remarks: Vec<String>,
}

impl AdaptedImages {
    /// A model without adapters.
    pub(super) fn fixed(model: StableDiffusion) -> Self {
        let policy = model.policy().clone();
        Self {
            policy,
            model: Some(model),
            unloaded: None,
            adapters: None,
            applied: Vec::new(),
            hashes: Vec::new(),
            embeddings: Vec::new(),
            remarks: Vec::new(),
        }
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
        let (model, embeddings, mut remarks) = adapters.load(source.as_ref(), policy).map_err(judged)?;
        if let Some(missing) = missing {
            tracing::warn!("{missing}");
            remarks.push(missing);
        }
        let hashes = hashes(&applied);
        let adapters = Some(adapters);
        let (policy, of_job) = (policy.clone(), Vec::new());
        Ok((Self { model: Some(model), unloaded: None, policy, adapters, applied, hashes, embeddings, remarks: of_job }, remarks))
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

    /// The names and hashes of all embeddings, which are words of every prompt.
    pub(super) fn words(&self) -> &[(String, String)] {
        &self.embeddings
    }

    /// The adapters of jobs that choose none.
    pub(super) fn usual(&self) -> &[AdapterChoice] {
        self.adapters.as_ref().map_or(&[], |adapters| &adapters.usual)
    }

    /// The names and hashes of the adapters in its weights.
    pub(super) fn hashes(&self) -> &[(String, String)] {
        &self.hashes
    }

    /// The names and hashes of the embeddings that are words of a job's prompts.
    pub(super) fn embeddings_of(&self, params: &ImageParams) -> NamedHashes {
        let used = self.model.as_ref().map(|model| model.used_embeddings(params)).unwrap_or_default();
        used.iter().filter_map(|word| self.embeddings.iter().find(|(name, _)| name == word).cloned()).collect()
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
    pub(super) fn adapt_as_usual(&mut self, stop: &StopCheck) -> Result<()> {
        let usual = self.adapters.as_ref().map(|adapters| adapters.usual.clone()).unwrap_or_default();
        self.adapt(&usual, stop)
    }

    /// Gives the model these adapters and no others; stops before the next tensor when `stop` says so.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it stopped: the next call continues with the layers that are there. [`Error::Params`] of `loras` if an adapter is missing, damaged or made for another model; any fault in the model's files.
    pub(super) fn adapt(&mut self, choices: &[AdapterChoice], stop: &StopCheck) -> Result<()> {
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
        let stop = Arc::clone(stop);
        let source = WatchedSource::new(source, move |_| if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        self.unloaded = self.model.take().map(StableDiffusion::unload).or_else(|| self.unloaded.take());
        let model = match &self.unloaded {
            Some(unloaded) => unloaded.load(&source),
            None => adapters.load(&source, &self.policy).map(|(model, ..)| model),
        };
        let model = model.map_err(|error| blamed(error, &applied))?;
        (self.model, self.unloaded) = (Some(model), None);
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use diffusion_core::pipelines::{RunContext, nano_sd};
    use image::RgbImage;

    use super::*;

    /// A LoRA of one layer and rank 1 for nano-sd.
    fn write_lora(folder: &std::path::Path) {
        const LAYER: &str = "lora_unet_mid_block_attentions_0_proj_in";
        let header = format!(
            r#"{{"{LAYER}.lora_up.weight":{{"dtype":"F32","shape":[128,1],"data_offsets":[0,512]}},"{LAYER}.lora_down.weight":{{"dtype":"F32","shape":[1,128],"data_offsets":[512,1024]}}}}"#
        );
        let numbers = (0..256).flat_map(|index| (0.5 * (index as f32).sin()).to_le_bytes());
        let bytes: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
        std::fs::write(folder.join("ink.safetensors"), bytes).unwrap();
    }

    /// A check that counts, and stops at the call after `most`.
    fn counted(most: usize) -> (StopCheck, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        (Arc::new(move || counter.fetch_add(1, Ordering::Relaxed) >= most), calls)
    }

    fn made(images: &AdaptedImages) -> RgbImage {
        let params = ImageParams { num_inference_steps: 1, ..ImageParams::new("a boat", (64, 64)) };
        images.model().unwrap().image(&params, RunContext::new(&mut ())).unwrap()
    }

    /// A cancelled change keeps every layer that was not to change: the next one reads no more than any change does.
    #[test]
    fn a_change_of_adapters_can_be_cancelled_and_loses_no_layer() {
        let folder = tempfile::tempdir().unwrap();
        write_lora(folder.path());
        let adapters = Adapters::new(|| Ok(Box::new(nano_sd()))).with_loras(AdapterFolder::open(folder.path()).unwrap(), Vec::new());
        let (mut images, _) = AdaptedImages::load(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), adapters).unwrap();
        let plain = made(&images);
        let ink: Vec<AdapterChoice> = vec!["ink".parse().unwrap()];
        let (never, usual) = counted(usize::MAX);
        images.adapt(&ink, &never).unwrap();
        let (inked, usual) = (made(&images), usual.load(Ordering::Relaxed));
        images.adapt(&[], &never).unwrap();
        for most in [0, 1, usual - 1] {
            let (stop, _) = counted(most);
            assert!(matches!(images.adapt(&ink, &stop), Err(Error::Cancelled)), "{most}");
            assert!(images.model().is_none());
            let (never, reads) = counted(usize::MAX);
            images.adapt(&[], &never).unwrap();
            let reads = reads.load(Ordering::Relaxed);
            assert!(reads <= usual && made(&images) == plain, "{most}: {reads} of {usual}");
        }
        let (stop, _) = counted(1);
        assert!(images.adapt(&ink, &stop).is_err());
        images.adapt(&ink, &never).unwrap();
        assert!(made(&images) == inked && inked != plain);
    }
}
