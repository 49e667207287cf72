//! The second pass in the bodies of image requests.
//!
//! It must not know how an image is enlarged.

use diffusion_core::schedulers::SchedulerName;
use generation::{
    HiresRequest, Limits,
    limits::{HIRES_SCALE, SHARE},
    validate::{DEFAULT_HIRES_SCALE, DEFAULT_HIRES_STRENGTH},
};
use serde_json::{Value, json};

use crate::inputs::{Table, rows, string};

const LIMITS: Limits = Limits::DEFAULT;

/// The table of `hires`.
pub(crate) static HIRES: Table<HiresRequest> = Table::new(
    "Hires",
    "A second pass: the picture is enlarged, and repainted at its new size.",
    || json!({"scale": 1.5, "upscaler": "Latent", "strength": 0.6}),
    &[&rows! { HiresRequest;
        /// How many times larger it becomes; not with a width or a height.
        scale: Number(HIRES_SCALE, |r| &mut r.scale).or(|| DEFAULT_HIRES_SCALE.into()),
        /// Its width in pixels, rounded down to a multiple of 8. With a height, what exceeds these proportions is cut off; alone, it keeps the
        /// proportions.
        width: Whole(LIMITS.side, |r| &mut r.width),
        /// Its height in pixels, likewise.
        height: Whole(LIMITS.side, |r| &mut r.height),
        /// What enlarges it: its latents by AUTOMATIC1111's names (`GET /sdapi/v1/latent-upscale-modes`), or its pixels by resampling or by a
        /// network (`GET /sdapi/v1/upscalers`).
        upscaler: Text(|r| &mut r.upscaler).or(|| "Latent".into()),
        /// The steps that repaint it, all of which are run; as many as in the first pass if absent.
        steps: Whole(LIMITS.steps, |r| &mut r.steps),
        /// The share of noise that is added before, above 0.
        strength: Number(SHARE, |r| &mut r.strength).or(|| DEFAULT_HIRES_STRENGTH.into()),
        /// Its guidance; that of the first pass if absent.
        guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.guidance_scale),
        /// Its scheduler; that of the first pass if absent.
        scheduler: Other(scheduler_schema, |r, fields, name| r.scheduler = fields.read(name, string)),
        /// What it shows; the picture's prompt if absent.
        prompt: Text(|r| &mut r.prompt).length(0, LIMITS.max_prompt_chars),
        /// What it should not show; the picture's negative prompt if absent.
        negative_prompt: Text(|r| &mut r.negative_prompt).length(0, LIMITS.max_prompt_chars),
    }],
);

fn scheduler_schema() -> Value {
    let names = SchedulerName::all().into_iter().map(|name| name.to_string().into());
    json!({"type": ["string", "null"], "enum": names.chain([Value::Null]).collect::<Vec<_>>()})
}
