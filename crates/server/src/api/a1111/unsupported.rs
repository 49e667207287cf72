//! What the web UI can do and this server cannot: fields that are refused unless their value asks for nothing.
//!
//! The invariant: a value that would change the picture is refused by its name, and one that would not (null, false, 0, an empty text or
//! list) is accepted, because clients send all fields.

use serde_json::Value;

use super::controlnet::unit::SCRIPT;
use crate::inputs::{Fields, Row, TypeFault, rows};

const NO_FACES: TypeFault = ("value_error", "Value error, this server restores no faces: send false");
const NO_TILING: TypeFault = ("value_error", "Value error, this server makes no pictures that tile: send false");
const NO_SCRIPTS: TypeFault = ("value_error", "Value error, this server runs no scripts: leave it out");
const NO_ALWAYS_ON: TypeFault = ("value_error", "Value error, this server has no such extension: leave it out, or disable it");
const NO_STYLES: TypeFault = ("value_error", "Value error, this server has no prompt styles: write the style into the prompt");
const NO_SUBSEEDS: TypeFault = ("value_error", "Value error, this server mixes no second seed in: send 0");
const NO_SEED_RESIZE: TypeFault = ("value_error", "Value error, this server resizes no seeds: send 0");
const NO_CHURN: TypeFault = ("value_error", "Value error, the samplers of this server take no value but the default here");
const NO_INFOTEXT: TypeFault = ("value_error", "Value error, this server takes settings from fields only: send them as fields");
const NO_OLD_SIZE: TypeFault = ("value_error", "Value error, this server takes the size of the first pass from width and height: send 0");
const NO_GIVEN_PASS: TypeFault = ("value_error", "Value error, this server makes the first pass itself: leave it out");
const ONE_CHECKPOINT: TypeFault = ("value_error", "Value error, the second pass has the checkpoint of the first: leave it out");
const NO_IMAGE_GUIDANCE: TypeFault = ("value_error", "Value error, no model of this server is guided by its picture: leave it out");
const NO_NOISE_FACTOR: TypeFault = ("value_error", "Value error, this server adds the noise as it is: send 1");
const NO_EXTRA: TypeFault = ("value_error", "Value error, this server reads the prompt's <lora:..> always: take it out of the prompt");
const NO_LATENT_MASK: TypeFault = ("value_error", "Value error, this server takes the mask from mask only: leave it out");

/// The fields that are refused.
pub(super) const fn unsupported_rows<R: 'static>() -> [Row<R>; 25] {
    rows! { R;
        styles: Silent(|_, fields, name| refuse(fields, name, NO_STYLES)),
        subseed: Silent(|_, _, _| {}),
        subseed_strength: Silent(|_, fields, name| refuse(fields, name, NO_SUBSEEDS)),
        seed_resize_from_w: Silent(|_, fields, name| refuse_beyond(fields, name, 0.0, NO_SEED_RESIZE)),
        seed_resize_from_h: Silent(|_, fields, name| refuse_beyond(fields, name, 0.0, NO_SEED_RESIZE)),
        restore_faces: Silent(|_, fields, name| refuse(fields, name, NO_FACES)),
        tiling: Silent(|_, fields, name| refuse(fields, name, NO_TILING)),
        s_min_uncond: Silent(|_, fields, name| refuse(fields, name, NO_CHURN)),
        s_churn: Silent(|_, fields, name| refuse(fields, name, NO_CHURN)),
        // Without churn these two have no effect in the web UI either.
        s_tmin: Silent(|_, _, _| {}),
        s_tmax: Silent(|_, _, _| {}),
        s_noise: Silent(|_, fields, name| refuse_but(fields, name, 1.0, NO_CHURN)),
        script_name: Silent(|_, fields, name| refuse(fields, name, NO_SCRIPTS)),
        // Without a script they have no effect in the web UI either.
        script_args: Silent(|_, _, _| {}),
        infotext: Silent(|_, fields, name| refuse(fields, name, NO_INFOTEXT)),
        comments: Silent(|_, _, _| {}),
        firstphase_width: Silent(|_, fields, name| refuse(fields, name, NO_OLD_SIZE)),
        firstphase_height: Silent(|_, fields, name| refuse(fields, name, NO_OLD_SIZE)),
        firstpass_image: Silent(|_, fields, name| refuse(fields, name, NO_GIVEN_PASS)),
        hr_checkpoint_name: Silent(|_, fields, name| refuse_unless_said(fields, name, "Use same checkpoint", ONE_CHECKPOINT)),
        hr_additional_modules: Silent(|_, _, _| {}),
        do_not_save_samples: Silent(|_, _, _| {}),
        do_not_save_grid: Silent(|_, _, _| {}),
        force_task_id: Silent(|_, _, _| {}),
        disable_extra_networks: Silent(|_, fields, name| refuse(fields, name, NO_EXTRA)),
    }
}

