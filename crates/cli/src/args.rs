//! The command line, as `--help` shows it. Numbers are only parsed here; the settings and the request check their limits.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::settings::Layer;

mod controls;
#[cfg(test)]
mod documented;
mod jobs;
mod upscaling;
mod verify;
mod videos;

pub(crate) use controls::ControlArgs;
pub(crate) use jobs::{JobsArgs, JobsCommand};
pub(crate) use upscaling::UpscaleArgs;
pub(crate) use verify::VerifyArgs;
pub(crate) use videos::{AnimateArgs, FramesArgs, MotionArgs, OutputArgs, ScenesArgs, VideoArgs, VideoEngineArgs};

/// Pictures and videos from text with Stable Diffusion: a command and an HTTP server.
///
/// With no --model, everything runs on nano-sd and nano-svd, small models inside this program.
#[derive(Debug, Parser)]
#[command(name = "framewright", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// A settings file [default: framewright.toml in the working directory, if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make pictures from a prompt.
    Image(Box<ImageArgs>),
    /// Make a video of scenes: a picture for each prompt, and joins between them.
    Video(Box<VideoArgs>),
    /// Set a picture in motion.
    Animate(Box<AnimateArgs>),
    /// Make a video of scenes as a folder of numbered PNG files; run it again to resume an interrupted run.
    Frames(Box<FramesArgs>),
    /// Enlarge pictures with an upscaler (ESRGAN, Real-ESRGAN).
    Upscale(Box<UpscaleArgs>),
    /// Serve pictures and videos over HTTP.
    Serve(ServeArgs),
    /// List, show, cancel and watch the jobs of a running server.
    Jobs(JobsArgs),
    /// List, inspect and fetch models.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Show what the signed manifests (C2PA) of files say, and whether the files are as they were signed.
    Verify(VerifyArgs),
    /// Time the UNet step, the VAE decode and whole pictures on this machine.
    Bench(BenchArgs),
}

/// Which model, and where it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and machine")]
pub(crate) struct EngineArgs {
    /// A diffusers folder, a .safetensors file, a hub id (owner/name or owner/name@revision), the name of a model in the settings,
    /// or nano-sd [default: nano-sd].
    #[arg(long, value_name = "FOLDER|FILE|ID|NAME")]
    pub model: Option<String>,

    /// The model's autoencoder: full (its own), tiny (its TAESD, which is faster and less exact), or the folder or file of another one
    /// [default: full].
    #[arg(long, value_name = "full|tiny|FOLDER|FILE")]
    pub vae: Option<String>,

    #[command(flatten)]
    pub texts: TextEncoderArgs,

    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// Text encoders that lie beside the model.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and machine")]
pub(crate) struct TextEncoderArgs {
    /// The model's text encoder, for a checkpoint without one, or instead of its own: a transformers folder, or a file with transformers' or
    /// OpenCLIP's names [default: its own].
    #[arg(long, value_name = "FOLDER|FILE")]
    pub text_encoder: Option<PathBuf>,

    /// The second text encoder of a Stable Diffusion XL model, likewise [default: its own].
    #[arg(long = "text-encoder-2", value_name = "FOLDER|FILE")]
    pub text_encoder_2: Option<PathBuf>,
}

impl TextEncoderArgs {
    fn layers(&self) -> impl Iterator<Item = Layer> {
        let text = |path: &PathBuf| path.display().to_string();
        let first = self.text_encoder.as_ref().map(|path| Layer::flag("--text-encoder", "model.text_encoder", text(path)));
        let second = self.text_encoder_2.as_ref().map(|path| Layer::flag("--text-encoder-2", "model.text_encoder_2", text(path)));
        first.into_iter().chain(second)
    }
}

/// Where the model runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and machine")]
pub(crate) struct ComputeArgs {
    /// auto (CUDA, then Metal, then the CPU), cpu, cuda or metal [default: auto].
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,

    /// auto (on a CPU bf16 where it is the faster, else f32; on others f16), f32, bf16 or f16 [default: auto].
    #[arg(long, value_name = "NAME")]
    pub precision: Option<String>,

    /// Threads of the CPU's tensor operations [default: one for each core].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<i64>,

    /// Instructions of the CPU's kernels: auto (the fastest on this machine), portable, avx2, avx512, avx512bf16 or amx [default:
    /// auto].
    #[arg(long, value_name = "NAME")]
    pub cpu_level: Option<String>,

    /// Fields in the model's configuration files that its classes do not know: warn (ignore them) or refuse [default: warn].
    #[arg(long, value_name = "NAME")]
    pub unknown_fields: Option<String>,
}

/// `framewright image`.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// What the picture shows.
    pub prompt: String,

