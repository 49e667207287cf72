//! 3x3 convolutions one after the other, in one pass over the image where an execution has one: what lies between them then never becomes a
//! tensor.
//!
//! Invariant: the result is that of the layers one after the other, bit for bit. This module does not depend on models.

use super::{Conv2d, Nhwc, cpu, execution};
use crate::Result;

/// A convolution of a chain, and its epilogue.
#[derive(Clone, Copy, Debug)]
pub struct ChainLink<'a> {
    /// The layer.
    pub conv: &'a Conv2d,
    /// The link, by its place in the chain, whose input is added to the sum.
    pub adds: Option<usize>,
    /// Whether the sum's negative numbers become 0 (ReLU).
    pub relu: bool,
}

/// Runs the links in one pass over `x`, which is enlarged to twice its size first if the first link is of
/// [`super::Conv2dParams::upsample`]. `None` if this device has no faster way than one layer after the other, or the layers are no such
/// chain: the caller then runs them, and gets the error if they do not fit.
///
/// # Errors
/// Only if the device fails.
pub fn conv_chain(x: &Nhwc, links: &[ChainLink<'_>]) -> Result<Option<Nhwc>> {
    let [first, .., _] = links else { return Ok(None) };
    let (batch, height, width, mut channels) = x.dims()?;
    if !execution::is_cpu(x.tensor().device()) {
        return Ok(None);
    }
    let doubles = first.conv.doubles();
    let mut inputs = Vec::with_capacity(links.len());
    for (index, link) in links.iter().enumerate() {
        let added = link.adds.map(|added| inputs.get(added).copied().unwrap_or(if added == index { channels } else { 0 }));
        let fits = link.conv.keeps_size() && (index == 0 || !link.conv.doubles());
        let adds_fit = added.is_none_or(|channels| channels == link.conv.outputs()) && !(doubles && link.adds == Some(0));
        if !fits || !adds_fit || link.conv.inputs() != channels {
            return Ok(None);
        }
        inputs.push(channels);
        channels = link.conv.outputs();
    }
    let result = cpu::conv_chain(x, links, doubles)?;
    if result.is_some() {
        let pixels = batch * height * width * if doubles { 4 } else { 1 };
        links.iter().for_each(|link| execution::count_product(pixels, 9 * link.conv.inputs(), link.conv.outputs()));
    }
    Ok(result)
}
