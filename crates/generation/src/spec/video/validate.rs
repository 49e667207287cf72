//! From requests for videos to specs, or to all errors at once.
//!
//! Invariants: a validated spec cannot make a later stage overflow, allocate without bound or divide by zero; its video has exactly the
//! frames that the spec states.

use diffusion_core::{
    adapters::AdapterChoice,
    pipelines::scenes::{Join, Timeline, scene_frames},
    prompt::PromptSyntax,
};
use video_encode::FrameRate;

use super::{AnimationRequest, AnimationSpec, FpsRequest, MotionRequest, MotionSpec, SceneRequest, SceneSpec, ScenesRequest, ScenesSpec};
use crate::{
    model_info::ModelInfo,
    spec::{
        check::{Check, model_name},
        choices::Choices,
        field_error::{Bound, FieldError, FieldErrorKind},
        image::validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
        limits::Limits,
    },
};

/// The default duration of a scene, in seconds.
pub const DEFAULT_SCENE_SECONDS: f64 = 3.0;
/// The default frame rate of a video of scenes.
pub const DEFAULT_FPS: u32 = 24;
/// The default side of a video of scenes in pixels, whatever the model's own size.
pub const DEFAULT_SIDE: u32 = 512;
/// The default number of frames between two scenes.
pub const DEFAULT_TRANSITION_FRAMES: u32 = 12;
/// The default frame rate that conditions a motion model: diffusers' default.
pub const DEFAULT_CONDITIONING_FPS: u32 = 7;
/// The default motion bucket: diffusers' default, the middle of the range that the model was trained on.
pub const DEFAULT_MOTION_BUCKET_ID: u32 = 127;
/// The default noise added to the picture: diffusers' default.
pub const DEFAULT_NOISE_AUG_STRENGTH: f64 = 0.02;
/// The default guidance of the first and of the last frame: diffusers' defaults.
pub const DEFAULT_MOTION_GUIDANCE: (f64, f64) = (1.0, 3.0);

/// The motion bucket of a motion strength of 1: the highest that Stable Video Diffusion was trained on.
pub(super) const MAX_BUCKET_OF_STRENGTH: u32 = 255;

/// The largest number of frames that a Stable Video Diffusion model was made for.
const USUAL_FRAMES: u32 = 25;

/// The names of the joins.
pub const JOINS: [&str; 3] = ["cut", "crossfade", "slerp"];
/// The names of a scene's sources.
pub const SOURCES: [&str; 2] = ["still", "moving"];

/// A join by name; its number of frames is the argument.
type MakeJoin = fn(usize) -> Join;

impl ScenesRequest {
    /// Fills in the model's defaults, and what it lets requests choose.
    pub fn fill_in(&mut self, model: &ModelInfo) {
        let defaults = &model.defaults;
        self.choices = Choices::of(model);
        self.num_inference_steps = self.num_inference_steps.or(defaults.num_inference_steps.map(Into::into));
        self.guidance_scale = self.guidance_scale.or(defaults.guidance_scale);
        if self.scheduler.is_none() {
            self.scheduler = defaults.scheduler.map(|scheduler| scheduler.to_string());
        }
        if self.prompt_syntax.is_none() {
            self.prompt_syntax = defaults.prompt_syntax.map(|syntax| syntax.to_string());
        }
    }

