//! The models that are compiled into the program.
//!
//! It must not know what is in the files: build.rs lists `models/nano-sd` and `models/nano-svd`, and a table is a weight source like any
//! other.

use crate::weights::EmbeddedModel;

/// Name in the model's folder and content of every file of `models/nano-sd`.
static NANO_SD: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/nano_sd_files.rs"));

/// The same of `models/nano-svd`.
static NANO_SVD: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/nano_svd_files.rs"));

/// nano-sd, the small model in this program: a program copied elsewhere makes pictures with nothing else.
///
/// Loading it fails with [`crate::Error::File`] if the program was built from a checkout without `models/nano-sd`.
pub fn nano_sd() -> EmbeddedModel {
    EmbeddedModel::new("nano-sd", NANO_SD)
}

/// nano-svd, the small model in this program that sets a picture in motion.
///
/// Loading it fails with [`crate::Error::File`] if the program was built from a checkout without `models/nano-svd`.
pub fn nano_svd() -> EmbeddedModel {
    EmbeddedModel::new("nano-svd", NANO_SVD)
}
