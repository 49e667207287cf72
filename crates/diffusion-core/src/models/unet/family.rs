//! The trait of a UNet family: the blocks that it puts into the skeleton.

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

/// The position of a residual block or a transformer.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct Site<'a> {
    pub(in crate::models) stage: Stage,
    pub(in crate::models) level: &'a UNetLevel,
    /// Blocks of a transformer here.
    pub(in crate::models) transformer_layers: usize,
}

/// A UNet's configuration, which decides what the skeleton consists of.
pub(in crate::models) trait UNetFamily: Clone + Debug {
    /// A residual block.
    type Resnet: Debug;
    /// A transformer.
    type Transformer: Debug;
    /// Inputs of a call's blocks besides the activations.
    type Call<'a>;

    fn shape(&self) -> UNetShape<'_>;

    /// Loads a residual block from `inputs` channels to those of its level.
    fn load_resnet(&self, weights: &ComponentWeights, site: Site<'_>, inputs: usize) -> Result<Self::Resnet>;

    fn load_transformer(&self, weights: &ComponentWeights, site: Site<'_>) -> Result<Self::Transformer>;

    fn forward_resnet(resnet: &Self::Resnet, x: &Nhwc, call: &Self::Call<'_>) -> Result<Nhwc>;

    /// The result may have more images than `x`: all those of a call that shared the computation so far.
    fn forward_transformer(transformer: &Self::Transformer, x: &Nhwc, call: &mut Self::Call<'_>) -> Result<Nhwc>;
}