    /// Checks everything, and fills in the defaults.
    ///
    /// # Errors
    /// All invalid fields: the request's own first, then each scene's.
    pub fn validate(self, limits: &Limits) -> Result<ScenesSpec, Vec<FieldError>> {
        let mut check = Check::default();
        let video = &limits.video;
        let scenes = check.scenes(self.scenes, video.max_scenes);
        let hero = self.hero_description.unwrap_or_default().trim().to_owned();
        let hero_fits = check.not_too_long("hero_description", &hero, limits);
        let (hero, hero_tags) = if hero_fits { check.hero(hero, &self.choices) } else { (hero, Vec::new()) };
        let negative_prompt = self.negative_prompt.unwrap_or_default();
        check.not_too_long("negative_prompt", &negative_prompt, limits);
        let prompt_syntax = check.prompt_syntax(self.prompt_syntax, None);
        let vae = check.vae(self.vae, &self.choices);
        let num_inference_steps = check.integer("num_inference_steps", self.num_inference_steps, DEFAULT_STEPS, limits.steps);
        let guidance_scale = check.float("guidance_scale", self.guidance_scale, DEFAULT_GUIDANCE_SCALE, limits.guidance_scale);
        let scheduler = check.scheduler(self.scheduler);
        let seconds = check.seconds("duration_per_scene", self.duration_per_scene, DEFAULT_SCENE_SECONDS, limits);
        let fps = check.fps(self.fps, FrameRate::whole(DEFAULT_FPS), video.fps);
        let width = check.integer("width", self.width, DEFAULT_SIDE, video.side);
        let height = check.integer("height", self.height, DEFAULT_SIDE, video.side);
        check.pixels(width, height, limits);
        let transition_frames =
            check.integer("transition_frames", self.transition_frames, DEFAULT_TRANSITION_FRAMES, video.transition_frames);
        let join = check.join(self.join, Some(|frames| Join::Crossfade { frames }));
        let seed = check.seed(self.seed, limits);
        check.group = Some("motion");
        let motion = check.motion(self.motion, DEFAULT_CONDITIONING_FPS, limits);
        check.group = None;

        // An invalid value that scenes inherit is replaced by its default, so that the scenes' own errors are found too.
        let base = SceneDefaults {
            limits,
            choices: &self.choices,
            syntax: prompt_syntax,
            hero: &hero,
            negative_prompt: &negative_prompt,
            seed: seed.unwrap_or_default(),
            seconds: seconds.unwrap_or(DEFAULT_SCENE_SECONDS),
            fps: fps.unwrap_or(FrameRate::whole(DEFAULT_FPS)),
            transition_frames: transition_frames.unwrap_or_default(),
            join: join.unwrap_or(|_| Join::Cut),
            motion: motion.as_ref(),
        };
        let base_join = base.join;
        let mut joins = Vec::new();
        let mut scene_specs = Vec::new();
        let mut tags: Option<Vec<AdapterChoice>> = None;
        for (index, scene) in scenes.into_iter().flatten().enumerate() {
            check.scene = Some(index);
            let (scene, own_tags) = check.scene_tags(scene, &base);
            match &tags {
                None => tags = Some(own_tags),
                Some(tags) if *tags == own_tags => {}
                Some(tags) => check.other_tags(tags, &own_tags),
            }
            if let Some((scene, join)) = check.scene(scene, index, &base) {
                scene_specs.push(scene);
                joins.push(join);
            }
        }
        check.scene = None;
        joins.pop();
        check.video(&scene_specs, &joins, limits);
        let tags = [hero_tags, tags.unwrap_or_default()].concat();
        let is_usual = self.loras.is_none() && tags.is_empty();
        let loras = check.loras(self.loras, ("scenes", tags), limits, &self.choices);

        let spec = || {
            let (fps, transition_frames) = (fps?, transition_frames?);
            Some(ScenesSpec {
                model: model_name(self.model),
                scenes: scene_specs,
                joins,
                has_hero: !hero.is_empty(),
                prompt_syntax: prompt_syntax?,
                vae: vae?,
                loras: Some(loras?).filter(|_| !is_usual),
                num_inference_steps: num_inference_steps?,
                guidance_scale: guidance_scale?,
                scheduler,
                fps,
                width: width?,
                height: height?,
                proportional: self.proportional,
                frames_per_scene: scene_frames(seconds?, fps.as_f64()),
                transition_frames: if base_join(1).frames() == 0 { 0 } else { transition_frames },
                seed: seed?,
            })
        };
        check.finish(spec())
    }
}

impl AnimationRequest {
    /// Checks everything, and fills in the defaults.
    ///
    /// # Errors
    /// All invalid fields, in the order of the struct's fields.
    pub fn validate(self, limits: &Limits) -> Result<AnimationSpec, Vec<FieldError>> {
        let mut check = Check::default();
        let image = match self.image {
            None => check.fail("image", "", FieldErrorKind::Missing),
            Some(image) => check.not_empty("image", image.dimensions()).then_some(image),
        };
        let fps = check.fps(self.fps, FrameRate::whole(DEFAULT_CONDITIONING_FPS), limits.video.fps);
        // The motion is conditioned on the video's own rate, within the range that the model knows.
        let default_rate = fps.map_or(DEFAULT_CONDITIONING_FPS, |fps| {
            (fps.as_f64().round() as u32).clamp(limits.video.conditioning_fps.0, limits.video.conditioning_fps.1)
        });
        let motion = check.motion(self.motion, default_rate, limits);
        let size = match (self.width, self.height) {
            (None, None) => Some(None),
            (Some(width), Some(height)) => {
                let width = check.side("width", Some(width), DEFAULT_SIDE, limits);
                let height = check.side("height", Some(height), DEFAULT_SIDE, limits);
                check.pixels(width, height, limits);
                width.zip(height).map(Some)
            }
            (None, Some(_)) => check.fail("width", "", FieldErrorKind::Value { error: "height is given, so width must be".into() }),
            (Some(_), None) => check.fail("height", "", FieldErrorKind::Value { error: "width is given, so height must be".into() }),
        };
        check.motion_pixels(motion.as_ref(), size.flatten(), limits);
        let seed = check.seed(self.seed, limits);
        let spec =
            || Some(AnimationSpec { model: model_name(self.model), image: image?, motion: motion?, fps: fps?, size: size?, seed: seed? });
        check.finish(spec())
    }
}

