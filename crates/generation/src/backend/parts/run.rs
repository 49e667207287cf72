//! Stands between a model and its journal and sink while it makes a video of scenes: takes parts from the store, adds new ones, and reports
//! each part with its last frame.
//!
//! It must not know how a part is made. The invariants: a part is taken whole from the store or not at all; it is added whole or not at all,
//! and only if this run has made all of it, with the memory that its key assumes; each part is reported once, in order.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    io,
};

use diffusion_core::{
    error::BoxError,
    frames::FrameSink,
    journal::{Journal, KeptLatents, Run},
    pipelines::scenes::Join,
};
use image::{RgbImage, codecs::jpeg::JpegEncoder};

use super::{
    entry::{Entry, Label, Recording},
    job_parts::JobParts,
    keys::{PartKey, PartKeys},
    part::{PartCounts, PartKind, PartReport, ScenePart},
    store::PartStore,
};
use crate::{preview, spec::video::ScenesSpec};

/// The quality of a still, and its longest side in pixels: about six kilobytes.
const STILL_QUALITY: u8 = 80;
const STILL_SIDE: u32 = 192;

/// The parts of a video that is being made.
pub(crate) struct PartsRun<'a> {
    job: &'a JobParts,
    parts: Vec<ScenePart>,
    keys: PartKeys,
    /// Whether the device had less memory than a part's key assumes.
    stepped_down: Cell<bool>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    progress: Vec<Progress>,
    /// The next part to report.
    next: usize,
    still: Option<Vec<u8>>,
    counts: PartCounts,
    /// Parts that this run has added.
    added: HashSet<PartKey>,
}

/// What is known of a part so far.
#[derive(Default)]
enum Progress {
    /// The model has not asked for it.
    #[default]
    Unseen,
    /// It is in the store.
    Kept { entry: Entry, reused: bool },
    /// The model makes it, or has; it is recorded if all of it is made here.
    Made(Option<Recording>),
}

impl<'a> PartsRun<'a> {
    /// The parts of this video; without `keys`, none is taken or added.
    pub(crate) fn new(spec: &ScenesSpec, keys: Option<PartKeys>, job: &'a JobParts) -> Self {
        let parts = ScenePart::all(spec);
        job.reports.begin();
        let progress = parts.iter().map(|_| Progress::Unseen).collect();
        let keys = keys.unwrap_or_default();
        Self { job, parts, keys, stepped_down: Cell::new(false), state: RefCell::new(State { progress, ..State::default() }) }
    }

    /// Records that the device had too little memory: what it makes from now on may differ in a few pixels.
    pub(crate) fn step_down(&self) {
        self.stepped_down.set(true);
        for progress in &mut self.state.borrow_mut().progress {
            if let Progress::Made(recording) = progress {
                *recording = None;
            }
        }
    }

    /// A journal that takes parts from the store, and everything else from `journal`.
    pub(crate) fn journal<'b>(&'b self, journal: &'b mut dyn Journal) -> PartsJournal<'b> {
        PartsJournal { run: self, journal }
    }

    /// A sink that counts the frames on their way to `sink`; the first one has the index `first_frame`.
    pub(crate) fn sink<'b>(&'b self, sink: &'b mut dyn FrameSink, first_frame: usize) -> PartsSink<'b> {
        self.frames_done(first_frame);
        PartsSink { run: self, sink, next: first_frame }
    }

    /// Ends a video that is complete.
    pub(crate) fn end(&self) -> PartCounts {
        for index in 0..self.parts.len() {
            self.finish(index);
        }
        while self.state.borrow().next < self.parts.len() {
            self.report_next();
        }
        self.state.borrow().counts
    }

    fn store(&self) -> Option<&PartStore> {
        self.job.store.as_deref()
    }

    fn key(&self, index: usize) -> Option<PartKey> {
        self.keys.get(index).copied().flatten()
    }

    /// Opens a part in the store, or begins it.
    fn open(&self, index: usize) -> Progress {
        let Some((store, key)) = self.store().zip(self.key(index)) else { return Progress::Made(None) };
        if let Some((entry, job)) = store.load(key) {
            // A run that was interrupted may have made it for this job.
            let reused = job != self.job.job || self.state.borrow().added.contains(&key);
            return Progress::Kept { entry, reused };
        }
        Progress::Made(self.begin(store, key))
    }

