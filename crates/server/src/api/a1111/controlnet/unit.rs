//! The extension's units: the objects in `alwayson_scripts.ControlNet.args`.
//!
//! It must not know which ControlNets there are. The invariants: a value that would change the picture and cannot be honoured is a fault at
//! its place; a unit that is off is not looked at; no picture is decoded for a body that is invalid anyway.

use diffusion_core::imaging::{Part, padded, resized_part};
use generation::{
    ControlRequest,
    field_error::shortened,
    limits::{CANNY_THRESHOLD, CONTROL_WEIGHT, SHARE},
};
use image::RgbImage;
use serde_json::{Value, json};

use crate::api::a1111::unsupported::{is_nothing, refuse};
use crate::{
    http::{Problem, ValidationErrorDetail},
    inputs::{Fields, Requester, SourceError, Table, TypeFault, faults::value_fault, rows},
    state::ApiState,
};

/// The extension's name among the scripts, in any case.
pub(in crate::api::a1111) const SCRIPT: &str = "controlnet";
/// The field with the scripts.
const FIELD: &str = "alwayson_scripts";
/// The most units that are read: more than act.
const MOST: usize = 16;
/// What makes control images: the names of the extension.
pub(super) const MODULES: [&str; 2] = ["none", "canny"];
/// The extension's numbers of resize modes, and the names of its versions for them.
const RESIZES: [(Resize, &[&str]); 3] = [
    (Resize::Stretched, &["just resize", "resize"]),
    (Resize::Cropped, &["crop and resize", "inner fit (scale to fit)", "scale to fit (inner fit)", "inner fit"]),
    (Resize::Filled, &["resize and fill", "outer fit (shrink to fit)", "envelope (outer fit)", "outer fit"]),
];
/// Its numbers and names of whom a unit obeys.
const MODES: [(Mode, &str); 3] =
    [(Mode::Balanced, "balanced"), (Mode::Prompt, "my prompt is more important"), (Mode::Control, "controlnet is more important")];

const NOT_UNITS: TypeFault = ("list_type", "Input should be a list of objects: units of the ControlNet extension");
const TOO_MANY: TypeFault = ("too_long", "List should have at most 16 items");
const NO_MASK: TypeFault = ("value_error", "Value error, a ControlNet acts on the whole picture here: leave the mask out");
const NO_WEIGHTS: TypeFault = ("value_error", "Value error, a ControlNet has one weight for all its layers here: leave it out");
const NO_BATCH: TypeFault = ("value_error", "Value error, a unit has one picture here: send it as image");
const NO_ADAPTER: TypeFault = ("value_error", "Value error, this server has no IP-Adapters: leave it out");
const NO_PASS: TypeFault = ("value_error", "Value error, a ControlNet acts in both passes here: send \"Both\"");
const NO_MODULE: TypeFault =
    ("value_error", "Value error, this server finds edges only: send none with a finished control image, or canny with a picture");
const NO_RESIZE: TypeFault =
    ("value_error", "Value error, it is 0, 1 or 2, or \"Just Resize\", \"Crop and Resize\" or \"Resize and Fill\"");
const NO_MODE: TypeFault =
    ("value_error", "Value error, it is 0, 1 or 2, or \"Balanced\", \"My prompt is more important\" or \"ControlNet is more important\"");
const NO_PROMPT_MODE: TypeFault =
    ("value_error", "Value error, no ControlNet yields to the prompt here: lower its weight, or end it earlier");
const ONE_MODE: TypeFault = ("value_error", "Value error, all units act alike here: give every unit the same control_mode");
const NOT_AN_IMAGE: TypeFault =
    ("string_type", "Input should be a picture in base64, as a data URL, or as an http or https address, or an object with it as image");

/// How a picture of other proportions becomes a control image of the result's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Resize {
    Stretched,
    #[default]
    Cropped,
    Filled,
}

/// Whom the picture obeys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Balanced,
    Prompt,
    Control,
}

