//! The file of an upscaler: ESRGAN's family (RRDBNet) and its compact relative (SRVGGNetCompact), whose architecture is inferred from names
//! and shapes.
//!
//! This module must not depend on what an upscaler computes. Invariant: a layer has one name here, Real-ESRGAN's, whatever the file calls it.
//! Reference: `RRDBNet` and `SRVGGNetCompact` of BasicSR and Real-ESRGAN, the original ESRGAN's and BSRGAN's names, and spandrel's loaders.

mod foreign;
mod names;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::names::{Names, Prefix};
use super::{
    Component, StopCheck, TensorShape, TensorSource, container,
    contents::Contents,
    mapping::{WeightFile, never},
    table::TensorTable,
};
use crate::{Error, Result};

/// Colours of a pixel.
const COLOURS: usize = 3;
/// The largest factor that is read: 16 in either direction is 256 pixels for one.
const LARGEST_SCALE: usize = 16;

/// The architecture of an upscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpscalerConfig {
    /// ESRGAN: residual blocks of densely connected convolutions.
    Rrdb {
        /// Channels between the blocks.
        features: usize,
        /// Channels that each convolution of a dense block adds.
        growth: usize,
        /// Number of blocks.
        blocks: usize,
        /// How often the image is doubled behind the blocks.
        doublings: usize,
        /// Pixels of a side that become channels before the blocks; 1 if none do.
        unshuffle: usize,
        /// Whether dense blocks have ESRGAN+'s further paths.
        plus: bool,
    },
    /// SRVGGNetCompact: convolutions, and pixels from channels at the end.
    Compact {
        /// Channels between the convolutions.
        features: usize,
        /// Convolutions between the first and the last.
        convs: usize,
        /// The factor.
        scale: usize,
    },
}

impl UpscalerConfig {
    /// How many times as many pixels a side has afterwards.
    pub fn scale(&self) -> usize {
        match self {
            Self::Rrdb { doublings, unshuffle, .. } => (1 << doublings) / unshuffle,
            Self::Compact { scale, .. } => *scale,
        }
    }

    /// The family's name, for users.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Rrdb { .. } => "ESRGAN",
            Self::Compact { .. } => "Real-ESRGAN Compact",
        }
    }
}

/// An upscaler's file: its architecture, and its tensors under Real-ESRGAN's names.
pub struct UpscalerFile {
    path: PathBuf,
    config: UpscalerConfig,
    tensors: Arc<TensorTable>,
}

impl UpscalerFile {
    /// Opens a `.pth` or `.safetensors` file; its contents decide which it is. The file is read as a whole, so that it may be replaced
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::File`] if there is no such file, or it is something else, which is named; [`Error::Weights`] for tensors that do not fit.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_until(path, &never())
    }

    /// [`Self::open`] that can be stopped: `stop` is asked while the file is read.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::Cancelled`] if `stop` says so.
    pub fn open_until(path: &Path, stop: &StopCheck) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::file(path, "is a folder; an upscaler is one file, .pth or .safetensors"));
        }
        let file = WeightFile::read(path.to_owned(), stop)?;
        let Contents { tensors, .. } = container::contents(&file, |_| Component::Upscaler)?;
        let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
        let prefix = Prefix::judge(path, &shapes)?;
        let names = Names::of(&prefix, shapes.iter().map(|(name, _)| *name));
        let mut table = TensorTable::new(Component::Upscaler, path);
        for (name, tensor) in tensors {
            // Beside the weights lie those of an optimizer, or the ones before averaging.
            let Some(own) = prefix.strip(&name) else { continue };
            let Some(own) = names.canonical(own) else { continue };
            table.insert(own, tensor)?;
        }
        let config = Shapes { table: &table, path }.config(&names)?;
        Ok(Self { path: path.to_owned(), config, tensors: Arc::new(table) })
    }

    /// The architecture.
    pub fn config(&self) -> &UpscalerConfig {
        &self.config
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors.
    pub fn tensors(&self) -> Arc<dyn TensorSource> {
        Arc::<TensorTable>::clone(&self.tensors)
    }
}

/// Refuses a file at which there is no upscaler, as far as its start tells; no tensor is read.
///
/// # Errors
/// As [`UpscalerFile::open`].
pub fn check_upscaler(path: &Path) -> Result<()> {
    if let Some(found) = container::header(path, |_| Component::Upscaler)? {
        let shapes: Vec<(&str, &[usize])> = found.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
        Prefix::judge(path, &shapes)?;
    }
    Ok(())
}

