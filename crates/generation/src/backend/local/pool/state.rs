//! The state of each model, and the decisions that follow from it: plain data.
//!
//! It must not know threads, clocks or models' types. The invariants are [`super`]'s.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{LoadWatch, ModelView, PoolSettings, Step};
use crate::{
    backend::{
        Readiness, Refusal,
        local::{
            caught::NotLoaded,
            memory::{Enlarging, MemoryPlan, peak_without_model},
            model::ModelState,
            timings::Timings,
        },
    },
    model_info::ModelInfo,
    work::Work,
};

/// Removes folders from a reason: clients must not see where files are. The log has the full paths.
pub(super) fn without_folders(reason: &str) -> String {
    let words = reason.split(' ').map(|word| match word.rsplit_once('/') {
        Some((_, name)) if word.starts_with('/') => name,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The stage of a model's loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::local) enum Stage {
    Unloaded,
    /// Requested: the device's thread frees memory for it.
    Queued,
    Loading,
    Ready,
}

/// A model's state.
#[derive(Debug)]
pub(in crate::backend::local) struct Slot {
    stage: Stage,
    /// Whether opening its files has succeeded or failed. Before that no queued load of it starts.
    is_opened: bool,
    pub(super) info: Option<Arc<ModelInfo>>,
    pub(super) memory: Option<MemoryPlan>,
    pub(super) timings: Timings,
    /// When a job last used it, or when it was loaded.
    pub(super) used: Instant,
    /// When it last failed to load, and why.
    failed: Option<(Instant, String)>,
    /// The setting or the flag at fault for that, if one is.
    refused_setting: Option<&'static str>,
    loads: u64,
    watch: Option<LoadWatch>,
    /// Whether its unloading was requested: it is dropped once no job runs with it.
    unload_requested: bool,
}

impl Slot {
    pub(super) fn view(&self) -> ModelView {
        let state = match (self.stage, &self.failed) {
            (Stage::Ready, _) => ModelState::Ready,
            (Stage::Loading, _) => ModelState::Loading { share: self.watch.as_ref().map_or(0.0, LoadWatch::share) },
            (Stage::Queued, _) => ModelState::Queued,
            (Stage::Unloaded, Some((_, reason))) => ModelState::Failed { reason: reason.clone() },
            (Stage::Unloaded, None) => ModelState::Unloaded,
        };
        let (info, bytes) = (self.info.clone(), self.weights());
        ModelView { name: String::new(), is_default: false, state, info, bytes, loads: self.loads, timings: self.timings }
    }

    /// Facts about it.
    ///
    /// # Errors
    /// [`Refusal::Loading`] or [`Refusal::Failed`] while they are not known.
    pub(super) fn known_info(&self) -> Result<Arc<ModelInfo>, Refusal> {
        let unknown = || self.failure().map_or(Refusal::Loading, Refusal::Failed);
        self.info.clone().ok_or_else(unknown)
    }

    /// Why its last load failed.
    pub(in crate::backend::local) fn failure(&self) -> Option<String> {
        self.failed.as_ref().map(|(_, reason)| reason.clone())
    }

    /// The setting or the flag at fault for that, if one is.
    pub(in crate::backend::local) fn refused_setting(&self) -> Option<&'static str> {
        self.refused_setting.filter(|_| self.failed.is_some())
    }

    /// Whether that load failed at `since` or later.
    pub(in crate::backend::local) fn has_failed_since(&self, since: Instant) -> bool {
        self.failed.as_ref().is_some_and(|(at, _)| *at >= since)
    }

    /// Whether a job that needs it has to wait: it is being loaded, or its files are being opened.
    pub(in crate::backend::local) fn is_awaited(&self) -> bool {
        self.stage == Stage::Loading || !self.is_opened
    }

    pub(in crate::backend::local) fn is_opened(&self) -> bool {
        self.is_opened
    }

    fn weights(&self) -> u64 {
        self.memory.as_ref().map_or(0, MemoryPlan::weights)
    }

    fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Loading)
    }

    /// Whether it can be loaded beside the device's thread: a device other than the CPU belongs to that one thread.
    fn may_load_beside(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.device == "cpu")
    }
}

