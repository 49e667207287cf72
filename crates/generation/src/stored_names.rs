//! Values of lower crates inside a stored spec, as the words that people write: "euler", "30000/1001", {"crossfade": {"frames": 12}}.
//!
//! The invariant: what is read back is what was written. For fields with `#[serde(with = "stored_names::..")]`.

use std::{fmt::Display, str::FromStr};

use diffusion_core::pipelines::scenes::Join;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A value that is written as it is printed.
pub(crate) mod word {
    use super::*;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The same where there may be none.
pub(crate) mod optional_word {
    use super::*;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let word = Option::<String>::deserialize(deserializer)?;
        word.map(|word| word.parse().map_err(D::Error::custom)).transpose()
    }
}

/// How scenes go over into each other.
pub(crate) mod joins {
    use super::*;

    /// What serde writes of a [`Join`].
    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Join", rename_all = "snake_case")]
    enum StoredJoin {
        Cut,
        Crossfade { frames: usize },
        Slerp { frames: usize },
    }

    #[derive(Serialize, Deserialize)]
    struct Each(#[serde(with = "StoredJoin")] Join);

    pub(crate) fn serialize<S: Serializer>(joins: &[Join], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(joins.iter().copied().map(Each))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Join>, D::Error> {
        Ok(Vec::<Each>::deserialize(deserializer)?.into_iter().map(|each| each.0).collect())
    }
}