/// The values that a scene inherits from the request.
struct SceneDefaults<'a> {
    limits: &'a Limits,
    choices: &'a Choices,
    syntax: Option<PromptSyntax>,
    hero: &'a str,
    negative_prompt: &'a str,
    seed: u64,
    seconds: f64,
    fps: FrameRate,
    transition_frames: u32,
    join: MakeJoin,
    motion: Option<&'a MotionSpec>,
}

impl Check {
    fn scenes(&mut self, scenes: Option<Vec<SceneRequest>>, max: usize) -> Option<Vec<SceneRequest>> {
        let Some(scenes) = scenes else { return self.fail("scenes", "", FieldErrorKind::Missing) };
        let count = scenes.len();
        if count == 0 {
            self.fail("scenes", "[]", FieldErrorKind::TooShort { min_length: 1 })
        } else if count > max {
            self.fail("scenes", format!("{count} scenes"), FieldErrorKind::TooLong { max_length: max })
        } else {
            Some(scenes)
        }
    }

    /// The hero's description without its adapters' tags, and those adapters.
    fn hero(&mut self, hero: String, choices: &Choices) -> (String, Vec<AdapterChoice>) {
        match choices.tags(&hero) {
            Ok((text, tags)) => (text.trim().to_owned(), tags),
            Err(kind) => {
                self.fail::<()>("hero_description", &hero, kind);
                (hero, Vec::new())
            }
        }
    }

    /// A scene whose prompt is without its adapters' tags, and those adapters.
    fn scene_tags(&mut self, scene: SceneRequest, base: &SceneDefaults<'_>) -> (SceneRequest, Vec<AdapterChoice>) {
        let Some(prompt) = scene.prompt.as_deref().filter(|prompt| prompt.chars().nth(base.limits.max_prompt_chars).is_none()) else {
            return (scene, Vec::new());
        };
        match base.choices.tags(prompt) {
            Ok((text, tags)) if text.trim().is_empty() && !tags.is_empty() => {
                let error = "has adapters' tags only, which are taken out of it; say what the picture shows, too".to_owned();
                self.fail::<()>("prompt", prompt, FieldErrorKind::Value { error });
                (scene, tags)
            }
            Ok((text, tags)) => (SceneRequest { prompt: Some(text), ..scene }, tags),
            Err(kind) => {
                self.fail::<()>("prompt", prompt, kind);
                (scene, Vec::new())
            }
        }
    }

    /// Refuses a scene whose tags differ from those of the scenes before it.
    fn other_tags(&mut self, first: &[AdapterChoice], own: &[AdapterChoice]) {
        let text = |tags: &[AdapterChoice]| match tags {
            [] => "no tag".to_owned(),
            tags => tags.iter().map(AdapterChoice::tag).collect::<Vec<_>>().join(" "),
        };
        let error = format!(
            "it has {}, and the first scene has {}: all scenes of a video are made with the same adapters, so give each the same tags, or choose the \
             adapters in loras",
            text(own),
            text(first)
        );
        self.fail::<()>("prompt", text(own), FieldErrorKind::Value { error });
    }