/// The shapes of the tensors under Real-ESRGAN's names.
struct Shapes<'a> {
    table: &'a TensorTable,
    path: &'a Path,
}

impl Shapes<'_> {
    fn fail(&self, tensor: &str, reason: impl Into<String>) -> Error {
        Error::Weights { component: Component::Upscaler, file: self.path.to_owned(), tensor: tensor.to_owned(), reason: reason.into() }
    }

    /// The extent of a tensor along an axis.
    fn extent(&self, name: &str, axis: usize) -> Result<usize> {
        let Some(TensorShape::Known(shape)) = self.table.shape(name) else { return Err(self.fail(name, "missing")) };
        let extent = shape.get(axis).copied().filter(|extent| *extent > 0);
        extent.ok_or_else(|| self.fail(name, format!("unsupported shape {shape:?}")))
    }

    fn has(&self, name: &str) -> bool {
        self.table.shape(name).is_some()
    }

    fn config(&self, names: &Names) -> Result<UpscalerConfig> {
        match names {
            Names::Compact => self.compact(),
            Names::Real | Names::Bsrgan | Names::Old { .. } => self.rrdb(),
        }
    }

    fn rrdb(&self) -> Result<UpscalerConfig> {
        let (first, last) = ("conv_first.weight", "conv_last.weight");
        let (inputs, features, outputs) = (self.extent(first, 1)?, self.extent(first, 0)?, self.extent(last, 0)?);
        let unshuffle = match inputs / COLOURS {
            1 => 1,
            4 => 2,
            16 => 4,
            _ => 0,
        };
        if unshuffle == 0 || !inputs.is_multiple_of(COLOURS) {
            return Err(self.fail(first, format!("unsupported: {inputs} channels in; an upscaler here takes the 3 colours of a picture")));
        }
        if outputs != COLOURS {
            return Err(self.fail(last, format!("unsupported: {outputs} channels out; an upscaler here makes the 3 colours of a picture")));
        }
        let count = |has: &dyn Fn(usize) -> bool| (0..).take_while(|index| has(*index)).count();
        let blocks = count(&|block| self.has(&format!("body.{block}.rdb1.conv1.weight")));
        let doublings = count(&|index| self.has(&format!("conv_up{}.weight", index + 1)));
        let scale = 1_usize.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX)).unwrap_or(0);
        if scale < unshuffle || scale / unshuffle > LARGEST_SCALE {
            let what = format!("unsupported: {doublings} doublings behind {unshuffle}x{unshuffle} pixels in a channel");
            return Err(self.fail("conv_up1.weight", format!("{what}; the factor is 1 to {LARGEST_SCALE}")));
        }
        let growth = self.extent("body.0.rdb1.conv1.weight", 0)?;
        let plus = self.has("body.0.rdb1.conv1x1.weight");
        Ok(UpscalerConfig::Rrdb { features, growth, blocks, doublings, unshuffle, plus })
    }

    fn compact(&self) -> Result<UpscalerConfig> {
        let layers: HashSet<usize> = self.table.names().iter().filter_map(|name| names::compact_layer(name)).collect();
        let last = layers.iter().max().copied().unwrap_or(0);
        let (inputs, features) = (self.extent("body.0.weight", 1)?, self.extent("body.0.weight", 0)?);
        if inputs != COLOURS {
            let reason = format!("unsupported: {inputs} channels in; an upscaler here takes the 3 colours of a picture");
            return Err(self.fail("body.0.weight", reason));
        }
        if !last.is_multiple_of(2) || last < 2 {
            return Err(self.fail(&format!("body.{last}.weight"), "unsupported: the last layer is no convolution"));
        }
        let tensor = format!("body.{last}.weight");
        let outputs = self.extent(&tensor, 0)?;
        let scale = (1..=LARGEST_SCALE).find(|scale| COLOURS * scale * scale == outputs);
        let Some(scale) = scale else {
            return Err(self.fail(&tensor, format!("unsupported: {outputs} channels are no square of pixels with 3 colours")));
        };
        Ok(UpscalerConfig::Compact { features, convs: last / 2 - 1, scale })
    }
}
