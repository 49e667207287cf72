//! The description of finished pictures that the web UI sends as JSON in text.

use std::time::SystemTime;

use diffusion_core::weights::VaeChoice;
use generation::{GeneratedImage, ImageSpec, ModelInfo, sampler};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::http::RequestNotes;

/// The name of this program with its version, as in the files' texts.
const VERSION: &str = concat!("framewright ", env!("CARGO_PKG_VERSION"));

/// A time as YYYYMMDDhhmmss in UTC.
pub(super) fn timestamp(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.strftime("%Y%m%d%H%M%S").to_string()).unwrap_or_else(|_| "0".to_owned())
}

/// What is known of a request when its pictures are finished.
pub(super) struct Facts<'a> {
    pub(super) spec: &'a ImageSpec,
    pub(super) model: &'a ModelInfo,
    /// The model's name in requests.
    pub(super) title: &'a str,
    /// The prompts as sent: adapters' tags are taken out of the spec's.
    pub(super) prompts: (&'a str, &'a str),
    pub(super) batch_size: u32,
    pub(super) began: SystemTime,
    pub(super) notes: &'a RequestNotes,
}

/// The description.
pub(super) fn info(facts: &Facts<'_>, images: &[GeneratedImage]) -> String {
    let Facts { spec, model, title, prompts: (prompt, negative_prompt), batch_size, began, notes } = facts;
    let count = images.len();
    let size = spec.output_size().unwrap_or((spec.width(), spec.height()));
    let sampler_name = spec.scheduler().or(model.scheduler).map(|scheduler| sampler(scheduler).0);
    let seeds: Vec<u64> = images.iter().map(|image| image.seed).collect();
    let vae = match spec.vae() {
        VaeChoice::Full => None,
        VaeChoice::Tiny => Some(spec.vae().name()),
    };
    let strength = spec.mode().strength().or(spec.hires().map(generation::HiresSpec::strength));
    let info = json!({
        "prompt": prompt,
        "all_prompts": vec![prompt; count],
        "negative_prompt": negative_prompt,
        "all_negative_prompts": vec![negative_prompt; count],
        "seed": seeds.first().copied().unwrap_or_else(|| spec.seed()),
        "all_seeds": seeds,
        "subseed": -1,
        "all_subseeds": vec![-1; count],
        "subseed_strength": 0,
        "width": size.0,
        "height": size.1,
        "sampler_name": sampler_name,
        "cfg_scale": spec.guidance_scale(),
        "steps": spec.num_inference_steps(),
        "batch_size": batch_size,
        "restore_faces": false,
        "face_restoration_model": null,
        "sd_model_name": title,
        "sd_model_hash": null,
        "sd_vae_name": vae,
        "sd_vae_hash": null,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": strength,
        "extra_generation_params": extra(spec),
        "index_of_first_image": 0,
        "infotexts": images.iter().map(|image| image.parameters.as_str()).collect::<Vec<_>>(),
        "styles": [],
        "job_timestamp": timestamp(*began),
        "clip_skip": spec.clip_skip() + 1,
        "is_using_inpainting_conditioning": false,
        "version": VERSION,
        "ignored_fields": notes.ignored_fields,
        "remarks": notes.remarks,
    });
    info.to_string()
}

/// The settings of the second pass.
fn extra(spec: &ImageSpec) -> Map<String, Value> {
    let mut extra = Map::new();
    if let Some(hires) = spec.hires() {
        match hires.scale() {
            Some(scale) => extra.insert("Hires upscale".to_owned(), json!(scale)),
            None => extra.insert("Hires resize".to_owned(), json!(format!("{}x{}", hires.size().0, hires.size().1))),
        };
        extra.insert("Hires steps".to_owned(), json!(hires.steps()));
        extra.insert("Hires upscaler".to_owned(), json!(hires.upscaler().name()));
    }
    extra
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_fourteen_digits() {
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH), "19700101000000");
    }
}
