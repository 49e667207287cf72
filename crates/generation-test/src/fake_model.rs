//! A model without weights, so that jobs can be tested in milliseconds and stopped at any step.
//!
//! The prompt selects the behaviour: "slow" runs steps until it is cancelled, "panic" panics, "refuse", "no scheduler", "broken" and
//! "memory" fail with errors of a pipeline, "device" loses its device, "stuck" spends a second in its first step, and "unhurried" takes two
//! milliseconds per step. The last frame of a video "full once" finds the disk full the first time. Every other prompt gives an image in
//! the colour of its seed, and "remark" a remark besides. A word is a token, and the model reads [`READ_TOKENS`] of them. In a video, the
//! first scene's prompt selects; frames have the colour of their number, previews that of the step or the frame.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    noise::SeededNoise,
    pipelines::{self, Activity, RunContext, VideoContext, VideoProgress, clip::NativeFrames},
    schedulers::SchedulerKind,
    tokenizer::{ClipTokenizer, Scripts},
    weights::{StopCheck, VaeChoice},
};
use generation::{
    DeviceModel, ImageOutput, ImageSpec, LoadedModel, LocalBackend, LocalSettings, MemoryPlan, ModelDefaults, ModelInfo, TruncatedText,
    video::{VideoShape, VideoSpec},
};
use image::{Rgb, RgbImage};

/// The number of tokens of a text that the model reads.
const READ_TOKENS: usize = 75;

/// The scripts that nano-sd reads.
static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| ClipTokenizer::load(&pipelines::nano_sd()).unwrap().scripts());

