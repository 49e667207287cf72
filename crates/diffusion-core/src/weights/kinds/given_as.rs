//! What files and folders can be given as, in the words of messages.
//!
//! It must not know how a kind is found. Invariant: the advice names the request's field or the command's flag, where there is one.

use super::table::ONLY;

/// What a file or a folder is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenAs {
    Model,
    ControlNet,
    Vae,
    TextEncoder,
    Adapter,
    Embedding,
    Upscaler,
}

impl GivenAs {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::ControlNet => "a ControlNet",
            Self::Vae => "a VAE",
            Self::TextEncoder => "a text encoder",
            Self::Adapter => "an adapter",
            Self::Embedding => "an embedding",
            Self::Upscaler => "an upscaler",
        }
    }

    /// What to do with a file of this role that was given as something else.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Model => "give it as the model",
            Self::ControlNet => "choose it as a ControlNet (--controlnet, or the folder of the setting controlnets.folder)",
            Self::Vae => "give it as the VAE (--vae)",
            Self::TextEncoder => "give it as the text encoder (--text-encoder, or --text-encoder-2 for Stable Diffusion XL's second)",
            Self::Adapter => "choose it as an adapter (--lora, from the folder of the setting adapters.folder)",
            Self::Upscaler => "enlarge pictures with it (framewright upscale, or the folder of the setting upscalers.folder)",
            Self::Embedding => "put it into the folder of the setting adapters.embeddings, where it is a word of prompts",
        }
    }

    /// What is read in this role.
    pub(in crate::weights) const fn supported(self) -> &'static str {
        match self {
            Self::Model => ONLY,
            Self::ControlNet => "supported are ControlNets of Stable Diffusion 1.x, 2.x and XL",
            Self::Vae => "supported are AutoencoderKL and AutoencoderTiny of Stable Diffusion 1.x, 2.x and XL",
            Self::TextEncoder => {
                "supported are CLIP's text encoders of Stable Diffusion 1.x, 2.x and XL, with transformers' names or OpenCLIP's"
            }
            Self::Adapter => "supported are LoRA, DoRA, LoHa, LoKr and whole differences for Stable Diffusion 1.x, 2.x and XL",
            Self::Upscaler => "supported are ESRGAN and Real-ESRGAN (RRDBNet), and Real-ESRGAN's compact ones (SRVGGNetCompact)",
            Self::Embedding => "supported are textual inversions for Stable Diffusion 1.x, 2.x and XL",
        }
    }
}