/// What is dropped for a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::backend::local) struct Going {
    /// Whether the upscaler is.
    pub(in crate::backend::local) upscaler: bool,
    /// The models.
    pub(in crate::backend::local) models: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    /// Requested models, in the order of their requests.
    queued: VecDeque<usize>,
    /// The running job, and its model.
    pub(super) running: Option<(usize, Arc<Work>)>,
    /// Whether a job runs; loaders read it.
    pub(super) works: Arc<AtomicBool>,
    /// The bytes that the loaded upscaler holds, and what it needs beside them while it runs.
    pub(super) upscaler: u64,
    /// When it last ran.
    pub(super) upscaler_used: Instant,
}

impl State {
    pub(super) fn new(models: usize, now: Instant) -> Self {
        let slot = || Slot {
            stage: Stage::Unloaded,
            is_opened: false,
            info: None,
            memory: None,
            timings: Timings::default(),
            used: now,
            failed: None,
            refused_setting: None,
            loads: 0,
            watch: None,
            unload_requested: false,
        };
        Self {
            slots: (0..models).map(|_| slot()).collect(),
            queued: VecDeque::new(),
            running: None,
            works: Arc::default(),
            upscaler: 0,
            upscaler_used: now,
        }
    }

    pub(super) fn stop_loading(&self) {
        self.slots.iter().filter_map(|slot| slot.watch.as_ref()).for_each(LoadWatch::cancel);
    }

    fn is_loading(&self) -> bool {
        self.slots.iter().any(|slot| slot.stage == Stage::Loading)
    }

    /// See [`super::Pool::is_busy`].
    pub(super) fn is_busy(&self) -> bool {
        self.is_loading() || !self.queued.is_empty()
    }

    pub(super) fn readiness(&self, index: usize, since: Instant) -> Readiness {
        let Some(slot) = self.slots.get(index) else { return Readiness::Ready };
        match slot.stage {
            Stage::Ready => Readiness::Ready,
            Stage::Loading => Readiness::Loading,
            // Its memory is being freed.
            Stage::Queued if self.is_loading() || !slot.is_opened => Readiness::Loading,
            Stage::Queued => Readiness::Queued,
            // Its job starts, and fails with the reason.
            Stage::Unloaded if slot.has_failed_since(since) => Readiness::Ready,
            Stage::Unloaded if !slot.is_opened => Readiness::Loading,
            Stage::Unloaded => Readiness::Cold,
        }
    }

    /// The memory that all models but this one hold.
    fn models_beside(&self, index: usize) -> u64 {
        let others = self.slots.iter().enumerate().filter(|(other, slot)| *other != index && slot.is_held());
        others.map(|(_, slot)| slot.weights()).fold(0, u64::saturating_add)
    }

    /// The memory that everything but this model holds.
    fn held_beside(&self, index: usize) -> u64 {
        self.models_beside(index).saturating_add(self.upscaler)
    }

