//! Parsing the body of a character video, and its metadata.
//!
//! It must not know how a job is submitted. The invariant: cheap checks come first, so nothing is fetched for a body that is invalid
//! anyway.

use actix_web::HttpRequest;
use generation::{
    FieldError, FieldErrorKind, Limits,
    video::{ClipRequest, ClipRules, FpsRequest, RemoteVideoSpec, VideoSpec},
};
use remote_providers::VideoRequest;
use serde_json::Value;

use crate::{
    api::characters::{
        character_image::{self, Found},
        metadata::CharacterMetadata,
    },
    http::{Problem, RequestNotes},
    inputs::{Body, EXAMPLE_IMAGE, Requester, SourceError, body_table, check_callback, input_image, random_seed, value_error},
    state::{ApiState, Maker},
};

/// The default duration, and its range, in seconds.
const DEFAULT_SECONDS: u32 = 5;
const SECONDS: (u32, u32) = (1, 10);
/// The default longer side, in pixels.
const DEFAULT_QUALITY: &str = "768";
/// Frames per second: this API has no field for them.
const FPS: f64 = 24.0;

/// A request for a character video, in this API's format.
#[derive(Clone, Default)]
pub(crate) struct Character {
    source: Option<String>,
    script: Option<String>,
    duration: Option<i128>,
    quality: Option<String>,
    seed: Option<i128>,
    pub(crate) model: Option<String>,
    pub(crate) callback_url: Option<String>,
}

body_table! {
    /// The body of `POST /generate-video` for a character in motion. Unknown keys are ignored, and named in the answer.
    pub(crate) CHARACTER: Character, CharacterBody as "CharacterToVideoRequest",
    example {"characterImageUrl": EXAMPLE_IMAGE, "script": "The boat sails away at sunset", "duration": 5, "quality": DEFAULT_QUALITY},
    {
        /// The picture: a path that `POST /upload-character` gave, an http or https address of a PNG, JPEG or WebP file, or, for a
        /// small one, a data URL.
        characterImageUrl: Text(|r| &mut r.source).required(),
        /// What happens. It guides how the picture is repainted before it moves; the answer's `scriptUsed` says whether.
        script: Text(|r| &mut r.script).required().length(0, Limits::DEFAULT.max_prompt_chars),
        /// How long the video lasts, in seconds.
        duration: Whole(SECONDS, |r| &mut r.duration).or(|| DEFAULT_SECONDS.into()),
        /// The longer side of the video, in pixels, as a text: 256 to 1024. The motion model works at that size as far as it goes.
        quality: Text(|r| &mut r.quality).or(|| DEFAULT_QUALITY.into()),
        /// The noise's seed. Drawn at random if absent or -1.
        seed: Seed(Limits::DEFAULT.max_seed, |r| &mut r.seed),
        /// What makes it: "local", a name that `GET /models` lists, a service's name, or a service's and a model's; an unknown name is 404
        /// with the known ones. Absent: as the operator has set it.
        model: Text(|r| &mut r.model),
        /// Where to post the job's result, signed as Standard Webhooks: a public http or https address.
        callback_url: Text(|r| &mut r.callback_url),
    }
}

