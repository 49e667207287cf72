//! Arguments of the video commands: scenes, motion, and output.

use std::path::PathBuf;

use clap::Args;

use super::{AdapterArgs, ComputeArgs, EngineArgs, folder_layers};
use crate::settings::Layer;

/// The scenes of a video, and how they are joined.
#[derive(Debug, Args)]
pub(crate) struct ScenesArgs {
    /// What a scene shows; once for each scene, in order.
    #[arg(long, value_name = "TEXT", conflicts_with = "scenes")]
    pub scene: Vec<String>,

    /// A JSON file with the scenes, shaped like the body of POST /generate-video; flags override its values.
    #[arg(long, value_name = "FILE.json", required_unless_present = "scene")]
    pub scenes: Option<PathBuf>,

    /// Text put before each scene's prompt, so that a character stays the same.
    #[arg(long, value_name = "TEXT")]
    pub hero: Option<String>,

    /// What no scene should show.
    #[arg(long, value_name = "TEXT")]
    pub negative: Option<String>,

    /// How one scene becomes the next: cut, crossfade, or slerp (through pictures between them) [default: crossfade].
    #[arg(long, value_name = "NAME")]
    pub join: Option<String>,

    /// Frames between two scenes, 0 to 240 [default: 12].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub transition_frames: Option<i64>,

    /// How long a scene lasts, in seconds [default: 3].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub duration: Option<f64>,

    /// Frames in a second: a number or a fraction (24, 12.5, 30000/1001) [default: 24].
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub fps: Option<String>,

    /// Pixels across a frame; pictures are made at the model's own size and resized [default: 512].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    pub width: Option<i64>,

    /// Pixels down a frame [default: 512].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    pub height: Option<i64>,

    /// Denoising steps of each picture, 1 to 150 [default: 25].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<i64>,

    /// How strongly the texts lead; 1 and less: unguided [default: 7.5].
    #[arg(long, value_name = "SCALE", allow_negative_numbers = true)]
    pub guidance: Option<f64>,

    /// The language of all texts: plain (every character is text), a1111 (AUTOMATIC1111's weights, BREAK, any length) or compel (compel's
    /// weights, blends and conjunctions, any length) [default: plain].
    #[arg(long, value_name = "NAME")]
    pub prompt_syntax: Option<String>,

    /// The scheduler, such as ddim, euler-ancestral or dpmpp-2m-karras; names of AUTOMATIC1111 and ComfyUI ("DPM++ 2M Karras") are
    /// understood too [default: the model's own].
    #[arg(long, value_name = "NAME")]
    pub scheduler: Option<String>,

    /// The same seed gives the same video; scene k has seed + k; -1 draws one at random [default: -1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,

    /// Animate the picture of every scene that the file does not mark as still.
    #[arg(long)]
    pub moving: bool,

    #[command(flatten)]
    pub adapters: AdapterArgs,

    #[command(flatten)]
    pub motion: MotionArgs,
}

impl ScenesArgs {
    /// The flags of adapters, as settings layers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = Layer> {
        folder_layers(self.adapters.adapters.as_deref(), self.adapters.embeddings.as_deref())
    }
}

/// How a picture is set in motion.
#[derive(Debug, Args)]
#[command(next_help_heading = "Motion")]
pub(crate) struct MotionArgs {
    /// Frames that the motion model generates at once, 2 to 64 [default: the number it was trained on].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub num_frames: Option<i64>,

    /// How much moves, from hardly anything (1) to a lot (255) [default: 127].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub motion_bucket_id: Option<i64>,

    /// Noise added to the picture first: more lets the video depart further from it [default: 0.02].
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub noise_aug_strength: Option<f64>,

    /// Guidance of the first frame [default: 1].
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub min_guidance: Option<f64>,

    /// Guidance of the last frame; both 1 and less: unguided, and twice as fast [default: 3].
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub max_guidance: Option<f64>,

    /// The frame rate that the motion model is conditioned on [default: 7, or the video's own for an animated picture].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub conditioning_fps: Option<i64>,

    /// Frames that are decoded at once: fewer need less memory, and flicker more [default: all].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub decode_chunk_size: Option<i64>,
}

/// Where a video goes, and how it is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Where the video goes; the ending says what it is: .mp4, .webm, .gif, .webp, .png (animated), or FOLDER/ for
    /// numbered PNG files.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// The encoder: auto, h264, libx264, openh264, mpeg4, hardware, vp9 or av1 [default: auto].
    #[arg(long, value_name = "NAME")]
    pub codec: Option<String>,

    /// Constant quality, lower is better; its range is the codec's [default: visually lossless].
    #[arg(long, value_name = "N", conflicts_with = "bitrate")]
    pub crf: Option<u8>,

    /// Bits in a second, on average.
    #[arg(long, value_name = "BITS")]
    pub bitrate: Option<u64>,

    /// Write the first frame as a picture too.
    #[arg(long, value_name = "FILE")]
    pub poster: Option<PathBuf>,

    /// Write some of the frames side by side in one picture too.
    #[arg(long, value_name = "FILE")]
    pub contact_sheet: Option<PathBuf>,

    /// Refuse an odd width or height where the codec needs even ones, instead of repeating the last column or row.
    #[arg(long)]
    pub refuse_odd: bool,

    /// Print what was made as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `framewright video`.
