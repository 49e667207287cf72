//! Other programs' names for the fields of our bodies: one table for all bodies.
//!
//! It must not know any particular body. The invariant: a name means one thing. Sources: the requests of AUTOMATIC1111, ComfyUI, OpenAI,
//! Replicate and stable-diffusion.cpp, and the parameters of diffusers' pipelines.

/// Names of one field per row. Spelling does not matter: `numSteps`, `NUM_STEPS` and `num_steps` are one name.
pub(super) const SYNONYMS: [&[&str]; 25] = [
    &["prompt", "positive_prompt", "text_prompt", "text", "script", "inputs"],
    &["negative_prompt", "negative", "neg_prompt", "negative_text"],
    &["num_inference_steps", "steps", "num_steps", "inference_steps", "sampling_steps", "sample_steps"],
    &["guidance_scale", "cfg_scale", "cfg", "guidance", "txt_cfg"],
    &["sampler", "sampler_name", "sampler_index", "sample_method", "sampling_method"],
    &["scheduler", "scheduler_name", "schedule_type"],
    &["seed", "noise_seed", "random_seed"],
    &["n", "num_images", "num_images_per_prompt", "num_outputs", "batch_size", "batch_count", "n_iter", "count"],
    &["width", "image_width"],
    &["height", "image_height"],
    &["resolution", "size"],
    &["fps", "frame_rate", "frames_per_second"],
    &["duration", "duration_seconds", "seconds", "duration_per_scene"],
    &["num_frames", "frames", "frame_count", "video_frames"],
    &["image", "init_image", "input_image", "image_url", "image_base64", "source_image", "input_reference", "character_image_url"],
    &["strength", "denoising_strength", "denoise", "prompt_strength"],
    &["motion_bucket_id", "motion_bucket"],
    &["noise_aug_strength", "cond_aug", "augmentation_level"],
    &["min_guidance_scale", "min_guidance", "min_cfg"],
    &["max_guidance_scale", "max_guidance"],
    &["join", "transition"],
    &["refiner", "refiner_checkpoint"],
    &["refiner_switch", "refiner_switch_at"],
    &["camera_motion", "camera"],
    &["callback_url", "callback", "webhook", "webhook_url"],
];

/// A name without its spelling: lower-case letters without separators.
pub(super) fn squashed(name: &str) -> String {
    letters(name).collect()
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|character| !matches!(character, '_' | '-')).flat_map(char::to_lowercase)
}

/// Whether two names differ at most in their spelling.
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}
