//! The ControlNets of an image model: those of the current job, and those of earlier ones as long as there is room.
//!
//! It must not know jobs. Invariants: all nets of a job are found before the first is opened; a net is checked against the model before its
//! weights are read, and before another is dropped for it; the file of one net at a time is in memory; a net that cannot be loaded leaves
//! the others as they are.

use std::{path::PathBuf, sync::Arc};

use diffusion_core::{
    Error, Result,
    adapters::{ControlNetFolder, reason},
    imaging::{canny, resized},
    models::ControlNetConfig,
    pipelines::{ControlNet, ControlParams, ControlsParams, StableDiffusion},
    weights::{Component, StopCheck, open_controlnet_until},
};
use image::RgbImage;

use crate::{
    backend::local::memory::MemoryPlan,
    model_info::NO_CONTROLNETS,
    spec::image::{ControlSpec, ControlsSpec, ImageSpec},
};

/// The nets that a model keeps: as many as one request can choose.
const MOST_KEPT: usize = 4;

/// The ControlNets of one model.
pub(super) struct ControlNets {
    folder: Option<ControlNetFolder>,
    /// The least recently used first.
    kept: Vec<Kept>,
    memory: MemoryPlan,
}

struct Kept {
    name: String,
    /// Identifies the content of its files.
    stamp: u64,
    net: Arc<ControlNet>,
}

/// A net of a job that has yet to be loaded.
struct Found {
    /// Its place in the request.
    place: usize,
    name: String,
    path: PathBuf,
    stamp: u64,
}

impl ControlNets {
    pub(super) fn new(folder: Option<ControlNetFolder>, memory: MemoryPlan) -> Self {
        Self { folder, kept: Vec::new(), memory }
    }

    /// Drops nets that this job does not use and that do not fit in memory beside it; `needed` is what the job takes without them.
    pub(super) fn make_room(&mut self, needed: Option<u64>, of_job: &ControlsSpec) {
        let Some(room) = self.memory.room_for_kept(needed) else { return };
        let is_used = |kept: &Kept| of_job.acting().any(|(_, control)| control.name() == kept.name);
        while self.kept.iter().filter(|kept| !is_used(kept)).map(|kept| kept.net.weights()).sum::<u64>() > room {
            let Some(first) = self.kept.iter().position(|kept| !is_used(kept)) else { break };
            self.kept.remove(first);
        }
        self.record();
    }

    /// The ControlNets of a job, with their images at its size. `stop` is asked while nets are read.
    ///
    /// # Errors
    /// [`Error::Params`] of `controlnets` if a net is missing, damaged or made for another model; [`Error::Cancelled`] if `stop` says so.
    pub(super) fn of_job(&mut self, spec: &ImageSpec, model: &StableDiffusion, stop: &StopCheck) -> Result<ControlsParams> {
        let controls: Vec<(usize, &ControlSpec)> = spec.controls().acting().collect();
        if controls.is_empty() {
            return Ok(ControlsParams::default());
        }
        self.load(&controls, model, stop)?;
        let params = |(_, control): &(usize, &ControlSpec)| {
            let kept = self.kept.iter().find(|kept| kept.name == control.name()).ok_or_else(|| refused(NO_CONTROLNETS.to_owned()))?;
            let (start, end) = control.window();
            let image = control_image(control, (spec.width(), spec.height()))?;
            Ok(ControlParams { net: Arc::clone(&kept.net), image, weight: control.weight(), start, end })
        };
        Ok(ControlsParams { nets: controls.iter().map(params).collect::<Result<_>>()?, guess_mode: spec.controls().guess_mode() })
    }

    /// Loads the nets that are not kept.
    fn load(&mut self, controls: &[(usize, &ControlSpec)], model: &StableDiffusion, stop: &StopCheck) -> Result<()> {
        let mut missing: Vec<Found> = Vec::new();
        for &(place, control) in controls {
            let name = control.name();
            let Some(folder) = &self.folder else { return Err(refused(NO_CONTROLNETS.to_owned())) };
            let path = folder.find(name).map_err(|error| in_entry(place, reason(&error)))?;
            let stamp = ControlNetFolder::stamp(&path).map_err(|error| of_net((place, name), error))?;
            if let Some(index) = self.kept.iter().position(|kept| kept.name == name && kept.stamp == stamp) {
                let kept = self.kept.remove(index);
                let checked = model.check_controlnet(kept.net.config());
                self.kept.push(kept);
                checked.map_err(|error| of_net((place, name), error))?;
            } else if missing.iter().all(|other| other.name != name) {
                missing.push(Found { place, name: name.to_owned(), path, stamp });
            }
        }
        for found in missing {
            let (place, name) = (found.place, found.name.clone());
            self.load_one(found, model, stop).map_err(|error| of_net((place, &name), error))?;
        }
        Ok(())
    }

    fn load_one(&mut self, Found { name, path, stamp, .. }: Found, model: &StableDiffusion, stop: &StopCheck) -> Result<()> {
        let source = open_controlnet_until(&path, Arc::clone(stop))?;
        model.check_controlnet(&ControlNetConfig::from_json(&source.config(Component::ControlNet)?)?)?;
        // Its older self first; then the least recently used, and the job's own are at the end.
        self.kept.retain(|kept| kept.name != name);
        let surplus = (self.kept.len() + 1).saturating_sub(MOST_KEPT);
        self.kept.drain(..surplus);
        self.record();
        let net = Arc::new(ControlNet::load(source.as_ref(), model.policy())?);
        source.remarks().iter().for_each(|remark| tracing::warn!("ControlNet {name}: {remark}"));
        self.kept.push(Kept { name, stamp, net });
        self.record();
        Ok(())
    }

    fn record(&self) {
        self.memory.keeps_controlnets(self.kept.iter().map(|kept| kept.net.weights()).sum());
    }
}

/// The control image: the picture itself, or its edges at the output's size, where they are a pixel wide.
fn control_image(control: &ControlSpec, (width, height): (u32, u32)) -> Result<RgbImage> {
    match control.canny() {
        None => Ok(control.image().clone()),
        Some(thresholds) => Ok(canny(&resized(control.image(), width, height)?, thresholds.low, thresholds.high)),
    }
}

/// The error of a run, as one of the request if the numbers overflowed under the ControlNets that it chose.
pub(super) fn of_run(error: Error, chosen: &ControlsSpec) -> Error {
    let Error::NonFinite { what } = error else { return error };
    let names = chosen.acting().map(|(_, control)| control.name()).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return Error::NonFinite { what };
    }
    refused(format!(
        "{names}: with these ControlNets, the model produced non-finite numbers in {what}; lower their weights, or check their files"
    ))
}

fn refused(reason: String) -> Error {
    Error::Params { field: "controlnets", reason }
}

/// The entries of a request's list, as errors name them.
const ENTRIES: [&str; MOST_KEPT] = ["controlnets.0", "controlnets.1", "controlnets.2", "controlnets.3"];

/// A fault of one entry of the request.
fn in_entry(place: usize, reason: String) -> Error {
    Error::Params { field: ENTRIES.get(place).copied().unwrap_or("controlnets"), reason }
}

/// A fault in a net's files as one of the entry that names it; without the folder, which clients must not see.
fn of_net((place, name): (usize, &str), error: Error) -> Error {
    if matches!(error, Error::Cancelled) {
        return error;
    }
    in_entry(place, format!("{name}: {}", ControlNetFolder::reason(&error)))
}
