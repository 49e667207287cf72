//! The default model's first load beside the device's thread, which makes enlargements meanwhile.
//!
//! It must not know requests. The invariants: only on a CPU, because another device belongs to one thread; an enlargement that memory does
//! not hold beside the model waits for its load.

use std::{
    collections::VecDeque,
    sync::mpsc::{self, RecvTimeoutError},
};

use super::{Device, DeviceRun, LOOK, Message};
use crate::{
    backend::local::{
        caught::NotLoaded,
        memory::{Enlarging, MemoryPlan, peak_without_model},
        pool::{DEFAULT, Slot},
    },
    spec::UpscaleSpec,
    work::Work,
};

impl Device {
    /// Loads the default model. Jobs that arrive meanwhile and need a model are left in `waiting`.
    pub(super) fn first_load_beside(
        &mut self,
        incoming: &mpsc::Receiver<Message>,
        waiting: &mut VecDeque<Box<DeviceRun>>,
    ) -> Result<(), NotLoaded> {
        self.loader.start(DEFAULT, self.pool.new_watch());
        self.pool.open_others();
        while self.pool.look(DEFAULT, Slot::is_awaited) == Some(true) {
            if let Ok(loaded) = self.loaded.try_recv() {
                self.settle(loaded);
                continue;
            }
            match incoming.recv_timeout(LOOK) {
                Ok(Message::Run(run)) => match run.work.as_ref() {
                    Work::Upscale(spec) if self.fits_beside_load(spec) => {
                        if let Some(reason) = self.serve(*run) {
                            return Err(NotLoaded::Failed(reason));
                        }
                    }
                    Work::Upscale(_) | Work::Image(_) | Work::Video(_) => waiting.push_back(run),
                },
                Ok(Message::Look) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.pool.stop_loading();
                    return Err(NotLoaded::Stopped);
                }
            }
        }
        self.pool.look(DEFAULT, Slot::failure).flatten().map_or(Ok(()), |reason| Err(NotLoaded::Failed(reason)))
    }

    fn fits_beside_load(&self, spec: &UpscaleSpec) -> bool {
        // One that cannot be made fails with its reason.
        let Ok((needs, limit)) = self.upscalers.needs(spec.upscaler(), spec.given_size(), spec.size()) else { return true };
        let model = self.pool.memory(DEFAULT).as_ref().map_or(0, MemoryPlan::weights);
        limit.is_none_or(|limit| peak_without_model(Enlarging { weights: needs.weights.saturating_add(model), ..needs }) <= limit)
    }
}
