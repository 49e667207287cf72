//! The joins between scenes inside a stored spec: "cut", {"crossfade": {"frames": 12}}. For fields with `#[serde(with = "stored_joins")]`.

use diffusion_core::pipelines::scenes::Join;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The serialized form of a [`Join`].
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