impl Body<Character> {
    /// Missing fields and wrong types are reported before anything is fetched; then the picture is fetched, and the rest validated.
    pub(crate) async fn into_spec(
        mut self,
        request: &HttpRequest,
        asker: Requester<'_>,
        maker: Maker,
        state: &ApiState,
    ) -> Result<(VideoSpec, CharacterMetadata), Problem> {
        RequestNotes::new(self.named.ignored.clone(), Vec::new()).tell(request);
        check_callback(&mut self, |character| character.callback_url.as_deref(), &state.guard);
        let missing = ["characterImageUrl", "script"].into_iter().filter(|field| !self.named.json.contains_key(*field));
        let missing = missing.map(|field| FieldError::new(field, "", FieldErrorKind::Missing)).collect();
        let Character { source, script, duration, quality, seed, .. } = self.request.clone();
        let (source, script) = self.or_problem(source.zip(script).ok_or(missing))?;
        let duration = duration.unwrap_or(DEFAULT_SECONDS.into());
        let quality = quality.unwrap_or_else(|| DEFAULT_QUALITY.into());
        let strength = state.repaint_strength;
        let mut script_used = strength > 0.0 && !script.trim().is_empty();
        let own_model = if let Maker::Local(name) = &maker { name.clone() } else { None };
        let mut request = ClipRequest {
            model: own_model.clone(),
            // A stand-in: the other fields are validated without the picture.
            image: Some(image::RgbImage::new(1, 1)),
            prompt: script_used.then(|| script.clone()),
            strength: Some(strength),
            duration: Some(duration as f64),
            fps: Some(FpsRequest::Number(FPS)),
            quality: Some(quality.clone()),
            seed: Some(seed.unwrap_or_else(|| random_seed().into())),
            ..ClipRequest::default()
        };
        if let Ok(model) = state.local().model_named(own_model.as_deref()) {
            request.fill_in(&model);
        }
        let rules = ClipRules { seconds: (SECONDS.0.into(), SECONDS.1.into()), ..ClipRules::default() };
        self.or_problem(request.clone().validate(&rules, &state.limits).map_err(renamed))?;
        let Found { image, name } = match character_image::find(&source, asker, &maker, state).await {
            Ok(found) => found,
            Err(SourceError::Failed(error)) => return Err(*error),
            Err(SourceError::Refused(sentence)) => {
                return Err(Problem::invalid(vec![value_error("characterImageUrl", sentence, &Value::from(source))]));
            }
        };
        let (spec, notes) = match maker {
            Maker::Local(_) => {
                let request = ClipRequest { image: Some(image.image), ..request };
                let spec = self.or_problem(request.validate(&rules, &state.limits).map_err(renamed))?;
                let model = state.local().model_named(own_model.as_deref())?;
                let remarks = if script_used { model.remarks_on_texts([script.as_str()]) } else { Vec::new() };
                (VideoSpec::Clip(spec), [script_note(&script, strength)].into_iter().chain(remarks).collect())
            }
            Maker::Remote(model) => {
                let request = VideoRequest {
                    prompt: script.clone(),
                    image: Some(input_image(image).await?),
                    seconds: u32::try_from(duration).ok(),
                    seed: seed.and_then(|seed| u64::try_from(seed).ok()),
                    ..VideoRequest::default()
                };
                // Hugging Face's image-to-video models take no text.
                let reads_script = !model.starts_with("huggingface/");
                let script_is = if reads_script { "the script is its prompt" } else { "it reads no script" };
                let made_by = format!("{model} makes the video: {script_is}, and the quality is its own");
                let (spec, remarks) = state.services.fitted(RemoteVideoSpec::new(model, request))?;
                script_used = reads_script && !script.trim().is_empty();
                (VideoSpec::Remote(spec), [made_by].into_iter().chain(remarks).collect())
            }
        };
        let metadata = CharacterMetadata {
            base_url: asker.base_url.to_owned(),
            character_image_url: name,
            notes,
            script,
            duration: u32::try_from(duration).unwrap_or_default(),
            quality,
            script_used,
            seed: spec.remote().map_or(Some(spec.seed()), |remote| remote.request.seed),
            by_service: spec.remote().is_some(),
            ignored_fields: self.named.ignored,
        };
        Ok((spec, metadata))
    }
}

fn script_note(script: &str, strength: f64) -> String {
    if script.trim().is_empty() {
        "The script is empty, so the picture moves as it is".into()
    } else if strength > 0.0 {
        format!("The script repaints the picture at a strength of {strength} before it moves; how it moves is the motion model's own")
    } else {
        "The script is not used: characters.repaint_strength is 0 on this server".into()
    }
}

/// The faults, under this API's field names.
fn renamed(errors: Vec<FieldError>) -> Vec<FieldError> {
    let renamed = errors.into_iter().map(|error| {
        let field = match error.field {
            "image" => "characterImageUrl",
            "prompt" => "script",
            field => field,
        };
        FieldError { field, ..error }
    });
    renamed.collect()
}
