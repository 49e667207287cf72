//! The body of `POST /generate`, and the fields that all image bodies share.
//!
//! Names and shapes are those of the service that this API is compatible with; new keys are additions, never replacements.

use diffusion_core::{prompt::PromptSyntax, weights::VaeChoice};
use generation::{
    ImageRequest, Limits,
    limits::{AESTHETIC_SCORE, SHARE},
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_REFINER_SWITCH, DEFAULT_STEPS},
};

use super::{
    controls_body::{Controls, control_rows},
    hires_body::HIRES,
    loras_body::{LORA, loras, loras_schema},
};
use crate::inputs::{Holds, Row, body_table, field_names::one_image, nested, rows};

const LIMITS: Limits = Limits::DEFAULT;

/// A request for an image, and the format of its answer.
#[derive(Default)]
pub(crate) struct Generate {
    pub(crate) image: ImageRequest,
    pub(crate) controls: Controls,
    /// Whether the answer is JSON.
    pub(crate) return_base64: Option<bool>,
}

impl Holds<ImageRequest> for Generate {
    fn held(&mut self) -> &mut ImageRequest {
        &mut self.image
    }
}

impl Holds<Controls> for Generate {
    fn held(&mut self) -> &mut Controls {
        &mut self.controls
    }
}

body_table! {
    /// The body of `POST /generate`. Other programs' names of a field are accepted too (`steps`, `cfg_scale`, `sampler_name`, ..); unknown
    /// keys are ignored, and named in the answer's `X-Ignored-Fields`.
    pub(crate) GENERATE: Generate, GenerateRequest as "GenerateRequest",
    example {"prompt": "a red circle on a blue background", "num_inference_steps": 25, "return_base64": false},
    [
        &rows! { Generate;
            /// What the picture shows. The model reads its first 75 tokens; the answer's `X-Prompt-Truncated` says if there are more.
            prompt: Text(|r| &mut r.image.prompt).required().length(1, LIMITS.max_prompt_chars),
            /// Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25.
            num_inference_steps: Whole(LIMITS.steps, |r| &mut r.image.num_inference_steps).or(|| DEFAULT_STEPS.into()),
            /// Answer with JSON that contains the picture as base64, instead of with the PNG itself.
            return_base64: Truth(|r| &mut r.return_base64),
            /// The noise's seed: the same request with the same seed gives the same bytes. Drawn at random if absent or -1; the answer
            /// tells which.
            seed: Seed(LIMITS.max_seed, |r| &mut r.image.seed),
            /// What the picture should not show.
            negative_prompt: Text(|r| &mut r.image.negative_prompt).length(0, LIMITS.max_prompt_chars),
            /// Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else
            /// 7.5.
            guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.image.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
            /// Width in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
            width: Side(LIMITS.side, |r| &mut r.image.width),
            /// Height in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
            height: Side(LIMITS.side, |r| &mut r.image.height),
        },
        &image_rows(),
        &one_image_row(),
        &control_rows(),
    ]
}

/// The fields that all image bodies share; add a new common field here.
pub(crate) const fn image_rows<R: Holds<ImageRequest>>() -> [Row<R>; 20] {
    rows! { R;
        /// Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An
        /// unknown name is 404 with the known ones.
        model: Text(|r| &mut r.held().model),
        /// The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted
        /// too.
        scheduler: Scheduler(|r| &mut r.held().scheduler),
        sampler: Silent(|_, _, _| {}),
        /// The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as
        /// `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`,
        /// `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
        prompt_syntax: Text(|r| &mut r.held().prompt_syntax).one_of(|| PromptSyntax::ALL.map(PromptSyntax::name).to_vec()),
        /// The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has
        /// one. The operator's choice for the model if absent; `GET /models` lists what each has.
        vae: Text(|r| &mut r.held().vae).one_of(|| VaeChoice::ALL.map(VaeChoice::name).to_vec()),
        /// The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if
        /// absent). With others it has no effect, and the answer's remarks say so.
        eta: Number(SHARE, |r| &mut r.held().eta),
        /// LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the
        /// prompt (`<lora:ink:0.8>`) add to them.
        loras: Other(loras_schema, |r, fields, name| r.held().loras = loras(fields, name)).inside(|| LORA.facts()),
        /// What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it.
        prompt_2: Text(|r| &mut r.held().sdxl.prompt_2).length(0, LIMITS.max_prompt_chars),
        /// What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it.
        negative_prompt_2: Text(|r| &mut r.held().sdxl.negative_prompt_2).length(0, LIMITS.max_prompt_chars),
        /// For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones
        /// make blurred pictures. The picture's own if absent.
        original_size: Text(|r| &mut r.held().sdxl.original_size),
        /// For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if
        /// absent, which keeps subjects in the middle.
        crops_coords_top_left: Text(|r| &mut r.held().sdxl.crops_coords_top_left),
        /// For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own
        /// if absent.
        target_size: Text(|r| &mut r.held().sdxl.target_size),
        /// `original_size` for the negative prompt; the prompt's if absent.
        negative_original_size: Text(|r| &mut r.held().sdxl.negative_original_size),
        /// `crops_coords_top_left` for the negative prompt; the prompt's if absent.
        negative_crops_coords_top_left: Text(|r| &mut r.held().sdxl.negative_crops_coords_top_left),
        /// `target_size` for the negative prompt; the prompt's if absent.
        negative_target_size: Text(|r| &mut r.held().sdxl.negative_target_size),
        /// For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
        aesthetic_score: Number(AESTHETIC_SCORE, |r| &mut r.held().sdxl.aesthetic_score),
        /// For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
        negative_aesthetic_score: Number(AESTHETIC_SCORE, |r| &mut r.held().sdxl.negative_aesthetic_score),
        /// The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins,
        /// and decodes the picture. LoRAs and ControlNets change the part before it only.
        refiner: Text(|r| &mut r.held().refiner),
        /// The share of training's timesteps after which the refiner takes over; only with `refiner`.
        refiner_switch: Number(SHARE, |r| &mut r.held().refiner_switch).or(|| DEFAULT_REFINER_SWITCH.into()),
        /// A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner.
        hires: Object(|r, fields, name| r.held().hires = nested(fields, name, &HIRES)).inside(|| HIRES.facts()),
    }
}

/// The number of pictures, for bodies that ask for one.
pub(crate) const fn one_image_row<R>() -> [Row<R>; 1] {
    rows! { R;
        n: Silent(|_, fields, name| fields.faults.extend(fields.get(name).and_then(one_image))),
    }
}