/// The model's facts.
pub fn info() -> ModelInfo {
    ModelInfo {
        name: "fake".into(),
        family: None,
        family_name: None,
        motion: "fake motion".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        device_reason: "there is no other".into(),
        default_width: 64,
        default_height: 72,
        scheduler: Some(SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: SCRIPTS.clone(),
        vaes: vec![VaeChoice::Full],
        other_vae: None,
        other_text_encoders: Vec::new(),
        defaults: ModelDefaults::default(),
        adapters: None,
        controlnets: None,
        upscalers: None,
        remarks: Vec::new(),
        identity: None,
    }
}

/// The model, as a backend loads it.
pub fn model() -> LoadedModel {
    LoadedModel { info: info(), memory: MemoryPlan::default(), model: Box::new(FakeModel) }
}

fn no_scheduler() -> Error {
    Error::config("scheduler/scheduler_config.json", "_class_name", "unsupported value \"Odd\"")
}

fn generate(spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor) -> diffusion_core::Result<ImageOutput> {
    let latents = SeededNoise::new(seed).randn(&[1, 4, 1, 1])?;
    let slow = spec.prompt() == "slow";
    match spec.prompt() {
        "panic" => panic!("the fake model panics\nas it was told"),
        "refuse" => return Err(Error::Params { field: "num_inference_steps", reason: "not with this scheduler".into() }),
        "no scheduler" => return Err(no_scheduler()),
        "stuck" => std::thread::sleep(Duration::from_secs(1)),
        "broken" => return Err(Error::Tokenizer("broken as told\nbacktrace".into())),
        "memory" => return Err(Error::OutOfMemory { what: "as told".into() }),
        "device" => return Err(Error::Device { wanted: "cuda", reason: "fell off the bus".into() }),
        _ => {}
    }
    let steps = if slow { usize::MAX } else { spec.num_inference_steps() as usize };
    for step in 1..=steps {
        if slow || spec.prompt() == "unhurried" {
            std::thread::sleep(Duration::from_millis(2));
        }
        let preview = || Ok(RgbImage::from_pixel(8, 8, Rgb([(seed % 256) as u8, step as u8, 2])));
        if monitor.on_step(&StepReport { step, steps, timestep: 0.0, latents: &latents, preview: &preview }) == ControlFlow::Break(()) {
            return Err(Error::Cancelled);
        }
    }
    let image = RgbImage::from_pixel(spec.made_size().0, spec.made_size().1, Rgb([(seed % 256) as u8, 1, 2]));
    let texts = [("prompt", spec.prompt()), ("negative_prompt", spec.negative_prompt())];
    let remarks = if spec.prompt() == "remark" { vec!["adapter ink: 2 keys fit no layer".to_owned()] } else { Vec::new() };
    let lengths = texts.map(|(field, text)| TruncatedText { field, tokens: text.split(' ').count(), limit: READ_TOKENS });
    Ok(ImageOutput {
        image,
        truncated: lengths.into_iter().filter(|text| text.tokens > text.limit).collect(),
        remarks,
        loras: Vec::new(),
        embeddings: Vec::new(),
    })
}

/// Whether the disk was full before, for videos "full once".
static WAS_FULL: AtomicBool = AtomicBool::new(false);

struct FakeModel;

impl DeviceModel for FakeModel {
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> diffusion_core::Result<ImageOutput> {
        generate(spec, seed, context.monitor)
    }

    fn video_shape(&mut self, spec: &VideoSpec, _stop: &StopCheck) -> diffusion_core::Result<VideoShape> {
        Ok(match spec {
            VideoSpec::Scenes(spec) => {
                VideoShape { width: spec.width(), height: spec.height(), fps: spec.fps(), frames: spec.timeline().frames(), native: None }
            }
            VideoSpec::Animation(spec) => VideoShape { width: 64, height: 64, fps: spec.fps(), frames: 8, native: None },
            VideoSpec::Clip(spec) => {
                let (width, height) = spec.size().unwrap_or((64, 64));
                let native = NativeFrames { width: 64, height: 64, frames: 15, windows: 2, window_frames: 8 };
                VideoShape { width, height, fps: spec.fps(), frames: spec.frames().unwrap_or(31), native: Some(native) }
            }
            VideoSpec::Remote(_) => panic!("a provider makes it"),
        })
    }

    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> diffusion_core::Result<Vec<TruncatedText>> {
        let VideoContext { monitor, sink, .. } = context;
        let never: StopCheck = Arc::new(|| false);
        let shape = self.video_shape(spec, &never)?;
        let latents = SeededNoise::new(0).randn(&[1, 4, 1, 1])?;
        let (prompt, scenes) = match spec {
            VideoSpec::Scenes(spec) => (spec.scenes()[0].prompt(), spec.scenes().len()),
            VideoSpec::Animation(_) => ("", 1),
            VideoSpec::Clip(spec) => (spec.repaint().map_or("", |repaint| repaint.prompt()), 1),
            VideoSpec::Remote(_) => panic!("a provider makes it"),
        };
        let slow = prompt == "slow";
        let frames = if slow { usize::MAX } else { shape.frames };
        for frame in first_frame..frames {
            match prompt {
                "panic" => panic!("the fake model panics\nas it was told"),
                "no scheduler" => return Err(no_scheduler()),
                "broken" => return Err(Error::Tokenizer("broken as told\nbacktrace".into())),
                "slow" => std::thread::sleep(Duration::from_millis(2)),
                "full once" if frame + 1 == frames && !WAS_FULL.swap(true, Ordering::Relaxed) => {
                    return Err(Error::Sink(std::io::Error::from(std::io::ErrorKind::StorageFull).into()));
                }
                _ => {}
            }
            let colour = Rgb([(frame % 256) as u8, 1, 2]);
            sink.push(RgbImage::from_pixel(shape.width, shape.height, colour)).map_err(Error::Sink)?;
            let (scene, frame) = ((frame * scenes / shape.frames.max(1)).min(scenes - 1), frame + 1);
            let progress = VideoProgress {
                scene,
                scenes,
                activity: Activity::Image,
                step: 3,
                steps: 3,
                frame,
                frames: shape.frames,
                work_done: frame as f64,
                work_total: shape.frames as f64,
            };
            let preview = || Ok(RgbImage::from_pixel(8, 8, colour));
            monitor.on_model_step(&StepReport { step: 3, steps: 3, timestep: 0.0, latents: &latents, preview: &preview });
            if monitor.on_progress(&progress) == ControlFlow::Break(()) {
                return Err(Error::Cancelled);
            }
        }
        let tokens = prompt.split(' ').count();
        Ok(if tokens > READ_TOKENS { vec![TruncatedText { field: "prompt", tokens, limit: READ_TOKENS }] } else { Vec::new() })
    }
}

/// A local backend that has loaded the model.
pub async fn local() -> LocalBackend {
    let local = LocalBackend::start(LocalSettings::new(Instant::now), || Ok(model())).unwrap();
    local.loaded().await.unwrap();
    local
}