    /// Whether a model can be loaded beside those in memory and beside the running job.
    fn fits(&self, index: usize, budget: Option<u64>) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        let (weights, held) = (slot.weights(), self.held_beside(index));
        if budget.is_some_and(|budget| weights.saturating_add(held) > budget) {
            return false;
        }
        let Some(limit) = slot.memory.as_ref().and_then(MemoryPlan::limit) else { return true };
        let running = self.running.as_ref().and_then(|(running, work)| Some((running, work, self.slots.get(*running)?.memory.as_ref()?)));
        let needed = match running {
            Some((running, work, plan)) => plan.beside(Some(work), self.held_beside(*running).saturating_add(weights)),
            None => slot.memory.as_ref().map_or(0, |plan| plan.beside(None, held)),
        };
        needed <= limit
    }

    /// See [`super::Pool::request_load`].
    pub(super) fn request_load(&mut self, index: usize, may_swap: bool, budget: Option<u64>, watch: LoadWatch) -> Option<LoadWatch> {
        let slot = self.slots.get(index)?;
        if slot.is_held() && !slot.unload_requested {
            return None;
        }
        let at_once = slot.stage == Stage::Unloaded
            && slot.may_load_beside()
            && !self.is_loading()
            && self.queued.is_empty()
            && self.fits(index, budget);
        if at_once {
            self.begin(index, watch.clone());
            return Some(watch);
        }
        let slot = self.slots.get_mut(index)?;
        slot.unload_requested = false;
        if may_swap && slot.stage == Stage::Unloaded {
            slot.stage = Stage::Queued;
            self.queued.push_back(index);
        }
        None
    }

    pub(super) fn request_unload(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match slot.stage {
            Stage::Ready => slot.unload_requested = true,
            Stage::Loading => {
                if let Some(watch) = &slot.watch {
                    watch.cancel();
                }
            }
            Stage::Queued => {
                slot.stage = Stage::Unloaded;
                self.queued.retain(|queued| *queued != index);
            }
            // Forgets its failure.
            Stage::Unloaded => slot.failed = None,
        }
    }

    /// The ready models without `but`, the least recently used first.
    pub(super) fn by_use(&self, but: usize) -> Vec<usize> {
        let mut ready: Vec<usize> = Vec::new();
        ready.extend(
            self.slots.iter().enumerate().filter(|(index, slot)| *index != but && slot.stage == Stage::Ready).map(|(index, _)| index),
        );
        ready.sort_by_key(|index| self.slots.get(*index).map(|slot| slot.used));
        ready
    }

    pub(super) fn next_step(&mut self, now: Instant, settings: &PoolSettings) -> Option<Step> {
        let is_idle = |slot: &Slot| settings.idle.is_some_and(|idle| now.saturating_duration_since(slot.used) >= idle);
        let slots = self.slots.iter().enumerate();
        let going: Vec<usize> = slots
            .filter(|(_, slot)| slot.stage == Stage::Ready && (slot.unload_requested || is_idle(slot)))
            .map(|(index, _)| index)
            .collect();
        if !going.is_empty() {
            return Some(Step::Drop(going));
        }
        if self.upscaler > 0 && settings.idle.is_some_and(|idle| now.saturating_duration_since(self.upscaler_used) >= idle) {
            return Some(Step::DropUpscaler);
        }
        if self.is_loading() {
            return None;
        }
        let (index, slot) =
            self.queued.iter().filter_map(|index| Some((*index, self.slots.get(*index)?))).find(|(_, slot)| slot.is_opened)?;
        if let Some(reason) = slot.too_large(settings.budget) {
            return Some(Step::Refuse(index, reason));
        }
        if self.fits(index, settings.budget) {
            return Some(Step::Load { index, beside: slot.may_load_beside() });
        }
        // It is loaded again in no time.
        if self.upscaler > 0 {
            return Some(Step::DropUpscaler);
        }
        match self.by_use(index).first() {
            Some(least_used) => Some(Step::Drop(vec![*least_used])),
            // No other model is loaded. The memory of its jobs is checked when they arrive.
            None => Some(Step::Load { index, beside: slot.may_load_beside() }),
        }
    }

    /// What to drop so that the job and its model fit, and the upscaler that it needs: first an upscaler that it does not need, then ready
    /// models, the least recently used first.
    pub(super) fn to_drop_for(&self, index: usize, work: &Work, enlarging: Enlarging, budget: Option<u64>) -> Going {
        let Some(plan) = self.slots.get(index).and_then(|slot| slot.memory.as_ref()) else { return Going::default() };
        let weights = plan.weights_of(work).saturating_add(enlarging.weights);
        let is_over = |others: u64| {
            budget.is_some_and(|budget| weights.saturating_add(others) > budget)
                || plan.limit().is_some_and(|limit| plan.beside_enlarging(work, others, enlarging) > limit)
        };
        // One that the job needs is counted with it.
        let idle_upscaler = if enlarging.weights == 0 { self.upscaler } else { 0 };
        let mut others = self.models_beside(index);
        let upscaler = idle_upscaler > 0 && is_over(others.saturating_add(idle_upscaler));
        if !upscaler {
            others = others.saturating_add(idle_upscaler);
        }
        Going { upscaler, models: self.until(others, index, is_over) }
    }

    /// The ready models to drop so that an enlargement without a model fits, the least recently used first.
    pub(super) fn to_drop_for_upscaling(&self, enlarging: Enlarging, (limit, budget): (Option<u64>, Option<u64>)) -> Vec<usize> {
        let is_over = |others: u64| {
            let beside = Enlarging { weights: enlarging.weights.saturating_add(others), ..enlarging };
            budget.is_some_and(|budget| beside.weights > budget) || limit.is_some_and(|limit| peak_without_model(beside) > limit)
        };
        self.until(self.models_beside(usize::MAX), usize::MAX, is_over)
    }

    /// The ready models to drop, without `but`, until what is held is no longer too much.
    fn until(&self, mut others: u64, but: usize, is_over: impl Fn(u64) -> bool) -> Vec<usize> {
        let mut going = Vec::new();
        for least_used in self.by_use(but) {
            if !is_over(others) {
                break;
            }
            others = others.saturating_sub(self.slots.get(least_used).map_or(0, Slot::weights));
            going.push(least_used);
        }
        going
    }

    pub(super) fn until_idle(&self, now: Instant, idle: Duration) -> Option<Duration> {
        let ready = self.slots.iter().filter(|slot| slot.stage == Stage::Ready);
        let used = ready.map(|slot| slot.used).chain((self.upscaler > 0).then_some(self.upscaler_used));
        used.map(|used| (used + idle).saturating_duration_since(now)).min()
    }

    pub(super) fn begin(&mut self, index: usize, watch: LoadWatch) {
        self.queued.retain(|queued| *queued != index);
        if let Some(slot) = self.slots.get_mut(index) {
            (slot.stage, slot.watch, slot.unload_requested) = (Stage::Loading, Some(watch), false);
        }
    }

    /// Records that a model's files have been opened, with the facts in them, or could not be.
    pub(super) fn opened(&mut self, index: usize, facts: Result<Option<(Arc<ModelInfo>, MemoryPlan)>, &NotLoaded>, now: Instant) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.is_opened = true;
        match facts {
            Ok(Some((info, memory))) => (slot.info, slot.memory) = (Some(info), Some(memory)),
            Ok(None) | Err(NotLoaded::Stopped) => {}
            Err(failure) => slot.fail(failure, now),
        }
    }

    /// See [`super::Pool::loaded`].
    pub(super) fn loaded(&mut self, index: usize, result: Result<(Arc<ModelInfo>, MemoryPlan), NotLoaded>, now: Instant) {
        self.queued.retain(|queued| *queued != index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.watch = None;
        match result {
            Ok((info, memory)) => {
                (slot.stage, slot.failed, slot.used) = (Stage::Ready, None, now);
                slot.loads += 1;
                (slot.info, slot.memory) = (Some(info), Some(memory));
            }
            Err(NotLoaded::Stopped) => slot.stage = Stage::Unloaded,
            Err(failure) => {
                slot.stage = Stage::Unloaded;
                slot.fail(&failure, now);
            }
        }
    }

    pub(super) fn dropped(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        (slot.stage, slot.unload_requested) = (Stage::Unloaded, false);
        if let Some(memory) = &slot.memory {
            memory.is_unloaded();
        }
    }
}

impl Slot {
    fn fail(&mut self, failure: &NotLoaded, now: Instant) {
        self.refused_setting = if let NotLoaded::Refused(setting, _) = failure { Some(setting) } else { None };
        self.failed = Some((now, without_folders(&failure.to_string())));
    }

    /// Why it does not fit even alone, in one line.
    pub(super) fn too_large(&self, budget: Option<u64>) -> Option<String> {
        let (budget, weights) = (budget?, self.weights());
        (weights > budget)
            .then(|| format!("it holds {weights} bytes, and pool.budget is {budget}: raise it, or choose a smaller precision"))
    }
}
