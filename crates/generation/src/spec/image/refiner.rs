//! The model that ends an image which another one began.
//!
//! It must not know which models there are: the backend that has them judges the name. Invariant: the switch is a share, and needs a refiner.

use serde::{Deserialize, Serialize};

use super::{ControlsSpec, ImageMode, ImageSpec};
use crate::spec::{
    check::{Check, model_name},
    field_error::FieldErrorKind,
    limits::SHARE,
};

/// The share of training's timesteps after which the refiner takes over, where the request sets none: that of its published examples.
pub const DEFAULT_REFINER_SWITCH: f64 = 0.8;

/// The refiner of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefinerSpec {
    model: String,
    switch: f64,
}

impl RefinerSpec {
    /// The model, by the operator's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The share of training's timesteps after which it takes over, 0 to 1.
    pub fn switch(&self) -> f64 {
        self.switch
    }
}

impl Check {
    /// The refiner of a request; `Some(None)` without one.
    pub(super) fn refiner(&mut self, model: Option<String>, switch: Option<f64>, has_mask: bool) -> Option<Option<RefinerSpec>> {
        let Some(model) = model_name(model) else {
            return match switch {
                Some(switch) => {
                    let error = "it needs the model that takes over (refiner)".to_owned();
                    self.fail("refiner_switch", switch, FieldErrorKind::Value { error })
                }
                None => Some(None),
            };
        };
        if has_mask {
            let error = "a refiner cannot continue inside a mask: leave out mask_image or refiner".to_owned();
            return self.fail("refiner", model, FieldErrorKind::Value { error });
        }
        let switch = self.float("refiner_switch", switch, DEFAULT_REFINER_SWITCH, SHARE)?;
        Some(Some(RefinerSpec { model, switch }))
    }
}

impl ImageSpec {
    /// The refiner's part of this work as work of its own: with its model, and without what concerns the model before it.
    pub(crate) fn refining(&self, refiner: &RefinerSpec) -> Self {
        Self {
            model: Some(refiner.model.clone()),
            refiner: None,
            hires: None,
            loras: Vec::new(),
            controls: ControlsSpec::default(),
            mode: Box::new(ImageMode::TextToImage),
            ..self.clone()
        }
    }
}
