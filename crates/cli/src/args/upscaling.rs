//! The flags of `framewright upscale`.

use std::path::PathBuf;

use clap::Args;

use super::ComputeArgs;
use crate::settings::Layer;

/// `framewright upscale`.
#[derive(Debug, Args)]
pub(crate) struct UpscaleArgs {
    /// The picture (PNG, JPEG or WebP), a folder of pictures, which are enlarged in the order of their names, or a video (.mp4, .m4v or
    /// .mov), whose frames are.
    #[arg(value_name = "IN")]
    pub input: PathBuf,

    /// The enlarged picture: .png, .jpg, .jpeg or .webp. For a folder: a folder, which gets files of the same names as .png, or a video of
    /// its pictures (.mp4, .webm, .gif, .webp or .apng). For a video: a video, or a folder, which gets numbered .png files.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,

    /// The upscaler: an ESRGAN, Real-ESRGAN or compact Real-ESRGAN as .pth or .safetensors, or a name in the folder of the setting
    /// upscalers.folder.
    #[arg(long, value_name = "FILE|NAME")]
    pub upscaler: String,

    /// How many times as wide and high the result is, 1 to 16. Beyond the upscaler's own factor it runs again, up to three times, and then
    /// the result is resampled [default: the upscaler's own].
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub scale: Option<f64>,

    /// The quality of a .jpg, 1 to 100 [default: 95].
    #[arg(long, value_name = "N")]
    pub quality: Option<u8>,

    /// Frames per second of a video: a whole number, a decimal, or a fraction such as 30000/1001 [default: the given
    /// video's, else 24].
    #[arg(long, value_name = "RATE")]
    pub fps: Option<String>,

    /// Print JSON instead of a line for each file.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub compute: ComputeArgs,
}

impl UpscaleArgs {
    /// The flags given, as settings layers.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        self.compute.layers()
    }
}