/// A unit.
#[derive(Clone, Default)]
struct Unit {
    enabled: Option<bool>,
    module: Option<String>,
    model: Option<String>,
    source: Option<String>,
    request: ControlRequest,
    resize: Resize,
    mode: Option<Mode>,
    thresholds: [Option<f64>; 2],
    pixel_perfect: Option<bool>,
}

/// The table of a unit.
static UNIT: Table<Unit> = Table::new(
    "WebUiControlNetUnit",
    "A unit of the ControlNet extension.",
    || Value::Null,
    &[&rows! { Unit;
        /// Whether it acts.
        enabled: Truth(|r| &mut r.enabled).or(|| true.into()),
        /// The ControlNet, as `GET /controlnet/model_list` lists them; a hash in brackets behind the name is not compared.
        model: Text(|r| &mut r.model),
        /// What makes the control image from the picture: `none`, or `canny`.
        module: Text(|r| &mut r.module).or(|| "none".into()),
        /// The control image, or the picture that the module makes it from: base64 of a PNG, JPEG or WebP file, a data URL, or an http or https
        /// address. In img2img the request's own picture if absent.
        image: Other(|| json!({"type": ["string", "object", "null"]}), picture),
        /// An older name of `image`.
        input_image: Other(|| json!({"type": ["string", "null"]}), picture),
        /// How strongly it acts.
        weight: Number(CONTROL_WEIGHT, |r| &mut r.request.weight).checked().or(|| 1.into()),
        /// The share of the steps before it acts.
        guidance_start: Number(SHARE, |r| &mut r.request.start).checked().or(|| 0.into()),
        /// The share of the steps after which it no longer acts.
        guidance_end: Number(SHARE, |r| &mut r.request.end).checked().or(|| 1.into()),
        /// How a picture of other proportions becomes as large as the result: 0 "Just Resize", 1 "Crop and Resize", 2 "Resize and Fill".
        resize_mode: Other(|| json!({"type": ["integer", "string", "null"], "default": 1}), resize_mode),
        /// 0 "Balanced", or 2 "ControlNet is more important".
        control_mode: Other(|| json!({"type": ["integer", "string", "null"], "default": 0}), control_mode),
        /// For canny: what every pixel of a line exceeds; the default if negative.
        threshold_a: Number((-1.0, CANNY_THRESHOLD.1), |r| &mut r.thresholds[0]),
        /// For canny: what some pixel of a line exceeds; the default if negative.
        threshold_b: Number((-1.0, CANNY_THRESHOLD.1), |r| &mut r.thresholds[1]),
        /// Whether edges are found at the size of the result, as they always are here.
        pixel_perfect: Truth(|r| &mut r.pixel_perfect),
        guessmode: Silent(|r, fields, name| if fields.get(name).is_some_and(|value| !is_nothing(value)) { r.mode = Some(Mode::Control); }),
        mask: Silent(|_, fields, name| refuse(fields, name, NO_MASK)),
        mask_image: Silent(|_, fields, name| refuse(fields, name, NO_MASK)),
        effective_region_mask: Silent(|_, fields, name| refuse(fields, name, NO_MASK)),
        advanced_weighting: Silent(|_, fields, name| refuse(fields, name, NO_WEIGHTS)),
        ipadapter_input: Silent(|_, fields, name| refuse(fields, name, NO_ADAPTER)),
        animatediff_batch: Silent(|_, fields, name| refuse(fields, name, NO_BATCH)),
        batch_images: Silent(|_, fields, name| refuse(fields, name, NO_BATCH)),
        batch_image_dir: Silent(|_, fields, name| refuse(fields, name, NO_BATCH)),
        hr_option: Silent(|_, fields, name| refuse_a_pass(fields, name)),
        // These change how the extension works, not what it makes, or belong to what is refused above.
        low_vram: Silent(|_, _, _| {}),
        lowvram: Silent(|_, _, _| {}),
        processor_res: Silent(|_, _, _| {}),
        save_detected_map: Silent(|_, _, _| {}),
        input_mode: Silent(|_, _, _| {}),
        is_ui: Silent(|_, _, _| {}),
        use_preview_as_input: Silent(|_, _, _| {}),
        generated_image: Silent(|_, _, _| {}),
        inpaint_crop_input_image: Silent(|_, _, _| {}),
        output_dir: Silent(|_, _, _| {}),
        loopback: Silent(|_, _, _| {}),
        pulid_mode: Silent(|_, _, _| {}),
        union_control_type: Silent(|_, _, _| {}),
        batch_mask_dir: Silent(|_, _, _| {}),
        batch_image_files: Silent(|_, _, _| {}),
        batch_modifiers: Silent(|_, _, _| {}),
        batch_keyframe_idx: Silent(|_, _, _| {}),
        animatediff_i2i_batch: Silent(|_, _, _| {}),
    }],
);

