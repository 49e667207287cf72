//! The parts of a video of scenes, and what is told of them.
//!
//! It must not know how parts are made or kept. The invariant: scene k is part 2k, and the join after it part 2k + 1, cuts included.

use diffusion_core::pipelines::scenes::{Join, Span};
use serde::{Deserialize, Serialize};

use crate::spec::video::ScenesSpec;

/// A part's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A scene.
    Scene,
    /// The join between a scene and the next.
    Join,
}

impl PartKind {
    /// Its name: "scene" or "join".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scene => "scene",
            Self::Join => "join",
        }
    }
}

/// A part of a video of scenes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScenePart {
    /// Its kind.
    pub kind: PartKind,
    /// The scene, from 0; of a join, the one before it.
    pub scene: usize,
    /// The join; `None` for a scene. One without frames is a cut.
    pub join: Option<Join>,
    /// Its frames.
    pub span: Span,
    /// The seed of a scene; of a join, that of the scene before it.
    pub seed: u64,
    /// Whether it is a moving scene.
    pub moves: bool,
}

impl ScenePart {
    /// The parts of a video in order: scene k is part 2k, and the join after it part 2k + 1.
    pub fn all(spec: &ScenesSpec) -> Vec<Self> {
        let timeline = spec.timeline();
        let nothing = Span { start: 0, frames: 0 };
        let mut parts = Vec::new();
        for (scene, of_scene) in spec.scenes().iter().enumerate() {
            if let Some(before) = scene.checked_sub(1) {
                let join = spec.joins().get(before).copied().filter(|join| join.frames() > 0).unwrap_or(Join::Cut);
                let seed = spec.scenes().get(before).map_or(0, |scene| scene.seed());
                let span = timeline.join_before(scene).unwrap_or(nothing);
                parts.push(Self { kind: PartKind::Join, scene: before, join: Some(join), span, seed, moves: false });
            }
            let span = timeline.scene(scene).unwrap_or(nothing);
            let (seed, moves) = (of_scene.seed(), of_scene.motion().is_some());
            parts.push(Self { kind: PartKind::Scene, scene, join: None, span, seed, moves });
        }
        parts
    }

    /// Whether there is nothing to make of it.
    pub fn is_cut(&self) -> bool {
        self.join == Some(Join::Cut)
    }
}

/// How many parts of a video were made for it, and how many taken from an earlier one. Cuts count as neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCounts {
    /// Made.
    pub made: u32,
    /// Taken from an earlier video.
    pub reused: u32,
}

/// A finished part.
#[derive(Clone, Debug, PartialEq)]
pub struct PartReport {
    /// Its index among [`ScenePart::all`].
    pub part: usize,
    /// The number of parts, cuts included.
    pub parts: usize,
    /// Its kind.
    pub kind: PartKind,
    /// As in [`ScenePart::scene`].
    pub scene: usize,
    /// Whether it comes from an earlier video.
    pub reused: bool,
    /// A small picture of a scene's first frame, as JPEG; `None` for joins and for scenes without frames.
    pub still: Option<Vec<u8>>,
}
