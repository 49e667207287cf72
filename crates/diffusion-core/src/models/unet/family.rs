//! What one family of UNets has in the skeleton's blocks.

use std::fmt::Debug;

use super::shape::{UNetLevel, UNetShape};
use crate::{Result, ops::Nhwc, weights::ComponentWeights};

/// A part of the skeleton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models) enum Stage {
    Down,
    Middle,
    Up,
}

/// Where a residual block or a transformer stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct Site<'a> {
    pub(in crate::models) stage: Stage,
    pub(in crate::models) level: &'a UNetLevel,
}

/// A UNet's configuration, as far as it decides what the skeleton is made of.
pub(in crate::models) trait UNetFamily: Clone + Debug {
    /// A residual block.
    type Resnet: Debug;
    /// A transformer.
    type Transformer: Debug;
    /// What the blocks of one call are given beside the activations.
    type Call<'a>;

    fn shape(&self) -> UNetShape<'_>;

    /// A residual block from `inputs` channels to those of its level.
    fn load_resnet(&self, weights: &ComponentWeights, site: Site<'_>, inputs: usize) -> Result<Self::Resnet>;

    fn load_transformer(&self, weights: &ComponentWeights, site: Site<'_>) -> Result<Self::Transformer>;

    fn forward_resnet(resnet: &Self::Resnet, x: &Nhwc, call: &Self::Call<'_>) -> Result<Nhwc>;

    /// The result may have more images than `x`: those of a call that share what came before.
    fn forward_transformer(transformer: &Self::Transformer, x: &Nhwc, call: &mut Self::Call<'_>) -> Result<Nhwc>;
}
