//! The web UI's extension for ControlNets (sd-webui-controlnet, whose API is version 3).
//!
//! * [`mod@unit`] reads its units in the bodies of txt2img and img2img, and makes ControlNets of them;
//! * [`routes`] say what there is, and show what a module makes of a picture.

pub(crate) mod routes;
pub(super) mod unit;
pub(crate) mod wire;
