//! The setting of a model's autoencoder: one of its own by name, or one from elsewhere.
//!
//! It opens no file. The invariant: a path that is also a name means the name; `./tiny` means the path.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
};

use diffusion_core::weights::VaeChoice;

/// A model's autoencoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VaeSetting {
    /// One that the model has, for requests that choose none.
    Named(VaeChoice),
    /// The folder or the file of another one.
    Elsewhere(PathBuf),
}

impl VaeSetting {
    /// The named one.
    pub(super) fn named(&self) -> Option<VaeChoice> {
        match self {
            Self::Named(choice) => Some(*choice),
            Self::Elsewhere(_) => None,
        }
    }

    /// The place of the other one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(_) => None,
            Self::Elsewhere(path) => Some(path),
        }
    }
}

impl FromStr for VaeSetting {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Elsewhere(text.into()), Self::Named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_paths() {
        let table = [
            ("full", VaeSetting::Named(VaeChoice::Full)),
            ("tiny", VaeSetting::Named(VaeChoice::Tiny)),
            ("./tiny", VaeSetting::Elsewhere("./tiny".into())),
            ("vae/fp16-fix.safetensors", VaeSetting::Elsewhere("vae/fp16-fix.safetensors".into())),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }
}
