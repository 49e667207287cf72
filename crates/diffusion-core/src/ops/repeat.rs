//! Repetition of a batch's images: expands what several images share to one copy for each.
//!
//! This module does not depend on models. Follows torch.Tensor.repeat and torch.repeat_interleave along the first dimension.

use candle_core::Tensor;

use crate::{Error, Result};

/// Repeats the sequence `x` [images, ..] until there are `batch` images: image `i` of the result is image `i % images` of `x`.
///
/// If there are `batch` images already, nothing is copied.
///
/// # Errors
/// [`Error::Shape`] if `batch` is not a positive multiple of the number of images.
pub fn repeat_images(x: &Tensor, batch: usize) -> Result<Tensor> {
    let images = x.dims().first().copied().unwrap_or(0);
    if images == batch {
        return Ok(x.clone());
    }
    if images == 0 || batch == 0 || !batch.is_multiple_of(images) {
        let expected = format!("[a divisor of {batch}, ..]");
        return Err(Error::Shape { what: "images to repeat", expected, found: x.dims().to_vec() });
    }
    Ok(Tensor::cat(&vec![x; batch / images], 0)?)
}

/// Repeats each row of `x` [rows, channels] `times` times: row `i` of the result is row `i / times` of `x`, as torch.repeat_interleave. It
/// expands what the frames of a clip share to one row for each frame.
///
/// # Errors
/// [`Error::Shape`] unless `x` has two dimensions.
pub fn repeat_rows(x: &Tensor, times: usize) -> Result<Tensor> {
    let [rows, channels] = x.dims() else {
        return Err(Error::Shape { what: "rows to repeat", expected: "[rows, channels]".into(), found: x.dims().to_vec() });
    };
    if times == 1 {
        return Ok(x.clone());
    }
    Ok(x.unsqueeze(1)?.broadcast_as((*rows, times, *channels))?.contiguous()?.reshape((rows * times, *channels))?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn images_are_repeated_in_turn() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
        assert_eq!(repeat_images(&x, 4)?.to_vec2::<f32>()?, [[1., 2.], [3., 4.], [1., 2.], [3., 4.]]);
        assert_eq!(repeat_images(&x, 2)?.dims(), [2, 2]);
        for batch in [0, 1, 3] {
            assert!(matches!(repeat_images(&x, batch), Err(Error::Shape { .. })));
        }
        assert!(matches!(repeat_images(&x.narrow(0, 0, 0)?, 2), Err(Error::Shape { .. })));
        Ok(())
    }

    #[test]
    fn rows_are_repeated_one_by_one() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
        assert_eq!(repeat_rows(&x, 2)?.to_vec2::<f32>()?, [[1., 2.], [1., 2.], [3., 4.], [3., 4.]]);
        assert_eq!(repeat_rows(&x, 1)?.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
        assert!(matches!(repeat_rows(&x.flatten_all()?, 2), Err(Error::Shape { .. })));
        Ok(())
    }
}