    /// What the picture should not show.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub negative: String,

    /// The language of the texts: plain (every character is text), a1111 (AUTOMATIC1111's weights, BREAK, any length) or compel (compel's
    /// weights, blends and conjunctions, any length) [default: plain].
    #[arg(long, value_name = "NAME")]
    pub prompt_syntax: Option<String>,

    /// The prompt of a Stable Diffusion XL model's second text encoder [default: the prompt].
    #[arg(long, value_name = "TEXT")]
    pub prompt_2: Option<String>,

    /// The negative prompt of a Stable Diffusion XL model's second text encoder [default: the negative prompt].
    #[arg(long, value_name = "TEXT")]
    pub negative_2: Option<String>,

    /// For Stable Diffusion XL: the declared size of the picture before it was scaled [default: its own].
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub original_size: Option<String>,

    /// For Stable Diffusion XL: the declared position of the picture in the original [default: 0,0].
    #[arg(long, value_name = "TOP,LEFT")]
    pub crops_coords_top_left: Option<String>,

    /// For Stable Diffusion XL: the declared size of the picture [default: its own].
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub target_size: Option<String>,

    /// For Stable Diffusion XL: --original-size for the negative prompt.
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub negative_original_size: Option<String>,

    /// For Stable Diffusion XL: --crops-coords-top-left for the negative prompt.
    #[arg(long, value_name = "TOP,LEFT")]
    pub negative_crops_coords_top_left: Option<String>,

    /// For Stable Diffusion XL: --target-size for the negative prompt.
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub negative_target_size: Option<String>,

    /// For Stable Diffusion XL's refiner: the score of the picture's looks, 0 to 10 [default: 6].
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub aesthetic_score: Option<f64>,

    /// For Stable Diffusion XL's refiner: the score for the negative prompt, 0 to 10 [default: 2.5].
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub negative_aesthetic_score: Option<f64>,

    /// The model that ends the picture: Stable Diffusion XL's refiner, named as --model names one [default: none].
    #[arg(long, value_name = "FOLDER|FILE|ID|NAME")]
    pub refiner: Option<String>,

    /// The share of training's timesteps after which the refiner takes over, 0 to 1 [default: 0.8].
    #[arg(long, value_name = "SHARE", requires = "refiner", allow_negative_numbers = true)]
    pub refiner_switch: Option<f64>,

    /// Denoising steps, 1 to 150 [default: the model's, else 25].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<i64>,

    /// How strongly the prompt leads; 1 and less: unguided, and twice as fast [default: the model's, else 7.5].
    #[arg(long, value_name = "SCALE", allow_negative_numbers = true)]
    pub guidance: Option<f64>,

    /// The same seed gives the same picture; picture k has seed + k; -1 draws one at random [default: -1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,

    /// Pixels across, a multiple of 8 [default: the model's own].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    pub width: Option<i64>,

    /// Pixels down, a multiple of 8 [default: the model's own].
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    pub height: Option<i64>,

    /// The scheduler, such as ddim, euler-ancestral or dpmpp-2m-karras; names of AUTOMATIC1111 and ComfyUI ("DPM++ 2M Karras") are
    /// understood too [default: the model's own].
    #[arg(long, value_name = "NAME")]
    pub scheduler: Option<String>,

    /// The share of fresh noise in a step, 0 to 1, for ddim, euler-ancestral and tcd [default: the scheduler's own].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub eta: Option<f64>,

    /// How many pictures, 1 to 16; several are written to FILE-0.png, FILE-1.png, .. [default: 1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub count: Option<i64>,

    /// Last layers of the text encoder to leave out, 0 to 12 [default: 0].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub clip_skip: Option<i64>,

    /// A picture to start from.
    #[arg(long, value_name = "FILE")]
    pub init_image: Option<PathBuf>,

    /// How much of the start picture to paint anew, 0 to 1 [default: 0.75].
    #[arg(long, value_name = "SHARE", requires = "init_image", allow_negative_numbers = true)]
    pub strength: Option<f64>,

    /// Where to paint in the start picture: white is painted anew, black is kept.
    #[arg(long, value_name = "FILE", requires = "init_image")]
    pub mask: Option<PathBuf>,

    /// What a single-file checkpoint predicts, whatever its marks say: epsilon or v_prediction.
    #[arg(long, value_name = "TYPE")]
    pub prediction_type: Option<String>,

    #[command(flatten)]
    pub adapters: AdapterArgs,

    #[command(flatten)]
    pub controls: ControlArgs,