#[derive(Debug, Args)]
pub(crate) struct VideoArgs {
    #[command(flatten)]
    pub scenes: ScenesArgs,

    #[command(flatten)]
    pub output: OutputArgs,

    #[command(flatten)]
    pub engine: VideoEngineArgs,
}

/// `framewright frames`.
#[derive(Debug, Args)]
pub(crate) struct FramesArgs {
    #[command(flatten)]
    pub scenes: ScenesArgs,

    /// The folder of the frames, frame-000000.png and on; an interrupted run there is resumed.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,

    /// Start over, whatever the folder holds.
    #[arg(long)]
    pub restart: bool,

    /// Print what was made as one JSON object.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub engine: VideoEngineArgs,
}

/// A clip: an animated picture of any duration, size and frame rate.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clip (any of these makes one)")]
#[group(id = "clip", multiple = true)]
pub(crate) struct ClipArgs {
    /// How long the video lasts, in seconds: the model runs as often as needed, each run starting from the last frame of the one before
    /// [default: the length of one run].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub duration: Option<f64>,

    /// A frame's size; the picture is cropped to its aspect ratio [default: derived from --quality, else the model's own size].
    #[arg(long, value_name = "WxH")]
    pub resolution: Option<String>,

    /// The longer side of the model's own frames, within the model's limits, 256 to 1024 [default: the size it was trained on].
    #[arg(long, value_name = "PIXELS")]
    pub quality: Option<String>,

    /// How the camera moves: static, pan (to the right), tilt (upwards) or zoom (in) [default: static].
    #[arg(long, value_name = "NAME")]
    pub camera: Option<String>,

    /// How much moves, 0 to 1: another way to say --motion-bucket-id.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, conflicts_with = "motion_bucket_id")]
    pub motion_strength: Option<f64>,

    /// Repaint the picture from this text before it is animated.
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,

    /// How much of the picture to repaint, 0 to 1 [default: 0.4].
    #[arg(long, value_name = "SHARE", requires = "prompt", allow_negative_numbers = true)]
    pub strength: Option<f64>,

    /// The model that repaints it: a diffusers folder, a .safetensors file, a hub id, the name of a model in the settings, or nano-sd
    /// [default: nano-sd].
    #[arg(long, value_name = "FOLDER|FILE|ID|NAME", requires = "prompt")]
    pub picture_model: Option<String>,
}

impl ClipArgs {
    /// Whether any clip flag is given.
    pub(crate) fn are_given(&self) -> bool {
        let texts = [&self.resolution, &self.quality, &self.camera, &self.prompt];
        texts.into_iter().any(Option::is_some) || self.duration.is_some() || self.motion_strength.is_some()
    }
}

/// `framewright animate`.
#[derive(Debug, Args)]
pub(crate) struct AnimateArgs {
    /// The picture.
    pub image: PathBuf,

    /// Frames in a second, which the model is conditioned on too unless --conditioning-fps is given [default: 7]. For a clip: the frame
    /// rate of the video, interpolated from the model's frames, whose rate is --conditioning-fps [default: 30].
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub fps: Option<String>,

    /// Denoising steps, 1 to 150 [default: 25].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<i64>,

    /// Pixels across, a multiple of 8; wants --height [default: the model's own].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, conflicts_with = "clip")]
    pub width: Option<i64>,

    /// Pixels down, a multiple of 8; wants --width [default: the model's own].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, conflicts_with = "clip")]
    pub height: Option<i64>,

    /// The same seed gives the same video; -1 draws one at random [default: -1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,

    #[command(flatten)]
    pub clip: ClipArgs,

    #[command(flatten)]
    pub motion: MotionArgs,

    #[command(flatten)]
    pub output: OutputArgs,

    /// A diffusers folder of Stable Video Diffusion, a hub id (owner/name), the name of a model in the settings (its motion model is
    /// used), or nano-svd [default: nano-svd].
    #[arg(long, value_name = "FOLDER|ID|NAME", help_heading = "Model and machine")]
    pub model: Option<String>,

    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Which models, and where they run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and machine")]
pub(crate) struct VideoEngineArgs {
    #[command(flatten)]
    pub engine: EngineArgs,

    /// The model that animates pictures: a diffusers folder of Stable Video Diffusion, a hub id, or nano-svd [default: nano-svd].
    #[arg(long, value_name = "FOLDER|ID")]
    pub motion_model: Option<String>,
}

impl VideoEngineArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let mut layers = self.engine.layers();
        layers.extend(self.motion_model.as_ref().map(|model| Layer::flag("--motion-model", "model.motion", model.as_str())));
        layers
    }
}

impl AnimateArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let mut layers = self.compute.layers();
        layers.extend(self.model.as_ref().map(|model| Layer::flag("--model", "model.motion", model.as_str())));
        layers.extend(self.clip.picture_model.as_ref().map(|model| Layer::flag("--picture-model", "model.name", model.as_str())));
        layers
    }
}
