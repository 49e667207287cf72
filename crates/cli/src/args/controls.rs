//! The flags of ControlNets, each of which is given once for each of them.

use std::path::PathBuf;

use clap::Args;

/// The ControlNets of a picture. The first image, weight and window are those of the first ControlNet, and so on.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// Let a picture lead, by this ControlNet: a diffusers folder, a file, or a name in the folder of the setting controlnets.folder.
    /// Several can be given, each with its own --control-image.
    #[arg(long, value_name = "FOLDER|FILE|NAME", requires = "control_image")]
    pub controlnet: Vec<String>,

    /// The control image: edges, depth, a pose, as the ControlNet was trained on; with --canny a picture.
    #[arg(long, value_name = "FILE", requires = "controlnet")]
    pub control_image: Vec<PathBuf>,

    /// How strongly the ControlNet acts, 0 to 4 [default: 1].
    #[arg(long, value_name = "WEIGHT", requires = "controlnet", allow_negative_numbers = true)]
    pub control_weight: Vec<f64>,

    /// The share of the steps before it acts, 0 to 1 [default: 0].
    #[arg(long, value_name = "SHARE", requires = "controlnet", allow_negative_numbers = true)]
    pub control_start: Vec<f64>,

    /// The share of the steps after which it no longer acts, 0 to 1 [default: 1].
    #[arg(long, value_name = "SHARE", requires = "controlnet", allow_negative_numbers = true)]
    pub control_end: Vec<f64>,

    /// Take each --control-image for a picture, and its edges for the control image.
    #[arg(long, requires = "controlnet")]
    pub canny: bool,

    /// Let ControlNets lead without a prompt: they act on the prompt's half of the guidance only.
    #[arg(long, requires = "controlnet")]
    pub guess_mode: bool,
}