fn picture(unit: &mut Unit, fields: &mut Fields<'_>, name: &'static str) {
    let value = match fields.get(name) {
        Some(value) if !is_nothing(value) => value,
        Some(_) | None => return,
    };
    let source = match value {
        Value::Object(parts) => {
            if parts.get("mask").is_some_and(|mask| !is_nothing(mask)) {
                return fields.value_fault(name, NO_MASK);
            }
            parts.get("image").and_then(Value::as_str)
        }
        Value::String(text) => Some(text.as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    match source {
        Some(text) => unit.source = Some(text.to_owned()),
        None => fields.value_fault(name, NOT_AN_IMAGE),
    }
}

fn resize_mode(unit: &mut Unit, fields: &mut Fields<'_>, name: &'static str) {
    let Some(value) = fields.get(name).filter(|value| !value.is_null()) else { return };
    let numbered = || RESIZES.get(usize::try_from(value.as_u64()?).ok()?);
    let named =
        || RESIZES.iter().find(|(_, names)| value.as_str().is_some_and(|text| names.contains(&text.trim().to_lowercase().as_str())));
    match numbered().or_else(named) {
        Some((resize, _)) => unit.resize = *resize,
        None => fields.value_fault(name, NO_RESIZE),
    }
}

fn control_mode(unit: &mut Unit, fields: &mut Fields<'_>, name: &'static str) {
    let Some(value) = fields.get(name).filter(|value| !value.is_null()) else { return };
    let numbered = || MODES.get(usize::try_from(value.as_u64()?).ok()?);
    let named = || MODES.iter().find(|(_, known)| value.as_str().is_some_and(|text| text.trim().to_lowercase() == *known));
    match numbered().or_else(named) {
        Some((Mode::Prompt, _)) => fields.value_fault(name, NO_PROMPT_MODE),
        Some((mode, _)) => unit.mode = Some(*mode),
        None => fields.value_fault(name, NO_MODE),
    }
}

/// Units that act in one pass only. The extension sends the names of its enumeration, with and without its own name.
fn refuse_a_pass(fields: &mut Fields<'_>, name: &'static str) {
    let is_both = |value: &Value| value.as_str().is_some_and(|text| text.to_lowercase().ends_with("both"));
    if fields.get(name).is_some_and(|value| !is_nothing(value) && !is_both(value)) {
        fields.value_fault(name, NO_PASS);
    }
}

/// The units of a request that act, with their places among the arguments.
#[derive(Clone, Default)]
pub(in crate::api::a1111) struct Units {
    script: String,
    acting: Vec<(usize, Unit)>,
    /// The keys that no unit has, with their places.
    pub(in crate::api::a1111) unknown: Vec<String>,
}

impl Units {
    /// Reads the extension's arguments.
    pub(in crate::api::a1111) fn read(&mut self, fields: &mut Fields<'_>, script: &str, arguments: &Value) {
        let place = [Value::from(FIELD), Value::from(script), Value::from("args")];
        let units = match arguments {
            Value::Array(units) => units.as_slice(),
            nothing if is_nothing(nothing) => return,
            Value::Object(_) => std::slice::from_ref(arguments),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return fields.fault(&place, NOT_UNITS, arguments);
            }
        };
        if units.len() > MOST {
            return fields.fault(&place, TOO_MANY, &Value::Null);
        }
        script.clone_into(&mut self.script);
        for (index, value) in units.iter().enumerate().filter(|(_, value)| !is_nothing(value)) {
            let place = [&place[..], &[Value::from(index)]].concat();
            let Value::Object(object) = value else {
                fields.fault(&place, NOT_UNITS, value);
                continue;
            };
            if object.get("enabled").is_some_and(is_nothing) {
                continue;
            }
            let mut inner = fields.inside(object, &place);
            let mut unit = UNIT.fill(&mut inner);
            unit.preprocessing(&mut inner);
            let faults = inner.faults;
            fields.faults.extend(faults);
            let unknown = object.keys().filter(|key| !UNIT.facts().has(key));
            self.unknown.extend(unknown.map(|key| format!("{FIELD}.{script}.args.{index}.{}", shortened(key))));
            self.acting.push((index, unit));
        }
        let modes: Vec<Mode> = self.acting.iter().map(|(_, unit)| unit.mode.unwrap_or_default()).collect();
        if let Some(other) = modes.iter().position(|mode| Some(mode) != modes.first()) {
            let index = self.acting.get(other).map_or(0, |(index, _)| *index);
            fields.fault(&[&place[..], &[index.into(), "control_mode".into()]].concat(), ONE_MODE, &Value::Null);
        }
    }

    /// Whether none acts.
    pub(in crate::api::a1111) fn is_empty(&self) -> bool {
        self.acting.is_empty()
    }

    /// Whether they act on the prompt's half of the guidance only; `None` if there are none.
    pub(in crate::api::a1111) fn guess_mode(&self) -> Option<bool> {
        self.acting.first().map(|(_, unit)| unit.mode == Some(Mode::Control))
    }

    /// Remarks on what has no effect.
    pub(in crate::api::a1111) fn remarks(&self) -> Vec<String> {
        let finds_edges = |unit: &Unit| unit.request.preprocessor.is_some() && unit.pixel_perfect != Some(true);
        let remark =
            || "ControlNet: edges are found at the size of the picture, as with pixel_perfect; processor_res has no effect".to_owned();
        self.acting.iter().any(|(_, unit)| finds_edges(unit)).then(remark).into_iter().collect()
    }

    /// The ControlNets with stand-ins for their pictures, to check everything else; `has_image` if the request has a picture of its own.
    pub(in crate::api::a1111) fn without_images(&self, has_image: bool) -> Vec<ControlRequest> {
        let stand_in = |unit: &Unit| (has_image || unit.source.is_some()).then(|| RgbImage::new(1, 1));
        self.acting.iter().map(|(_, unit)| ControlRequest { image: stand_in(unit), ..unit.request.clone() }).collect()
    }

    /// The ControlNets with their pictures for a result of that size; those without one have the request's own.
    ///
    /// # Errors
    /// 422 for a picture that cannot be had, naming its place.
    pub(in crate::api::a1111) async fn with_images(
        &self,
        own: Option<&RgbImage>,
        size: (u32, u32),
        asker: Requester<'_>,
        state: &ApiState,
    ) -> Result<Vec<ControlRequest>, Problem> {
        let mut requests = Vec::new();
        for (index, unit) in &self.acting {
            let given = match &unit.source {
                Some(source) => state.images().image(source.clone(), asker).await.map(|given| Some(given.image)),
                None => Ok(own.cloned()),
            };
            let refused = |reason: String| Problem::invalid(vec![value_fault(self.place(*index, "image"), &reason, Value::Null)]);
            let image = given.map_err(|error| match error {
                SourceError::Refused(reason) => refused(reason),
                SourceError::Failed(error) => *error,
            })?;
            let resize = unit.resize;
            let sized = actix_web::web::block(move || image.map(|image| sized(image, resize, size)).transpose()).await?;
            let image = sized.map_err(|error| refused(error.to_string()))?;
            requests.push(ControlRequest { image, ..unit.request.clone() });
        }
        Ok(requests)
    }

    fn place(&self, index: usize, field: &str) -> Vec<Value> {
        vec!["body".into(), FIELD.into(), self.script.as_str().into(), "args".into(), index.into(), field.into()]
    }

    /// Puts faults of ControlNets at the places of their units.
    pub(in crate::api::a1111) fn renamed(&self, mut problem: Problem) -> Problem {
        for fault in &mut problem.fields {
            self.rename(fault);
        }
        problem
    }

    fn rename(&self, fault: &mut ValidationErrorDetail) {
        let at = |index: usize| fault.loc.get(index);
        let field = match at(1).and_then(Value::as_str) {
            Some("guess_mode") => Some((0, "control_mode")),
            Some("controlnets") => {
                let entry = at(2).and_then(Value::as_u64).and_then(|entry| usize::try_from(entry).ok());
                entry.map(|entry| (entry, unit_field(at(3).and_then(Value::as_str).unwrap_or_default())))
            }
            Some(_) | None => return,
        };
        fault.loc = match field {
            Some((entry, field)) => self.place(self.acting.get(entry).map_or(entry, |(index, _)| *index), field),
            None => self.place(0, "").into_iter().take(4).collect(),
        };
    }
}

impl Unit {
    /// Checks the module and its thresholds, and takes the ControlNet's name.
    fn preprocessing(&mut self, fields: &mut Fields<'_>) {
        let module = self.module.as_deref().unwrap_or_default().trim().to_lowercase();
        match module.as_str() {
            "" | "none" => {}
            "canny" => {
                self.request.preprocessor = Some("canny".to_owned());
                let [low, high] = self.thresholds.map(|threshold| threshold.filter(|threshold| *threshold >= 0.0));
                (self.request.low_threshold, self.request.high_threshold) = (low, high);
            }
            _ => fields.value_fault("module", NO_MODULE),
        }
        self.request.name = self.model.as_deref().map(name_of).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none"));
    }
}

/// A ControlNet's name without the hash that the extension shows behind it.
fn name_of(title: &str) -> String {
    let title = title.trim();
    let is_hash = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let split = title.strip_suffix(']').and_then(|title| title.rsplit_once(" ["));
    split.filter(|(_, hash)| is_hash(hash)).map_or(title, |(name, _)| name).to_owned()
}

/// A unit's name for a field of a [`ControlRequest`].
fn unit_field(field: &str) -> &'static str {
    match field {
        "name" => "model",
        "weight" => "weight",
        "start" => "guidance_start",
        "end" => "guidance_end",
        "preprocessor" => "module",
        "low_threshold" => "threshold_a",
        "high_threshold" => "threshold_b",
        _ => "image",
    }
}