    /// Where the picture goes; folders on the way are made.
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,

    /// Print what was made as one JSON object.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub engine: EngineArgs,
}

/// The adapters that change the model.
#[derive(Debug, Args)]
pub(crate) struct AdapterArgs {
    /// The folder of LoRAs and other adapters that --lora and tags in the prompt (<lora:NAME:WEIGHT>) name [default: none].
    #[arg(long, value_name = "FOLDER")]
    pub adapters: Option<PathBuf>,

    /// Apply an adapter of that folder: its file's name without the ending, its weight [default: 1], and its weight in the text encoder
    /// [default: the same]. Several can be given; a negative weight applies one the other way.
    #[arg(long, value_name = "NAME[:WEIGHT[:TEXT_WEIGHT]]")]
    pub lora: Vec<String>,

    /// The folder of textual-inversion embeddings: each file's name is a word of the prompts, in any case [default: none].
    #[arg(long, value_name = "FOLDER")]
    pub embeddings: Option<PathBuf>,
}

impl ImageArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let mut layers = self.engine.layers();
        layers.extend(folder_layers(self.adapters.adapters.as_deref(), self.adapters.embeddings.as_deref()));
        layers
    }
}

fn folder_layers(adapters: Option<&Path>, embeddings: Option<&Path>) -> impl Iterator<Item = Layer> {
    let text = |folder: &Path| folder.display().to_string();
    let adapters = adapters.map(|folder| Layer::flag("--adapters", "adapters.folder", text(folder)));
    adapters.into_iter().chain(embeddings.map(|folder| Layer::flag("--embeddings", "adapters.embeddings", text(folder))))
}

/// `framewright serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,

    /// The port to listen on; 0 lets the system choose [default: 8000].
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    pub port: Option<i64>,

    /// The folder for jobs and their files [default: ~/.local/share/framewright].
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// The folder of LoRAs and other adapters that requests may choose from [default: none].
    #[arg(long, value_name = "FOLDER")]
    pub adapters: Option<PathBuf>,

    /// The folder of textual-inversion embeddings: each file's name is a word of the prompts, in any case [default: none].
    #[arg(long, value_name = "FOLDER")]
    pub embeddings: Option<PathBuf>,

    /// The folder of ControlNets that requests may choose from [default: none].
    #[arg(long, value_name = "FOLDER")]
    pub controlnets: Option<PathBuf>,

    /// A file with the API key that every request must carry. (On the command line, every user of the machine could see the key.)
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Let other machines use the server without a key.
    #[arg(long)]
    pub allow_public_without_key: bool,

    /// What a single-file checkpoint predicts, whatever its marks say: epsilon or v_prediction.
    #[arg(long, value_name = "TYPE")]
    pub prediction_type: Option<String>,

    #[command(flatten)]
    pub engine: VideoEngineArgs,
}

/// `framewright models`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List the embedded models, those in the hub's cache, and those of the settings; with --server, the models of a running server.
    List {
        /// Ask this server instead: the state of each of its models, what it holds, and why it failed [default: client.server,
        /// http://127.0.0.1:8000]. Its API key is the setting client.api_key.
        #[arg(long, value_name = "URL", num_args = 0..=1)]
        server: Option<Option<String>>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show what a model is made of, which fields of its files are ignored, and why it would be refused: exit code 1 then. Reads no weights.
    Inspect {
        /// A diffusers folder, a .safetensors file, a hub id that is in the cache, the name of a model in the settings, or nano-sd.
        #[arg(default_value = "nano-sd")]
        model: String,
        /// Its autoencoder: full (its own), tiny (its TAESD), or the folder or file of another one [default: full].
        #[arg(long, value_name = "full|tiny|FOLDER|FILE")]
        vae: Option<String>,
        /// Its text encoders.
        #[command(flatten)]
        texts: TextEncoderArgs,
        /// Fields in its configuration files that its classes do not know: warn or refuse [default: warn].
        #[arg(long, value_name = "NAME")]
        unknown_fields: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model from the hub into its cache, which Python's client shares; complete files are not fetched again.
    Pull {
        /// owner/name, or owner/name@revision.
        id: String,

        /// Read every byte of the cached files and fetch damaged ones again. Without it, only lengths are compared.
        #[arg(long)]
        verify: bool,
    },
}

/// `framewright bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Benchmark a named architecture instead of a model: tiny-sd, sd15, sd21, sd-turbo, sdxl,
    /// sdxl-turbo, nano-sd, svd, svd-xt or nano-svd. Requires --random-weights.
    #[arg(long, value_name = "NAME", requires = "random_weights", conflicts_with = "model")]
    pub architecture: Option<String>,

    /// Fill the architecture with seeded random numbers, never zero.
    #[arg(long, requires = "architecture")]
    pub random_weights: bool,

    /// Pixels of a square's side, or WIDTHxHEIGHT; several with commas [default: the model's own].
    #[arg(long, value_name = "SIZE", value_delimiter = ',')]
    pub size: Vec<String>,

    /// Denoising steps of a whole picture or video; several with commas [default: 25; for videos none, and no whole video is timed].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub steps: Vec<u32>,

    /// Frames of a video [default: as many as the model was trained on].
    #[arg(long, value_name = "N")]
    pub frames: Option<u32>,

    /// Frames of a video that are decoded together [default: all].
    #[arg(long, value_name = "N")]
    pub decode_chunk_size: Option<u32>,

    /// Schedulers of a whole picture; several with commas [default: the model's own].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub scheduler: Vec<String>,

    /// Timed repetitions of each measurement, after one warm-up run [default: 5; 3 with --plain].
    #[arg(long, value_name = "N")]
    pub repeat: Option<u32>,

    /// Print only `step SECONDS`, `vae SECONDS` and, for models with one text encoder, `text SECONDS`; fail unless the outputs agree with
    /// the portable f32 path. A step is one UNet call as in a real run: one latent, two texts with precomputed keys and values (one text
    /// for models that need no guidance). The autoencoder is TAESD for sd-turbo, sdxl-turbo and folders that have one.
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,

    /// Print JSON instead of the table.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub engine: EngineArgs,
}

