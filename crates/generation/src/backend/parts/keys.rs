//! The keys of a video's parts: digests of everything that decides what a model makes of each.
//!
//! It must not know where parts are kept. The invariants: a change of anything that a part depends on changes its key; a part's key does not
//! depend on its place in the video; parts that are not known to depend on the same things have no key. Specs are taken apart without `..`,
//! so that a new field does not compile until it is in the key, or is listed as one that decides nothing here.

use std::fmt;

use diffusion_core::{adapters::AdapterChoice, pipelines::scenes::Join};
use sha2::{Digest as _, Sha256};

use super::part::{PartKind, ScenePart};
use crate::{
    artifact::hexadecimal,
    backend::local::memory::MemoryPlan,
    model_identity::{ModelIdentity, stamp_of},
    model_info::ModelInfo,
    spec::video::{MotionSpec, SceneSpec, ScenesSpec},
};

/// Changes with the meaning of a key's fields, and with what is kept under it.
const FORMAT: &str = "framewright part 1";

/// A part's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartKey([u8; 32]);

impl PartKey {
    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads a key from its text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything outside a request that decides what is made of it, and for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    /// The program: its version, its build, the processor's instructions.
    pub(crate) build: &'a str,
    /// The owner of the parts.
    pub(crate) owner: &'a str,
    /// The model.
    pub(crate) model: &'a ModelInfo,
    /// The model's memory plan, by which frames are decoded together.
    pub(crate) memory: &'a MemoryPlan,
}

/// The keys of a video's parts, in the order of [`ScenePart::all`]; `None` for cuts.
pub(crate) type PartKeys = Vec<Option<PartKey>>;

impl Maker<'_> {
    /// The keys of a video's parts; `None` if it is not known what they depend on.
    pub(crate) fn keys(&self, spec: &ScenesSpec) -> Option<PartKeys> {
        let identity = self.model.identity.as_deref().filter(|identity| identity.is_current())?;
        let ScenesSpec {
            // Its name says nothing of its files.
            model: _,
            scenes,
            // Each is in the key of its own part.
            joins: _,
            // Part of the prompts.
            has_hero: _,
            prompt_syntax,
            vae,
            loras,
            num_inference_steps,
            guidance_scale,
            scheduler,
            fps,
            width,
            height,
            proportional,
            // Defaults of the scenes, which have their own values.
            frames_per_scene: _,
            transition_frames: _,
            seed: _,
        } = spec;
        // Otherwise images have the model's own size, and are resized for every video.
        let proportions = proportional.then_some((*width, *height));
        let mut shared = Fields::new("images")
            .text("build", self.build)
            .text("owner", self.owner)
            .text("model", identity.images())
            .text("prompt_syntax", &prompt_syntax.to_string())
            .text("vae", &vae.to_string())
            .number("num_inference_steps", u64::from(*num_inference_steps))
            .float("guidance_scale", *guidance_scale)
            .option("scheduler", scheduler.map(|scheduler| scheduler.to_string()))
            .option("proportions", proportions.map(|(width, height)| format!("{width}x{height}")));
        for (choice, stamp) in self.adapters(identity, loras.as_deref())? {
            let AdapterChoice { name, unet_weight, text_weight } = choice;
            shared = shared.text("adapter", &name).float("unet", unet_weight).float("text", text_weight).text("file", &stamp);
        }
        let shared = shared.end();
        let of_scene = |scene: &SceneSpec| {
            let SceneSpec { prompt, negative_prompt, seed, frames, motion } = scene;
            let still = Fields::new("scene")
                .key("images", shared)
                .text("prompt", prompt)
                .text("negative_prompt", negative_prompt)
                .number("seed", *seed);
            let Some(motion) = motion else {
                // A still scene repeats its image for as many frames as it has.
                return still.end();
            };
            let moving = still.text("motion", identity.motion()).number("frames", *frames as u64).text("fps", &fps.to_string());
            self.of_motion(moving, motion, proportions).end()
        };
        let scenes: Vec<PartKey> = scenes.iter().map(of_scene).collect();
        let key_of = |part: &ScenePart| match (part.kind, part.join) {
            (PartKind::Scene, _) | (PartKind::Join, None) => scenes.get(part.scene).copied(),
            (PartKind::Join, Some(Join::Cut)) => None,
            (PartKind::Join, Some(join @ (Join::Crossfade { frames } | Join::Slerp { frames }))) => {
                // Images between two scenes depend on both scenes' texts and noise, and a crossfade on both scenes' images.
                let (from, to) = (scenes.get(part.scene)?, scenes.get(part.scene + 1)?);
                Some(Fields::new("join").text("join", join.name()).number("frames", frames as u64).key("from", *from).key("to", *to).end())
            }
        };
        Some(ScenePart::all(spec).iter().map(key_of).collect())
    }

    fn of_motion(&self, fields: Fields, motion: &MotionSpec, proportions: Option<(u32, u32)>) -> Fields {
        let MotionSpec {
            num_frames,
            num_inference_steps,
            conditioning_fps,
            motion_bucket_id,
            noise_aug_strength,
            min_guidance_scale,
            max_guidance_scale,
            decode_chunk_size,
        } = motion;
        let together = self.memory.decode_chunk_of_scene(motion, proportions);
        fields
            .option("num_frames", num_frames.map(|number| number.to_string()))
            .number("num_inference_steps", u64::from(*num_inference_steps))
            .number("conditioning_fps", u64::from(*conditioning_fps))
            .number("motion_bucket_id", u64::from(*motion_bucket_id))
            .float("noise_aug_strength", *noise_aug_strength)
            .float("min_guidance_scale", *min_guidance_scale)
            .float("max_guidance_scale", *max_guidance_scale)
            .option("decode_chunk_size", decode_chunk_size.map(|number| number.to_string()))
            .option("decoded_together", together.map(|number| number.to_string()))
    }

    /// The adapters of the images, with their files' stamps; `None` if one has no file.
    fn adapters(&self, identity: &ModelIdentity, chosen: Option<&[AdapterChoice]>) -> Option<Vec<(AdapterChoice, String)>> {
        let choices = chosen.map_or_else(|| identity.usual(), <[_]>::to_vec);
        let stamped = |choice: AdapterChoice| {
            let path = self.model.adapters.as_ref()?.find(&choice.name).ok()?;
            let stamp = format!("{} {}", path.display(), stamp_of(&path)?);
            Some((choice, stamp))
        };
        choices.into_iter().map(stamped).collect()
    }
}

/// Named values on their way into a key; none can be mistaken for another, or for two.
struct Fields(Sha256);

impl Fields {
    fn new(what: &str) -> Self {
        Self(Sha256::new()).text("format", FORMAT).text("what", what)
    }

    fn add(mut self, name: &str, value: &[u8]) -> Self {
        for bytes in [name.as_bytes(), value] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.add(name, value.as_bytes())
    }

    fn number(self, name: &str, value: u64) -> Self {
        self.add(name, &value.to_le_bytes())
    }

    fn float(self, name: &str, value: f64) -> Self {
        self.add(name, &value.to_bits().to_le_bytes())
    }

    fn key(self, name: &str, value: PartKey) -> Self {
        self.add(name, value.bytes())
    }

    /// An absent value differs from every present one.
    fn option(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.add(name, format!("+{value}").as_bytes()),
            None => self.add(name, b"-"),
        }
    }

    fn end(self) -> PartKey {
        PartKey(self.0.finalize().into())
    }
}
