//! The adapters in the bodies of image requests.
//!
//! It must not know which adapters there are. The invariant: an entry that is neither a text nor an object with a name is a fault.

use diffusion_core::adapters::{AdapterChoice, MOST_WEIGHT};
use generation::Limits;
use serde_json::{Value, json};

use crate::inputs::{Fields, Table, field_names::MOST_ENTRIES, rows};

/// The longest name of an adapter, in characters.
const LONGEST_NAME: usize = 240;

/// An entry of `loras`.
#[derive(Default)]
pub(crate) struct LoraEntry {
    name: Option<String>,
    weight: Option<f64>,
    text_weight: Option<f64>,
}

/// The table of an entry.
pub(crate) static LORA: Table<LoraEntry> = Table::new(
    "Lora",
    "An adapter, and how strongly it changes the model.",
    || json!({"name": "ink", "weight": 0.8}),
    &[&rows! { LoraEntry;
        /// Its name: one that `GET /models` lists in `adapters`.
        name: Text(|r| &mut r.name).required().checked().length(1, LONGEST_NAME),
        /// Its weight in the noise predictor: 1 as it was trained, less than 0 the other way.
        weight: Number((-MOST_WEIGHT, MOST_WEIGHT), |r| &mut r.weight).checked().or(|| 1.into()),
        /// Its weight in the text encoder; the same if absent.
        text_weight: Number((-MOST_WEIGHT, MOST_WEIGHT), |r| &mut r.text_weight).checked(),
    }],
);

/// The schema of `loras`.
pub(crate) fn loras_schema() -> Value {
    let entry = json!({"oneOf": [{"$ref": LORA.facts().reference()}, {"type": "string", "examples": ["ink:0.8"]}]});
    json!({"type": ["array", "null"], "items": entry, "maxItems": Limits::DEFAULT.max_loras})
}

/// Reads the field; entries are objects, or texts such as "ink:0.8".
pub(crate) fn loras(body: &mut Fields<'_>, name: &'static str) -> Option<Vec<AdapterChoice>> {
    let value = body.get(name).filter(|value| !value.is_null())?;
    let Value::Array(entries) = value else {
        body.value_fault(name, ("list_type", "Input should be a valid list"));
        return None;
    };
    // Longer lists are refused for their length, whatever the entries are.
    let read = entries.iter().enumerate().take(MOST_ENTRIES).map(|(index, entry)| {
        let place = [Value::from(name), Value::from(index)];
        let choice = match entry {
            Value::String(text) => text.parse().ok(),
            Value::Object(object) => {
                let mut fields = body.inside(object, &place);
                let LoraEntry { name, weight, text_weight } = LORA.fill(&mut fields);
                let faults = fields.faults;
                let is_faulty = !faults.is_empty();
                body.faults.extend(faults);
                if is_faulty {
                    return None;
                }
                let unet_weight = weight.unwrap_or(1.0);
                name.map(|name| AdapterChoice { name, unet_weight, text_weight: text_weight.unwrap_or(unet_weight) })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        if choice.is_none() {
            let sentence = "Input should be an object with a name and a weight from -100 to 100, or a text such as \"ink:0.8\"";
            body.fault(&place, ("value_error", sentence), entry);
        }
        choice
    });
    // All of them are read, so that every fault is found.
    read.collect::<Vec<_>>().into_iter().collect()
}
