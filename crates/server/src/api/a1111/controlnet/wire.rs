//! The answers of the extension's routes.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// The version of the extension's API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlVersion {
    /// Always 3: units are objects in `alwayson_scripts.ControlNet.args`.
    #[schema(example = 3)]
    pub(crate) version: u32,
}

/// What holds for all units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlSettings {
    /// The most units that act in one request.
    #[schema(example = 4)]
    pub(crate) control_net_unit_count: usize,
}

/// ControlNets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlModels {
    /// Their names, as a unit's `model` takes them.
    #[schema(example = json!(["control_v11p_sd15_canny"]))]
    pub(crate) model_list: Vec<String>,
}

/// What makes control images from pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlModules {
    /// Their names, as a unit's `module` takes them.
    #[schema(example = json!(["none", "canny"]))]
    pub(crate) module_list: Vec<&'static str>,
    /// Their settings.
    pub(crate) module_detail: BTreeMap<&'static str, WebUiControlModule>,
}

/// A module's settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlModule {
    /// Whether it is used without a ControlNet; always false.
    pub(crate) model_free: bool,
    /// What `processor_res`, `threshold_a` and `threshold_b` mean; the first has no effect here.
    pub(crate) sliders: Vec<WebUiControlSlider>,
}

/// A setting of a module.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlSlider {
    /// Its name.
    #[schema(example = "Canny Low Threshold")]
    pub(crate) name: &'static str,
    /// Its default.
    #[schema(example = 100.0)]
    pub(crate) value: f64,
    /// Its least value.
    #[schema(example = 0.0)]
    pub(crate) min: f64,
    /// Its greatest value.
    #[schema(example = 2040.0)]
    pub(crate) max: f64,
}

/// What a module made of pictures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiControlImages {
    /// The control images, base64 of PNG files.
    #[schema(example = json!(["iVBORw0KGgoAAAANSUhEUgAA..."]))]
    pub(crate) images: Vec<String>,
    /// "Success".
    #[schema(example = "Success")]
    pub(crate) info: &'static str,
}
