//! The activations of a UNet's call, counted along `forward`.

use super::{layers::LayerShape, shape::UNetShape};
use crate::models::plan::{ActivationPlan, Blocks, Walk};

impl UNetShape<'_> {
    /// The plan for this many images with latents of this size; see [`Walk::new`].
    pub(in crate::models) fn planned(&self, blocks: Blocks, images: usize, height: usize, width: usize) -> ActivationPlan {
        let mut walk = Walk::new(blocks, images, height, width);
        let mut larger_sizes = Vec::new();
        let (down, up) = self.layers();
        for (_, layer) in down.into_iter().chain(up) {
            match layer {
                LayerShape::Conv { inputs, outputs, .. } => walk.conv(inputs, outputs),
                LayerShape::Resnet { inputs, site } => walk.resnet(inputs, site.level.channels),
                LayerShape::Transformer(site) => walk.transformer(site.level.channels),
                LayerShape::Downsample(channels) => {
                    larger_sizes.push((walk.height, walk.width));
                    walk.downsample(channels);
                }
                LayerShape::Upsample(channels) => {
                    let (height, width) = larger_sizes.pop().unwrap_or((walk.height, walk.width));
                    walk.upsample(channels, height, width);
                }
                LayerShape::PushSkip(channels) => walk.push_skip(channels),
                LayerShape::PopSkip(channels) => walk.pop_skip(channels),
                LayerShape::NormSilu(channels) => walk.norm(channels),
            }
        }
        walk.plan()
    }
}
