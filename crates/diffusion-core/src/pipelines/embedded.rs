//! The models that are compiled into the program.
//!
//! This module must not depend on the contents of the files: build.rs lists `models/nano-sd` and `models/nano-svd`, and a table is a weight
//! source like any other.

use crate::weights::EmbeddedModel;

/// The name in the model's folder and the content of every file of `models/nano-sd`.
static NANO_SD: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/nano_sd_files.rs"));

/// The same for `models/nano-svd`.
static NANO_SVD: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/nano_svd_files.rs"));

/// nano-sd, the embedded image model: the program generates images without any other file.
///
/// Loading it fails with [`crate::Error::File`] if the program was built from a checkout without `models/nano-sd`.
pub fn nano_sd() -> EmbeddedModel {
    EmbeddedModel::new("nano-sd", NANO_SD)
}

/// nano-svd, the embedded image-to-video model.
///
/// Loading it fails with [`crate::Error::File`] if the program was built from a checkout without `models/nano-svd`.
pub fn nano_svd() -> EmbeddedModel {
    EmbeddedModel::new("nano-svd", NANO_SVD)
}