    /// A scene, and the join after it.
    fn scene(&mut self, scene: SceneRequest, index: usize, base: &SceneDefaults<'_>) -> Option<(SceneSpec, Join)> {
        let limits = base.limits;
        let prompt = self.prompt(scene.prompt, limits);
        let negative_prompt = scene.negative_prompt.unwrap_or_else(|| base.negative_prompt.to_owned());
        let negative_fits = self.not_too_long("negative_prompt", &negative_prompt, limits);
        // The request's seed plus the index; the limit prevents an overflow.
        let default_seed = i128::from(base.seed.saturating_add(index as u64).min(limits.max_seed));
        let seed = self.seed(Some(scene.seed.unwrap_or(default_seed)), limits);
        let seconds = self.seconds("duration", scene.duration, base.seconds, limits);
        let transition_frames =
            self.integer("transition_frames", scene.transition_frames, base.transition_frames, limits.video.transition_frames);
        let join = self.join(scene.join, Some(base.join));
        let moves = match scene.source.as_deref() {
            None => Some(scene.motion.is_some()),
            Some("still") if scene.motion.is_some() => {
                self.fail("motion", "", FieldErrorKind::Value { error: "a still scene has no motion".into() })
            }
            Some("still") => Some(false),
            Some("moving") => Some(true),
            Some(other) => self.fail("source", other, FieldErrorKind::not_one_of(other, &SOURCES)),
        };
        let motion = match scene.motion {
            None => base.motion.cloned(),
            Some(motion) => {
                self.group = Some("motion");
                let motion = self.motion(motion, DEFAULT_CONDITIONING_FPS, limits);
                self.group = None;
                motion
            }
        };
        let frames = scene_frames(seconds?, base.fps.as_f64());
        let motion = if moves? { Some(motion?) } else { None };
        if let Some(motion) = &motion {
            self.native_frames("scene", motion, frames, base.fps.as_f64(), limits)?;
        }
        let prompt = prompt.filter(|_| negative_fits)?;
        let prompt = if base.hero.is_empty() { prompt } else { format!("{}, {prompt}", base.hero) };
        let is_in_syntax =
            self.in_syntax("prompt", &prompt, base.syntax) && self.in_syntax("negative_prompt", &negative_prompt, base.syntax);
        let prompt = is_in_syntax.then_some(prompt)?;
        let join = join?(usize::try_from(transition_frames?).unwrap_or_default());
        Some((SceneSpec { prompt, negative_prompt, seed: seed?, frames, motion }, join))
    }

    /// Bounds the memory of a motion model's run; defaults of the model itself are bounded by its makers.
    fn motion_pixels(&mut self, motion: Option<&MotionSpec>, size: Option<(u32, u32)>, limits: &Limits) {
        let (Some(motion), Some((width, height))) = (motion, size) else { return };
        let frames = motion.num_frames.unwrap_or(USUAL_FRAMES);
        let pixels = u64::from(width) * u64::from(height) * u64::from(frames);
        let max = limits.video.max_motion_pixels;
        if pixels > max {
            let error =
                format!("{frames} frames of {width} x {height} are {pixels} pixels, and a motion model makes at most {max} at once");
            self.fail::<()>("num_frames", frames, FieldErrorKind::Value { error });
        }
    }

    /// Bounds the frames that a motion model makes for a scene or a clip.
    pub(super) fn native_frames(&mut self, part: &str, motion: &MotionSpec, frames: usize, fps: f64, limits: &Limits) -> Option<()> {
        let native = (frames as f64 * f64::from(motion.conditioning_fps) / fps).ceil();
        let max = limits.video.max_motion_frames;
        if native <= max as f64 {
            return Some(());
        }
        let error = format!("{frames} frames of the video are {native} of the motion model, which makes at most {max} for a {part}");
        self.fail("duration", frames, FieldErrorKind::Value { error })
    }

    /// Checks the limits of all scenes together.
    fn video(&mut self, scenes: &[SceneSpec], joins: &[Join], limits: &Limits) {
        let video = &limits.video;
        let frames = Timeline::new(scenes.iter().map(|scene| scene.frames), joins).frames();
        if frames > video.max_frames {
            let error = format!("the video would have {frames} frames, and has at most {}", video.max_frames);
            self.fail::<()>("duration_per_scene", frames, FieldErrorKind::Value { error });
        }
        if frames == 0 && !scenes.is_empty() && self.errors.is_empty() {
            let error = "the video would have no frame: a scene has as many as fit into its duration".to_owned();
            self.fail::<()>("duration_per_scene", 0, FieldErrorKind::Value { error });
        }
        let between: usize = joins.iter().filter(|join| matches!(join, Join::Slerp { .. })).map(Join::frames).sum();
        let images = scenes.len() + between;
        if images > video.max_images {
            let error = format!("the model would have to make {images} pictures, and makes at most {}", video.max_images);
            self.fail::<()>("transition_frames", between, FieldErrorKind::Value { error });
        }
        for (index, (join, pair)) in joins.iter().zip(scenes.windows(2)).enumerate() {
            if matches!(join, Join::Slerp { .. }) && pair.iter().any(|scene| scene.motion.is_some()) {
                self.scene = Some(index);
                let error = "a moving scene can only be cut or crossfaded: slerp makes pictures between still scenes".to_owned();
                self.fail::<()>("join", "slerp", FieldErrorKind::Value { error });
            }
        }
        self.scene = None;
    }

