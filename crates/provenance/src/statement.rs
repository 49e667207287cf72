//! What a manifest says of a file, and its form in C2PA.
//!
//! It must not know certificates. The invariant: a file that a model made from nothing but numbers and words is "created", of the source type
//! `trainedAlgorithmicMedia`; one whose pixels continue a given picture is "opened" and "edited", of the type
//! `compositeWithTrainedAlgorithmicMedia`, and names that picture as its parent.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// The label of the assertion that says with what a file was made.
pub const GENERATION_LABEL: &str = "org.framewright.generation";

/// IPTC's names of digital sources.
const TRAINED: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
const COMPOSITE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/// The program, as manifests name it.
const GENERATOR: &str = "Framewright";
/// Its version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How a file came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A model made it. Given pictures only led it: the outlines for a ControlNet, the first frame of an animation.
    Created,
    /// A model changed a given picture: image to image, inside a mask, or enlarged.
    Edited,
}

/// The largest whole number that every reader of JSON reads exactly, 2^53 - 1.
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// How the file came to be.
    pub origin: Origin,
    /// The models that made it, the first one first.
    pub models: Vec<String>,
    /// The seed; `None` where nothing was drawn from one.
    pub seed: Option<u64>,
    /// SHA-256 of the validated request, in hexadecimal.
    pub settings_sha256: String,
    /// The pictures that led the model, by what they are: "control picture", "first frame".
    pub guides: Vec<String>,
}

impl Statement {
    /// The manifest's definition, in the JSON of c2pa's builder.
    pub(crate) fn definition(&self, when: SystemTime) -> Value {
        let agent = json!({ "name": GENERATOR, "version": VERSION });
        let when = rfc3339(when);
        let guides = self.guides.iter().enumerate().map(|(index, title)| (format!("guide-{index}"), title.as_str(), "inputTo"));
        let parent = (self.origin == Origin::Edited).then(|| ("parent".to_owned(), "source picture", "parentOf"));
        let guide_labels: Vec<String> = guides.clone().map(|(label, ..)| label).collect();
        let ingredients: Vec<Value> = parent
            .into_iter()
            .chain(guides)
            .map(|(label, title, relationship)| json!({ "label": label, "title": title, "relationship": relationship }))
            .collect();
        let actions = match self.origin {
            Origin::Created => {
                let mut created = json!({ "action": "c2pa.created", "when": when, "softwareAgent": agent, "digitalSourceType": TRAINED });
                if !guide_labels.is_empty() {
                    created["parameters"] = json!({ "ingredientIds": guide_labels });
                }
                vec![created]
            }
            Origin::Edited => {
                let opened =
                    json!({ "action": "c2pa.opened", "when": when, "softwareAgent": agent, "parameters": { "ingredientIds": ["parent"] } });
                let mut edited = json!({ "action": "c2pa.edited", "when": when, "softwareAgent": agent, "digitalSourceType": COMPOSITE });
                if !guide_labels.is_empty() {
                    edited["parameters"] = json!({ "ingredientIds": guide_labels });
                }
                vec![opened, edited]
            }
        };
        // The library refuses numbers beyond i64, and JavaScript rounds those beyond 2^53.
        let seed = self.seed.map(|seed| if seed <= LARGEST_EXACT { json!(seed) } else { json!(seed.to_string()) });
        let mut generation = json!({ "models": self.models, "settings_sha256": self.settings_sha256 });
        if let Some(seed) = seed {
            generation["seed"] = seed;
        }
        json!({
            "claim_generator_info": [agent],
            "ingredients": ingredients,
            "assertions": [
                { "label": "c2pa.actions.v2", "created": true, "data": { "actions": actions, "allActionsIncluded": true } },
                { "label": GENERATION_LABEL, "created": true, "data": generation },
            ],
        })
    }
}

/// A time in whole seconds, as RFC 3339 writes it.
fn rfc3339(time: SystemTime) -> String {
    timestamp(time).to_string()
}

/// The day of a time, in UTC.
pub(crate) fn day(time: SystemTime) -> String {
    timestamp(time).strftime("%Y-%m-%d").to_string()
}

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // The year 9999, if a clock is beyond it.
    jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or(i64::MAX)).unwrap_or(jiff::Timestamp::MAX)
}
