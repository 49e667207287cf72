//! The API of AUTOMATIC1111's web UI under `/sdapi/v1`, for programs that were written for it: Open WebUI, SillyTavern, webuiapi and scripts.
//!
//! Paths, keys and words are those of the web UI 1.10. A value that would change the picture and cannot be honoured is refused by its name;
//! an option that is unknown is named in the answer.
//!
//! * [`txt2img`] and [`img2img`] make pictures: [`fields`] are their bodies, [`unsupported`] what is refused in them, [`making`] their jobs,
//!   and [`info`] describes the result;
//! * [`options`] are each caller's settings, among them the model;
//! * [`progress`] shows and ends the caller's running job;
//! * [`lists`] say what there is, [`models`] loads and unloads it;
//! * [`controlnet`] has the extension of that name;
//! * [`extras`] resizes pictures, [`png_info`] reads how one was made;
//! * [`problems`] gives every error below `/sdapi/v1` the web UI's form.
//!
//! The invariant: a caller who has a key sees their own options and jobs only.

pub(crate) mod controlnet;
pub(crate) mod extras;
mod fields;
mod given;
pub(crate) mod img2img;
mod info;
pub(crate) mod lists;
mod making;
pub(crate) mod models;
pub(crate) mod options;
mod overrides;
mod parameters_text;
pub(crate) mod png_info;
pub(crate) mod problems;
pub(crate) mod process_time;
pub(crate) mod progress;
pub(crate) mod txt2img;
mod unsupported;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// The start of every path, and of those of the extension for ControlNets.
pub(crate) const PREFIX: &str = "/sdapi/v1/";
pub(crate) const EXTENSION_PREFIX: &str = "/controlnet/";

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/sdapi/v1/txt2img").post(txt2img::txt2img))
        .service(path("/sdapi/v1/img2img").post(img2img::img2img))
        .service(path("/sdapi/v1/progress").get(progress::progress))
        .service(path("/sdapi/v1/interrupt").post(progress::interrupt))
        .service(path("/sdapi/v1/skip").post(progress::skip))
        .service(path("/sdapi/v1/options").get(options::show).post(options::change))
        .service(path("/sdapi/v1/samplers").get(lists::samplers))
        .service(path("/sdapi/v1/schedulers").get(lists::schedulers))
        .service(path("/sdapi/v1/sd-models").get(lists::sd_models))
        .service(path("/sdapi/v1/sd-vae").get(lists::sd_vae))
        .service(path("/sdapi/v1/loras").get(lists::loras))
        .service(path("/sdapi/v1/embeddings").get(lists::embeddings))
        .service(path("/sdapi/v1/upscalers").get(lists::upscalers))
        .service(path("/sdapi/v1/latent-upscale-modes").get(lists::latent_upscale_modes))
        .service(path("/sdapi/v1/hypernetworks").get(lists::hypernetworks))
        .service(path("/sdapi/v1/prompt-styles").get(lists::prompt_styles))
        .service(path("/sdapi/v1/face-restorers").get(lists::face_restorers))
        .service(path("/sdapi/v1/realesrgan-models").get(lists::realesrgan_models))
        .service(path("/sdapi/v1/scripts").get(lists::scripts))
        .service(path("/sdapi/v1/script-info").get(lists::script_info))
        .service(path("/sdapi/v1/extensions").get(lists::extensions))
        .service(path("/sdapi/v1/cmd-flags").get(lists::cmd_flags))
        .service(path("/sdapi/v1/memory").get(lists::memory))
        .service(path("/sdapi/v1/refresh-checkpoints").post(models::refresh_checkpoints))
        .service(path("/sdapi/v1/refresh-vae").post(models::refresh_vae))
        .service(path("/sdapi/v1/refresh-loras").post(models::refresh_loras))
        .service(path("/sdapi/v1/refresh-embeddings").post(models::refresh_embeddings))
        .service(path("/sdapi/v1/unload-checkpoint").post(models::unload_checkpoint))
        .service(path("/sdapi/v1/reload-checkpoint").post(models::reload_checkpoint))
        .service(path("/sdapi/v1/extra-single-image").post(extras::single))
        .service(path("/sdapi/v1/extra-batch-images").post(extras::batch))
        .service(path("/sdapi/v1/png-info").post(png_info::png_info))
        .service(path("/sdapi/v1/interrogate").post(png_info::interrogate))
        .service(path("/controlnet/version").get(controlnet::routes::version))
        .service(path("/controlnet/settings").get(controlnet::routes::settings))
        .service(path("/controlnet/model_list").get(controlnet::routes::model_list))
        .service(path("/controlnet/module_list").get(controlnet::routes::module_list))
        .service(path("/controlnet/detect").post(controlnet::routes::detect));
}
