//! A model's own defaults, held to the limits of requests.
//!
//! It must not know where they were read. The invariant: a default is a value that a request could have given.

use diffusion_core::{Error, Result, pipelines::ImageDefaults};

use crate::{
    model_info::ModelDefaults,
    spec::limits::{Limits, SIDE_MULTIPLE},
};

/// The defaults of a model's files as those of its requests. Only its sidecar may give a value that is out of bounds.
///
/// # Errors
/// [`Error::Config`] naming the field and its limit.
pub(super) fn checked(defaults: ImageDefaults, model: &str) -> Result<ModelDefaults> {
    let ImageDefaults { num_inference_steps, guidance_scale, size, scheduler } = defaults;
    let limits = Limits::DEFAULT;
    let refuse = |field: &str, reason: String| Err(Error::config(ImageDefaults::sidecar_of(model), field, reason));
    if let Some(steps) = num_inference_steps.filter(|steps| !(limits.steps.0..=limits.steps.1).contains(steps)) {
        return refuse("steps", format!("{steps} is not within {}..={}", limits.steps.0, limits.steps.1));
    }
    if let Some(scale) = guidance_scale.filter(|scale| !(limits.guidance_scale.0..=limits.guidance_scale.1).contains(scale)) {
        let (least, most) = limits.guidance_scale;
        return refuse("guidance_scale", format!("{scale} is not within {least}..={most}"));
    }
    if let Some((width, height)) = size {
        let (least, most) = limits.side;
        let is_side = |side: u32| (least..=most).contains(&side) && side.is_multiple_of(SIDE_MULTIPLE);
        for (field, side) in [("width", width), ("height", height)] {
            if !is_side(side) {
                let reason = format!("{side} is no side: sides are multiples of {SIDE_MULTIPLE} within {least}..={most}");
                return refuse(field, reason);
            }
        }
        if u64::from(width) * u64::from(height) > limits.max_pixels {
            let reason = format!("{width}x{height} has more than {} pixels", limits.max_pixels);
            return refuse("width", reason);
        }
    }
    Ok(ModelDefaults { num_inference_steps, guidance_scale, size, scheduler, ..ModelDefaults::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_no_request_could_give_are_refused_by_name() {
        let of = |steps, scale, size| ImageDefaults { num_inference_steps: steps, guidance_scale: scale, size, scheduler: None };
        for (defaults, expected) in [
            (of(Some(100_000), None, None), "steps"),
            (of(None, Some(-1.0), None), "guidance_scale"),
            (of(None, None, Some((500, 512))), "width"),
            (of(None, None, Some((512, 8_000))), "height"),
            (of(None, None, Some((2048, 2048))), "width"),
        ] {
            match checked(defaults, "/models/mine.safetensors") {
                Err(Error::Config { file, field, .. }) => {
                    assert_eq!((file.as_str(), field.as_str()), ("/models/mine.framewright.json", expected))
                }
                other => unreachable!("{other:?}"),
            }
        }
        let turbo = ModelDefaults { num_inference_steps: Some(1), guidance_scale: Some(0.0), ..ModelDefaults::default() };
        assert!(checked(of(Some(1), Some(0.0), None), "mine").is_ok_and(|found| found == turbo));
    }
}