/// Those of requests with a picture.
pub(super) const fn unsupported_picture_rows<R: 'static>() -> [Row<R>; 3] {
    rows! { R;
        // Clients send the default to models that do not read it, as the web UI's own page does.
        image_cfg_scale: Silent(|_, fields, name| refuse_unless(fields, name, &[0.0, 1.0, 1.5], NO_IMAGE_GUIDANCE)),
        initial_noise_multiplier: Silent(|_, fields, name| refuse_but(fields, name, 1.0, NO_NOISE_FACTOR)),
        latent_mask: Silent(|_, fields, name| refuse(fields, name, NO_LATENT_MASK)),
    }
}

/// Whether a value asks for nothing.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty() || text.eq_ignore_ascii_case("none"),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

pub(super) fn refuse(fields: &mut Fields<'_>, name: &'static str, fault: TypeFault) {
    if fields.get(name).is_some_and(|value| !is_nothing(value)) {
        fields.value_fault(name, fault);
    }
}

fn refuse_but(fields: &mut Fields<'_>, name: &'static str, allowed: f64, fault: TypeFault) {
    refuse_unless(fields, name, &[allowed], fault);
}

fn refuse_unless(fields: &mut Fields<'_>, name: &'static str, allowed: &[f64], fault: TypeFault) {
    if fields.get(name).is_some_and(|value| !value.is_null() && !value.as_f64().is_some_and(|number| allowed.contains(&number))) {
        fields.value_fault(name, fault);
    }
}

fn refuse_beyond(fields: &mut Fields<'_>, name: &'static str, most: f64, fault: TypeFault) {
    if fields.get(name).is_some_and(|value| !value.is_null() && value.as_f64().is_none_or(|number| number > most)) {
        fields.value_fault(name, fault);
    }
}

fn refuse_unless_said(fields: &mut Fields<'_>, name: &'static str, allowed: &str, fault: TypeFault) {
    if fields.get(name).is_some_and(|value| !is_nothing(value) && value.as_str() != Some(allowed)) {
        fields.value_fault(name, fault);
    }
}

/// Extensions: those that are there but do nothing have no arguments, or false as their first. The one for ControlNets is handed to `units`.
pub(super) fn refuse_scripts(fields: &mut Fields<'_>, name: &'static str, mut units: impl FnMut(&mut Fields<'_>, &str, &Value)) {
    let value = match fields.get(name) {
        Some(value) if !is_nothing(value) => value,
        Some(_) | None => return,
    };
    let Value::Object(scripts) = value else { return fields.value_fault(name, NO_SCRIPTS) };
    for (script, settings) in scripts {
        let arguments = settings.get("args").unwrap_or(settings);
        if script.eq_ignore_ascii_case(SCRIPT) {
            units(fields, script, arguments);
            continue;
        }
        let is_off = match arguments {
            Value::Array(arguments) => arguments.first().is_none_or(is_nothing),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => is_nothing(arguments),
        };
        if !is_off {
            let shortened = generation::field_error::shortened(script).into_owned();
            fields.fault(&[name.into(), shortened.into()], NO_ALWAYS_ON, &Value::Null);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inputs::Table;

    static TABLE: Table<()> = Table::new("Refused", "", || Value::Null, &[&unsupported_rows(), &unsupported_picture_rows()]);

    fn faults(json: &Value) -> Vec<String> {
        let body = TABLE.read(json.as_object().cloned().unwrap_or_default());
        body.faults.iter().map(crate::http::ValidationErrorDetail::field).collect()
    }

    #[test]
    fn values_that_ask_for_nothing_are_accepted_and_others_are_named() {
        let idle = json!({
            "styles": [], "subseed": -1, "subseed_strength": 0, "seed_resize_from_w": -1, "seed_resize_from_h": 0, "restore_faces": false,
            "tiling": null, "s_churn": 0, "s_noise": 1.0, "s_tmax": null, "script_name": "None", "script_args": [1], "infotext": null,
            "hr_checkpoint_name": "Use same checkpoint",
            "image_cfg_scale": 1.5, "initial_noise_multiplier": 1, "firstphase_width": 0,
        });
        assert_eq!(faults(&idle), Vec::<String>::new());
        for (field, value) in [
            ("styles", json!(["ink"])),
            ("subseed_strength", json!(0.1)),
            ("seed_resize_from_w", json!(512)),
            ("restore_faces", json!(true)),
            ("tiling", json!(true)),
            ("s_churn", json!(1)),
            ("s_noise", json!(0)),
            ("script_name", json!("x/y/z plot")),
            ("hr_checkpoint_name", json!("turbo")),
            ("image_cfg_scale", json!(3)),
            ("latent_mask", json!("AAAA")),
        ] {
            assert_eq!(faults(&json!({field: value})), [field]);
        }
    }
}