/// A picture at the size of the result.
fn sized(image: RgbImage, resize: Resize, (width, height): (u32, u32)) -> diffusion_core::Result<RgbImage> {
    if image.dimensions() == (width, height) {
        return Ok(image);
    }
    match resize {
        Resize::Stretched => Ok(image),
        Resize::Cropped => resized_part(&image, Part::covering(image.dimensions(), (width, height)), width, height),
        Resize::Filled => padded(&image, width, height),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn names_lose_the_hash_that_is_shown_behind_them() {
        for (title, name) in [
            ("control_v11p_sd15_canny [d14c016b]", "control_v11p_sd15_canny"),
            (" canny ", "canny"),
            ("net [large]", "net [large]"),
            ("net [d14c016b] x", "net [d14c016b] x"),
        ] {
            assert_eq!(name_of(title), name);
        }
    }

    #[test]
    fn pictures_of_other_proportions_are_cropped_filled_or_left() {
        let image = RgbImage::from_fn(40, 20, |x, _| if x < 20 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
        let made = |resize| sized(image.clone(), resize, (20, 20)).unwrap();
        let corners = |image: &RgbImage| [image.get_pixel(0, 0).0, image.get_pixel(image.width() - 1, image.height() - 1).0];
        assert_eq!(made(Resize::Stretched).dimensions(), (40, 20));
        // The middle of both halves.
        assert_eq!((made(Resize::Cropped).dimensions(), corners(&made(Resize::Cropped))), ((20, 20), [[255, 0, 0], [0, 0, 255]]));
        let filled = made(Resize::Filled);
        assert_eq!((filled.dimensions(), corners(&filled)), ((20, 20), [[255, 0, 0], [0, 0, 255]]));
    }
}