    fn begin(&self, store: &PartStore, key: PartKey) -> Option<Recording> {
        if self.stepped_down.get() || !store.keeps() {
            return None;
        }
        store.begin(key).map_err(|error| skipped(&error)).ok()
    }

    /// The part that a model run belongs to, opened if this is its first run.
    fn part_of(&self, run: Run) -> Option<usize> {
        let index = match run {
            Run::Image { .. } => return None,
            Run::Scene { scene } | Run::Motion { scene, .. } => scene.checked_mul(2)?,
            Run::Between { scene, .. } => scene.checked_mul(2)?.checked_sub(1)?,
        };
        if !matches!(self.state.borrow().progress.get(index)?, Progress::Unseen) {
            return Some(index);
        }
        if let Run::Scene { .. } = run {
            // No further image belongs to an earlier part.
            (0..index).for_each(|earlier| self.finish(earlier));
        }
        let opened = self.open(index);
        *self.state.borrow_mut().progress.get_mut(index)? = opened;
        Some(index)
    }

    /// A kept image of a run.
    fn image(&self, run: Run, frame: usize, journal: &mut dyn Journal) -> Option<RgbImage> {
        let Some((index, label)) = self.part_of(run).zip(Label::of(run, frame)) else { return journal.image(run, frame) };
        let mut state = self.state.borrow_mut();
        let progress = state.progress.get_mut(index)?;
        if let Progress::Kept { entry, .. } = progress {
            match entry.image(label) {
                Ok(Some(image)) => return Some(image),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a kept part of a video cannot be read and is made again"),
            }
            self.give_up(index, progress);
        }
        let image = journal.image(run, frame)?;
        // An earlier attempt made it, perhaps with less memory.
        *progress = Progress::Made(None);
        Some(image)
    }

    /// Gives up a kept part that is not what it should be.
    fn give_up(&self, index: usize, progress: &mut Progress) {
        if let Some((store, key)) = self.store().zip(self.key(index)) {
            store.remove(&key);
        }
        *progress = Progress::Made(None);
    }

    /// Adds an image of a run to its part.
    fn add_image(&self, run: Run, frame: usize, image: &RgbImage) {
        let Some((index, label)) = self.part_of(run).zip(Label::of(run, frame)) else { return };
        let mut state = self.state.borrow_mut();
        let Some(progress) = state.progress.get_mut(index) else { return };
        match progress {
            Progress::Unseen => {}
            // It is no image of the model's size.
            Progress::Kept { .. } => self.give_up(index, progress),
            Progress::Made(recording) => {
                if let Some(Err(error)) = recording.as_mut().map(|recording| recording.add(label, image)) {
                    skipped(&error);
                    *recording = None;
                }
            }
        }
        let is_whole = matches!(progress, Progress::Made(Some(recording)) if self.images_of(index) == Some(recording.images));
        drop(state);
        if is_whole {
            self.finish(index);
        }
    }

    /// The number of a part's images; `None` for a moving scene, which is whole when the next part begins.
    fn images_of(&self, index: usize) -> Option<usize> {
        let part = self.parts.get(index)?;
        match (part.kind, part.join) {
            (PartKind::Scene, _) => (!part.moves).then_some(1),
            (PartKind::Join, Some(Join::Slerp { frames })) => Some(frames),
            (PartKind::Join, Some(Join::Cut | Join::Crossfade { .. }) | None) => Some(0),
        }
    }

    /// Adds a part that is recorded, and of which no more images follow, to the store.
    fn finish(&self, index: usize) {
        let mut state = self.state.borrow_mut();
        let Some(Progress::Made(recording)) = state.progress.get_mut(index) else { return };
        let Some((recording, store)) = recording.take().zip(self.store()) else { return };
        if recording.images == 0 || self.images_of(index).is_some_and(|images| images != recording.images) {
            return;
        }
        let key = recording.key;
        match store.keep(recording, &self.job.job) {
            Ok(()) => drop(state.added.insert(key)),
            Err(error) => skipped(&error),
        }
    }