impl EngineArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let mut layers = self.compute.layers();
        layers.extend(self.model.as_ref().map(|model| Layer::flag("--model", "model.name", model.as_str())));
        layers.extend(self.vae.as_ref().map(|vae| Layer::flag("--vae", "model.vae", vae.as_str())));
        layers.extend(self.texts.layers());
        layers
    }
}

impl ComputeArgs {
    fn layers(&self) -> Vec<Layer> {
        let mut layers = Vec::new();
        layers.extend(self.device.as_ref().map(|name| Layer::flag("--device", "compute.device", name.as_str())));
        layers.extend(self.precision.as_ref().map(|name| Layer::flag("--precision", "compute.precision", name.as_str())));
        layers.extend(self.threads.map(|count| Layer::flag("--threads", "compute.threads", count)));
        layers.extend(self.cpu_level.as_ref().map(|name| Layer::flag("--cpu-level", "compute.cpu_level", name.as_str())));
        layers.extend(unknown_fields(self.unknown_fields.as_deref()));
        layers
    }
}

impl ModelsCommand {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        match self {
            Self::Inspect { model, vae, texts, unknown_fields: name, .. } => {
                let mut layers: Vec<Layer> = vae.as_ref().map(|vae| Layer::flag("--vae", "model.vae", vae.as_str())).into_iter().collect();
                layers.extend(texts.layers());
                // The parts are those of this model.
                layers.extend((!layers.is_empty()).then(|| Layer::flag("MODEL", "model.name", model.as_str())));
                layers.extend(unknown_fields(name.as_deref()));
                layers
            }
            Self::List { server, .. } => {
                server.iter().flatten().map(|server| Layer::flag("--server", "client.server", server.as_str())).collect()
            }
            Self::Pull { .. } => Vec::new(),
        }
    }
}

fn unknown_fields(name: Option<&str>) -> Option<Layer> {
    name.map(|name| Layer::flag("--unknown-fields", "model.unknown_fields", name))
}

impl ServeArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let mut layers = self.engine.layers();
        layers.extend(self.host.as_ref().map(|host| Layer::flag("--host", "server.host", host.as_str())));
        layers.extend(folder_layers(self.adapters.as_deref(), self.embeddings.as_deref()));
        let controlnets = self.controlnets.as_ref().map(|folder| folder.display().to_string());
        layers.extend(controlnets.map(|folder| Layer::flag("--controlnets", "controlnets.folder", folder)));
        layers.extend(self.port.map(|port| Layer::flag("--port", "server.port", port)));
        layers.extend(self.data_dir.as_ref().map(|folder| Layer::flag("--data-dir", "jobs.data_dir", folder.display().to_string())));
        layers.extend(
            self.api_key_file.as_ref().map(|file| Layer::flag("--api-key-file", "access.api_key_file", file.display().to_string())),
        );
        if self.allow_public_without_key {
            layers.push(Layer::flag("--allow-public-without-key", "access.allow_public_without_key", true));
        }
        layers
    }
}