    fn seconds(&mut self, field: &'static str, value: Option<f64>, default: f64, limits: &Limits) -> Option<f64> {
        self.float(field, value, default, limits.video.scene_seconds)
    }

    pub(super) fn fps(&mut self, value: Option<FpsRequest>, default: FrameRate, (min, max): (f64, f64)) -> Option<FrameRate> {
        let (text, rate) = match value {
            None => return Some(default),
            Some(FpsRequest::Number(number)) if !number.is_finite() => return self.fail("fps", number, FieldErrorKind::FiniteNumber),
            Some(FpsRequest::Number(number)) if number < min => {
                let ge = if min.fract() == 0.0 { Bound::Integer(min as i128) } else { Bound::Float(min) };
                return self.fail("fps", number, FieldErrorKind::GreaterThanEqual { ge });
            }
            Some(FpsRequest::Number(number)) if number > max => {
                return self.fail("fps", number, FieldErrorKind::LessThanEqual { le: Bound::Float(max) });
            }
            Some(FpsRequest::Number(number)) => (number.to_string(), FrameRate::from_f64(number)),
            Some(FpsRequest::Text(text)) => {
                let rate = text.parse();
                (text, rate)
            }
        };
        match rate {
            Ok(rate) if (min..=max).contains(&rate.as_f64()) => Some(rate),
            Ok(_) => {
                let error = format!("{text} is outside {min} to {max} frames a second");
                self.fail("fps", text, FieldErrorKind::Value { error })
            }
            Err(error) => self.fail("fps", text, FieldErrorKind::Value { error: error.to_string() }),
        }
    }

    fn join(&mut self, name: Option<String>, default: Option<MakeJoin>) -> Option<MakeJoin> {
        match name.as_deref() {
            None => default,
            Some("cut") => Some(|_| Join::Cut),
            Some("crossfade") => Some(|frames| Join::Crossfade { frames }),
            Some("slerp") => Some(|frames| Join::Slerp { frames }),
            Some(other) => self.fail("join", other, FieldErrorKind::not_one_of(other, &JOINS)),
        }
    }

    pub(super) fn motion(&mut self, motion: MotionRequest, default_fps: u32, limits: &Limits) -> Option<MotionSpec> {
        let video = &limits.video;
        let num_frames = match motion.num_frames {
            None => Some(None),
            some => self.integer("num_frames", some, 0, video.num_frames).map(Some),
        };
        let steps = self.integer("num_inference_steps", motion.num_inference_steps, DEFAULT_STEPS, limits.steps);
        let conditioning_fps = self.integer("conditioning_fps", motion.conditioning_fps, default_fps, video.conditioning_fps);
        let bucket = self.integer("motion_bucket_id", motion.motion_bucket_id, DEFAULT_MOTION_BUCKET_ID, video.motion_bucket_id);
        let noise_aug_strength =
            self.float("noise_aug_strength", motion.noise_aug_strength, DEFAULT_NOISE_AUG_STRENGTH, video.noise_aug_strength);
        let (min, max) = DEFAULT_MOTION_GUIDANCE;
        let min_guidance_scale = self.float("min_guidance_scale", motion.min_guidance_scale, min, limits.guidance_scale);
        let max_guidance_scale = self.float("max_guidance_scale", motion.max_guidance_scale, max, limits.guidance_scale);
        if let (Some(min), Some(max)) = (min_guidance_scale, max_guidance_scale)
            && min > 1.0
            && max <= 1.0
        {
            let error = format!("it has no effect: a max_guidance_scale of {max} turns guidance off");
            return self.fail("min_guidance_scale", min, FieldErrorKind::Value { error });
        }
        let decode_chunk_size = match motion.decode_chunk_size {
            None => Some(None),
            some => self.integer("decode_chunk_size", some, 0, video.decode_chunk_size).map(Some),
        };
        Some(MotionSpec {
            num_frames: num_frames?,
            num_inference_steps: steps?,
            conditioning_fps: conditioning_fps?,
            motion_bucket_id: bucket?,
            noise_aug_strength: noise_aug_strength?,
            min_guidance_scale: min_guidance_scale?,
            max_guidance_scale: max_guidance_scale?,
            decode_chunk_size: decode_chunk_size?,
        })
    }
}
