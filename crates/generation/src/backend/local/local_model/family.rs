//! The short name of a model's family, by the configurations in its files.
//!
//! It must not know how a model is run.

use diffusion_core::{
    Result,
    weights::{Component, ModelFamily, WeightSource},
};

/// The widths of the texts that the first two families of Stable Diffusion read.
const WIDTHS: [(u64, &str); 2] = [(768, "sd1"), (1024, "sd2")];

/// The family of a model that makes images, and its short name.
///
/// # Errors
/// As [`ModelFamily::of_images`].
pub(super) fn of_images(source: &dyn WeightSource) -> Result<(Option<ModelFamily>, Option<&'static str>)> {
    let family = ModelFamily::of_images(source)?;
    Ok((Some(family), short_name(family, source)))
}

/// "sd1", "sd2", "sdxl", "sdxl-refiner" or "svd"; `None` for a model of other sizes.
fn short_name(family: ModelFamily, source: &dyn WeightSource) -> Option<&'static str> {
    match family {
        ModelFamily::StableDiffusionXl => Some("sdxl"),
        ModelFamily::StableDiffusionXlRefiner => Some("sdxl-refiner"),
        ModelFamily::StableVideoDiffusion => Some("svd"),
        ModelFamily::StableDiffusion => {
            let config = source.config(Component::Unet).ok()?;
            let width = config.get("cross_attention_dim")?;
            let width = width.as_array().map_or(Some(width), |widths| widths.first())?.as_u64();
            WIDTHS.into_iter().find(|(known, _)| Some(*known) == width).map(|(_, name)| name)
        }
    }
}

#[cfg(test)]
mod tests {
    use diffusion_core::pipelines::nano_sd;

    use super::*;

    #[test]
    fn a_family_has_a_short_name_unless_its_sizes_are_its_own() {
        assert_eq!(short_name(ModelFamily::StableDiffusionXl, &nano_sd()), Some("sdxl"));
        assert_eq!(short_name(ModelFamily::StableDiffusion, &nano_sd()), None);
    }
}