    /// Reports the parts whose frames are all before this one.
    fn frames_done(&self, next_frame: usize) {
        loop {
            let state = self.state.borrow();
            let Some(part) = self.parts.get(state.next) else { return };
            let is_unseen = matches!(state.progress.get(state.next), Some(Progress::Unseen));
            // A scene without frames ends when its image is made.
            if part.span.end() > next_frame || (part.kind == PartKind::Scene && part.span.frames == 0 && is_unseen) {
                return;
            }
            drop(state);
            self.report_next();
        }
    }

    fn report_next(&self) {
        let index = self.state.borrow().next;
        let Some(part) = self.parts.get(index) else { return };
        let reused = self.is_reused(index, part);
        let mut state = self.state.borrow_mut();
        state.next += 1;
        if part.is_cut() {
            return;
        }
        let count = if reused { &mut state.counts.reused } else { &mut state.counts.made };
        *count = count.saturating_add(1);
        let still = if part.kind == PartKind::Scene { state.still.take() } else { None };
        let (kind, scene) = (part.kind, part.scene);
        self.job.reports.add(PartReport { part: index, parts: self.parts.len(), kind, scene, reused, still });
    }

    /// Whether an earlier video has this part. A crossfade is mixed from both scenes' images for every video; a file without images says
    /// that it was there before.
    fn is_reused(&self, index: usize, part: &ScenePart) -> bool {
        let taken = |index: usize| matches!(self.state.borrow().progress.get(index), Some(Progress::Kept { reused: true, .. }));
        let Some(Join::Crossfade { .. }) = part.join else { return taken(index) };
        let Some((store, key)) = self.store().zip(self.key(index)) else { return false };
        if let Some((_, job)) = store.load(key) {
            let neighbours = index.checked_sub(1).is_some_and(taken) && taken(index + 1);
            return neighbours && (job != self.job.job || self.state.borrow().added.contains(&key));
        }
        if let Some(recording) = self.begin(store, key) {
            match store.keep(recording, &self.job.job) {
                Ok(()) => drop(self.state.borrow_mut().added.insert(key)),
                Err(error) => skipped(&error),
            }
        }
        false
    }

    /// Keeps a small picture of a scene's first frame.
    fn look(&self, frame: &RgbImage, index: usize) {
        let is_first = |part: &&ScenePart| part.kind == PartKind::Scene && part.span.frames > 0 && part.span.start == index;
        if self.parts.iter().any(|part| is_first(&part)) {
            let (image, mut still) = (preview::within(frame.clone(), STILL_SIDE), Vec::new());
            // A picture that cannot be encoded is missing in the report.
            let encoded = JpegEncoder::new_with_quality(&mut still, STILL_QUALITY).encode_image(&image);
            self.state.borrow_mut().still = encoded.ok().map(|()| still);
        }
    }
}

fn skipped(error: &io::Error) {
    tracing::warn!(%error, "a part of a video is not kept; another video would make it again");
}

/// A job's journal, and the store of parts beside it.
pub(crate) struct PartsJournal<'a> {
    run: &'a PartsRun<'a>,
    journal: &'a mut dyn Journal,
}

impl Journal for PartsJournal<'_> {
    fn latents(&mut self, run: Run) -> Option<KeptLatents> {
        self.journal.latents(run)
    }

    fn keep_latents(&mut self, run: Run, latents: &KeptLatents) {
        self.journal.keep_latents(run, latents);
    }

    fn image(&mut self, run: Run, frame: usize) -> Option<RgbImage> {
        self.run.image(run, frame, self.journal)
    }

    fn keep_image(&mut self, run: Run, frame: usize, image: &RgbImage) {
        self.journal.keep_image(run, frame, image);
        self.run.add_image(run, frame, image);
    }
}

/// A video's sink, which tells when a part has all its frames.
pub(crate) struct PartsSink<'a> {
    run: &'a PartsRun<'a>,
    sink: &'a mut dyn FrameSink,
    /// The index of the next frame.
    next: usize,
}

impl FrameSink for PartsSink<'_> {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        self.run.look(&frame, self.next);
        self.sink.push(frame)?;
        self.next += 1;
        self.run.frames_done(self.next);
        Ok(())
    }
}
