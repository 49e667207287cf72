//! The names of a model's autoencoders: its own, and a small one beside it.
//!
//! This module must not depend on what an autoencoder computes. Invariant: every name that is written can be read.

use std::{fmt, str::FromStr};

/// One of a model's autoencoders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VaeChoice {
    /// The model's own, or one that replaces it.
    #[default]
    Full,
    /// A small approximation of it: an AutoencoderTiny (TAESD).
    Tiny,
}

impl VaeChoice {
    /// Every choice, in the order in which messages list them.
    pub const ALL: [Self; 2] = [Self::Full, Self::Tiny];

    /// The name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Tiny => "tiny",
        }
    }
}

impl fmt::Display for VaeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for VaeChoice {
    type Err = String;

    /// # Errors
    /// A sentence with the known names.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| format!("not an autoencoder: {text:?}; use one of {names}"))
    }
}
