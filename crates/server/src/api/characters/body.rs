//! Understanding the body of a video of a character, and what is noted of it.
//!
//! It must not know how a job is handed in. The invariant: the cheap is judged before the dear, so that nothing is fetched for a body that
//! is wrong anyway.

use actix_web::HttpRequest;
use generation::{
    FieldError, FieldErrorKind,
    video::{ClipRequest, ClipRules, ClipSpec, FpsRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    api::characters::picture::{self, Found},
    http::{IgnoredField, Problem, RequestNotes},
    inputs::{Asker, Fields, NamedBody, Shape, SourceError, callback_fault, integer, judged, random_seed, seed, string, value_error},
    state::ApiState,
};

/// How long a video lasts when nobody says, and how long it may, in seconds.
const DEFAULT_SECONDS: i128 = 5;
const SECONDS: (f64, f64) = (1.0, 10.0);
/// The longer side when nobody says, in pixels.
const DEFAULT_QUALITY: &str = "768";
/// Frames in a second: this API has no words for it.
const FPS: f64 = 24.0;
/// The order in which faults are told.
const FIELDS: [&str; 6] = ["characterImageUrl", "script", "duration", "quality", "seed", "callback_url"];
/// The body's names.
pub(crate) static SHAPE: Shape = Shape::new(&FIELDS, &[]);

/// What is noted with a job, for its answers later on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// That it is one of ours: jobs of other APIs have another word here, or none.
    api: Api,
    /// What the caller called this server: messages to a callback have no request of their own to tell it by.
    base_url: String,
    pub(crate) character_image_url: String,
    pub(crate) script: String,
    pub(crate) duration: u32,
    pub(crate) quality: String,
    pub(crate) script_used: bool,
    pub(crate) notes: Vec<String>,
    pub(crate) seed: u64,
    #[serde(default)]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Api {
    Characters,
}

/// A body whose fields have the right types.
pub(crate) struct Body {
    named: NamedBody,
    source: String,
    script: String,
    duration: i128,
    quality: String,
    seed: i128,
    pub(crate) callback_url: Option<String>,
}

impl Body {
    /// Reads all fields; whatever is missing or of another type is told at once, before anything is fetched.
    pub(crate) fn read(request: &HttpRequest, named: NamedBody, state: &ApiState) -> Result<Self, Problem> {
        RequestNotes::new(named.ignored.clone(), Vec::new()).tell(request);
        let mut fields = Fields::new(&named.json);
        let source = fields.required("characterImageUrl", string);
        let script = fields.required("script", string);
        let duration = fields.read("duration", integer);
        let quality = fields.read("quality", string);
        let seed = fields.read("seed", seed);
        let callback_url = fields.read("callback_url", string);
        let mut faults = fields.faults;
        faults.extend(callback_url.as_deref().and_then(|url| callback_fault(url, &state.guard)));
        let missing = ["characterImageUrl", "script"].into_iter().filter(|field| !named.json.contains_key(*field));
        let missing: Vec<_> = missing.map(|field| FieldError::new(field, "", FieldErrorKind::Missing)).collect();
        let checked = source.zip(script).ok_or(missing);
        let (source, script) = judged(checked, faults, &named, &FIELDS)?;
        let duration = duration.unwrap_or(DEFAULT_SECONDS);
        let quality = quality.unwrap_or_else(|| DEFAULT_QUALITY.into());
        Ok(Self { source, script, duration, quality, seed: seed.unwrap_or(random_seed().into()), callback_url, named })
    }

    /// Fetches the picture and checks the rest.
    pub(crate) async fn into_spec(self, asker: Asker<'_>, state: &ApiState) -> Result<(ClipSpec, Note), Problem> {
        let Self { named, source, script, duration, quality, seed, callback_url: _ } = self;
        let strength = state.repaint_strength;
        let script_used = strength > 0.0 && !script.trim().is_empty();
        let request = ClipRequest {
            // Faults of the other fields are told without a picture; no more is made of this one.
            image: Some(image::RgbImage::new(1, 1)),
            prompt: script_used.then(|| script.clone()),
            strength: Some(strength),
            duration: Some(duration as f64),
            fps: Some(FpsRequest::Number(FPS)),
            quality: Some(quality.clone()),
            seed: Some(seed),
            ..ClipRequest::default()
        };
        let rules = ClipRules { seconds: SECONDS, ..ClipRules::default() };
        judged(request.clone().validate(&rules, &state.limits).map_err(renamed), Vec::new(), &named, &FIELDS)?;
        let Found { picture, name } = match picture::find(&source, asker, state).await {
            Ok(found) => found,
            Err(SourceError::Failed(error)) => return Err(*error),
            Err(SourceError::Refused(sentence)) => {
                return Err(Problem::invalid(vec![value_error("characterImageUrl", sentence, &Value::from(source))]));
            }
        };
        let request = ClipRequest { image: Some(picture), ..request };
        let spec = judged(request.validate(&rules, &state.limits).map_err(renamed), Vec::new(), &named, &FIELDS)?;
        let model = state.ready_model()?;
        let remarks = if script_used { model.unread_scripts([script.as_str()]) } else { Vec::new() };
        let note = Note {
            api: Api::Characters,
            base_url: asker.base_url.to_owned(),
            character_image_url: name,
            notes: [about_script(&script, strength)].into_iter().chain(remarks).collect(),
            script,
            duration: u32::try_from(duration).unwrap_or_default(),
            quality,
            script_used,
            seed: spec.seed(),
            ignored_fields: named.ignored,
        };
        Ok((spec, note))
    }
}

fn about_script(script: &str, strength: f64) -> String {
    if script.trim().is_empty() {
        "The script is empty, so the picture moves as it is".into()
    } else if strength > 0.0 {
        format!("The script repaints the picture at a strength of {strength} before it moves; how it moves is the motion model's own")
    } else {
        "The script is not used: characters.repaint_strength is 0 on this server".into()
    }
}

/// The faults under the names that the fields have here.
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
