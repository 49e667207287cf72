//! What ControlNets add to a UNet: to each of its skips, and to its middle.
//!
//! This module must not depend on how the residuals are computed. Follows the `down_block_additional_residuals` and the
//! `mid_block_additional_residual` of diffusers models/unets/unet_2d_condition.py, and `MultiControlNetModel`, which adds up those of its nets.

use crate::{Error, Result, ops::Nhwc};

/// Residuals for one UNet's call. They may have fewer images than the UNet, which are repeated, and one pixel instead of all.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// In the order of the skips.
    pub(in crate::models) down: Vec<Nhwc>,
    pub(in crate::models) middle: Nhwc,
}

impl Residuals {
    /// Those of the skips, in their order.
    pub fn down(&self) -> &[Nhwc] {
        &self.down
    }

    /// That of the middle.
    pub fn middle(&self) -> &Nhwc {
        &self.middle
    }

    /// The sum of both.
    ///
    /// # Errors
    /// [`Error::Candle`] if they are not those of the same UNet and sample.
    pub fn add(&self, other: &Self) -> Result<Self> {
        self.zip(&other.down, &other.middle)
    }

    /// The same behind as many images of zeros: for texts of which only the second half is controlled.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn behind_zeros(&self) -> Result<Self> {
        let down = self.down.iter().map(Nhwc::behind_zeros).collect::<Result<_>>()?;
        Ok(Self { down, middle: self.middle.behind_zeros()? })
    }

    /// Adds the residuals to a UNet's skips and to its middle's result.
    pub(super) fn added_to(&self, skips: &[Nhwc], middle: &Nhwc) -> Result<(Vec<Nhwc>, Nhwc)> {
        let Self { down, middle } = self.zip(skips, middle)?;
        Ok((down, middle))
    }

    fn zip(&self, down: &[Nhwc], middle: &Nhwc) -> Result<Self> {
        if self.down.len() != down.len() {
            let expected = format!("{} residuals, one for each skip", down.len());
            return Err(Error::Shape { what: "residuals of a ControlNet", expected, found: vec![self.down.len()] });
        }
        let down = self.down.iter().zip(down).map(|(ours, theirs)| theirs.add_repeated(ours)).collect::<Result<_>>()?;
        Ok(Self { down, middle: middle.add_repeated(&self.middle)? })
    }
}
