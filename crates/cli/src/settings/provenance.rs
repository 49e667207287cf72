//! Settings of signed manifests.

use std::{path::PathBuf, str::FromStr};

use serde::Deserialize;

use super::values;

/// Whether files get a signed manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum C2pa {
    /// They get none.
    #[default]
    Off,
    /// Every image and video that a model here makes gets one.
    On,
}

impl FromStr for C2pa {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => Err(format!("{name:?} is none of off, on")),
        }
    }
}

/// Signed manifests (C2PA) in images and videos.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProvenanceSettings {
    /// `on` puts a signed manifest (C2PA) into every image and video that a model here makes, which says so; `off` leaves them as they are.
    #[serde(deserialize_with = "values::parsed")]
    pub c2pa: C2pa,
    /// Your certificate for signing content, a PEM file with it first and its issuers behind it. Absent: one is made at the first start and
    /// kept in the data folder as `c2pa-signer.pem`; verifiers call it untrusted.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file (PKCS #8, not encrypted). Never printed.
    pub private_key: Option<PathBuf>,
}
