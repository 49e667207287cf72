//! The ControlNets in the bodies of image requests.
//!
//! It must not know which ControlNets there are. The invariants: an entry that is not an object is a fault; nothing is fetched for a body
//! that is invalid anyway.

use generation::{
    ControlRequest, Limits,
    limits::{CANNY_THRESHOLD, CONTROL_WEIGHT, SHARE},
    validate::{CANNY_THRESHOLDS, PREPROCESSORS},
};
use image::RgbImage;
use serde_json::{Value, json};

use crate::{
    http::Problem,
    inputs::{Body, Fields, Holds, Requester, Row, SourceError, Table, field_names::MOST_ENTRIES, rows},
    state::ApiState,
};

/// The longest name of a ControlNet, in characters.
const LONGEST_NAME: usize = 240;

/// An entry of `controlnets`.
#[derive(Clone, Default)]
pub(crate) struct ControlEntry {
    request: ControlRequest,
    /// The picture as the caller names or sends it.
    source: Option<String>,
}

/// The fields about ControlNets of an image's body.
#[derive(Clone, Default)]
pub(crate) struct Controls {
    entries: Vec<ControlEntry>,
    pub(crate) guess_mode: Option<bool>,
}

/// The table of an entry.
pub(crate) static CONTROL: Table<ControlEntry> = Table::new(
    "ControlNet",
    "A ControlNet, and the picture that it makes the result follow.",
    || Value::Null,
    &[&rows! { ControlEntry;
        /// Its name: one that `GET /models` lists in `controlnets`.
        name: Text(|r| &mut r.request.name).required().checked().length(1, LONGEST_NAME),
        /// The control image (edges, depth, a pose, as the ControlNet was trained on), or with a `preprocessor` the picture that it is made
        /// from: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is stretched to the result's size.
        image: Text(|r| &mut r.source).required().checked(),
        /// How strongly it acts; at 0 it is left out.
        weight: Number(CONTROL_WEIGHT, |r| &mut r.request.weight).checked().or(|| 1.into()),
        /// The share of the steps before it acts.
        start: Number(SHARE, |r| &mut r.request.start).checked().or(|| 0.into()),
        /// The share of the steps after which it no longer acts. From `start` to `end` there must be a whole step.
        end: Number(SHARE, |r| &mut r.request.end).checked().or(|| 1.into()),
        /// What makes the control image from the picture: `none`, or `canny` (its edges, as OpenCV finds them).
        preprocessor: Text(|r| &mut r.request.preprocessor).one_of(|| PREPROCESSORS.to_vec()).or(|| "none".into()),
        /// For `canny`: what every pixel of a line exceeds.
        low_threshold: Number(CANNY_THRESHOLD, |r| &mut r.request.low_threshold).checked().or(|| CANNY_THRESHOLDS.0.into()),
        /// For `canny`: what some pixel of a line exceeds.
        high_threshold: Number(CANNY_THRESHOLD, |r| &mut r.request.high_threshold).checked().or(|| CANNY_THRESHOLDS.1.into()),
    }],
);

/// The fields that all image bodies share.
pub(crate) const fn control_rows<R: Holds<Controls>>() -> [Row<R>; 2] {
    rows! { R;
        /// ControlNets: pictures whose edges, depth or poses the result follows. Several are added up.
        controlnets: Other(controls_schema, |r, fields, name| r.held().entries = controls(fields, name)).inside(|| CONTROL.facts()),
        /// Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a
        /// `guidance_scale` of 3 to 5 suits it.
        guess_mode: Truth(|r| &mut r.held().guess_mode),
    }
}

fn controls_schema() -> Value {
    let entry = json!({"$ref": CONTROL.facts().reference()});
    json!({"type": ["array", "null"], "items": entry, "maxItems": Limits::DEFAULT.max_controlnets})
}

fn controls(body: &mut Fields<'_>, name: &'static str) -> Vec<ControlEntry> {
    let Some(value) = body.get(name).filter(|value| !value.is_null()) else { return Vec::new() };
    let Value::Array(entries) = value else {
        body.value_fault(name, ("list_type", "Input should be a valid list"));
        return Vec::new();
    };
    // Longer lists are refused for their length, whatever the entries are.
    let read = entries.iter().enumerate().take(MOST_ENTRIES).map(|(index, entry)| {
        let place = [Value::from(name), Value::from(index)];
        let Value::Object(object) = entry else {
            body.fault(&place, ("dict_type", "Input should be a valid dictionary"), entry);
            return ControlEntry::default();
        };
        let mut fields = body.inside(object, &place);
        let entry = CONTROL.fill(&mut fields);
        let faults = fields.faults;
        body.faults.extend(faults);
        entry
    });
    read.collect()
}

impl Controls {
    /// The ControlNets with stand-ins for their pictures, to check everything else.
    pub(crate) fn without_images(&self) -> Vec<ControlRequest> {
        let stand_in =
            |entry: &ControlEntry| ControlRequest { image: entry.source.as_ref().map(|_| RgbImage::new(1, 1)), ..entry.request.clone() };
        self.entries.iter().map(stand_in).collect()
    }

    /// The ControlNets with their pictures, which are fetched and decoded.
    ///
    /// # Errors
    /// 422 for a picture that cannot be had, naming the field.
    pub(crate) async fn with_images<R>(
        &mut self,
        body: &Body<R>,
        asker: Requester<'_>,
        state: &ApiState,
    ) -> Result<Vec<ControlRequest>, Problem> {
        let mut requests = Vec::new();
        for (index, ControlEntry { request, source }) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            let image = match source {
                None => None,
                Some(source) => {
                    let given = state.images().image(source, asker).await.map_err(|error| match error {
                        SourceError::Refused(reason) => body.fault_in("controlnets", (index, "image"), reason),
                        SourceError::Failed(error) => *error,
                    })?;
                    Some(given.image)
                }
            };
            requests.push(ControlRequest { image, ..request });
        }
        Ok(requests)
    }
}
