//! A tensor stored in a file: element type, byte range, shape, strides and offset.
//!
//! All containers use it, so that reading, slicing and transposing are implemented once. This module must not depend on any container or
//! name. Invariant: an existing [`StoredTensor`] lies entirely within its file; no later read can be out of bounds.

use std::{ops::Range, sync::Arc};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};

use super::{Numbers, StoredNumbers, decode, float8, mapping::WeightFile};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    Bf16,
    F64,
    I64,
    /// `float8_e4m3fn`: read as f16, which represents all of its values.
    F8E4M3,
    /// `float8_e5m2`: read as f16, of which it is the upper byte.
    F8E5M2,
    /// A type that no model part here uses: it may occur in a file, but cannot be read.
    Other {
        name: &'static str,
        bits: usize,
    },
}

impl Element {
    /// Bytes without a type.
    pub(super) const BYTE: Self = Self::Other { name: "u8", bits: 8 };

    /// Its size in bits.
    pub(super) fn bits(self) -> usize {
        match self {
            Self::F8E4M3 | Self::F8E5M2 => 8,
            Self::F16 | Self::Bf16 => 16,
            Self::F32 => 32,
            Self::F64 | Self::I64 => 64,
            Self::Other { bits, .. } => bits,
        }
    }

    /// The type's usual name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::F8E4M3 => "f8_e4m3",
            Self::F8E5M2 => "f8_e5m2",
            Self::Other { name, .. } => name,
        }
    }
}

/// The location and layout of a tensor in a file.
#[derive(Clone)]
pub(super) struct StoredTensor {
    file: Arc<WeightFile>,
    storage: Range<usize>,
    element: Element,
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
    /// The factor of its elements: one number, or one for each row.
    scale: Option<Arc<StoredTensor>>,
}

impl StoredTensor {
    /// A row-major tensor that fills its range.
    ///
    /// # Errors
    /// As [`Self::strided`].
    pub(super) fn contiguous(file: &Arc<WeightFile>, storage: Range<usize>, element: Element, shape: Vec<usize>) -> Result<Self, String> {
        let strides = row_major(&shape).ok_or_else(|| format!("shape {shape:?} overflows"))?;
        Self::strided(file, storage, element, shape, strides, 0)
    }

    /// A tensor with any strides over a storage; strides and offset are in elements.
    ///
    /// # Errors
    /// A message about the mismatch, without file or tensor name.
    pub(super) fn strided(
        file: &Arc<WeightFile>,
        storage: Range<usize>,
        element: Element,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!("shape {shape:?} and strides {strides:?} differ in length"));
        }
        let too_big = || format!("shape {shape:?} with strides {strides:?} and offset {offset} overflows");
        row_major(&shape).ok_or_else(too_big)?;
        // Number of elements that the storage must hold: one more than the furthest index.
        let (mut needed, mut count) = (0, 0);
        if !shape.contains(&0) {
            let mut last = offset;
            for (&size, &stride) in shape.iter().zip(&strides) {
                last = (size - 1).checked_mul(stride).and_then(|span| last.checked_add(span)).ok_or_else(too_big)?;
            }
            needed = last.checked_add(1).ok_or_else(too_big)?;
            count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).ok_or_else(too_big)?;
        }
        let needed_bytes = needed.checked_mul(element.bits()).ok_or_else(too_big)?.div_ceil(8);
        let found_bytes = file.bytes().get(storage.clone()).map_or(0, <[u8]>::len);
        if needed_bytes > found_bytes {
            return Err(format!("truncated: expected shape {shape:?} in {needed_bytes} bytes, found {found_bytes} bytes"));
        }
        // Reading takes memory for every element; a view may repeat some, but must not be larger than the whole file.
        let (expanded_bytes, file_bytes) = (count.checked_mul(element.bits()).ok_or_else(too_big)?.div_ceil(8), file.bytes().len());
        if expanded_bytes > file_bytes {
            return Err(format!("an expanded view of {expanded_bytes} bytes is not read: the whole file has {file_bytes}"));
        }
        Ok(Self { file: Arc::clone(file), storage, element, shape, strides, offset, scale: None })
    }

    /// The same tensor with a factor that its elements are multiplied by when they are read.
    ///
    /// # Errors
    /// A message without file or tensor name, for a scale that is neither one number nor one for each row.
    pub(super) fn scaled(self, scale: Self) -> Result<Self, String> {
        let count: usize = scale.shape.iter().product();
        if count != 1 && (scale.shape.first() != self.shape.first() || Some(&count) != self.shape.first()) {
            return Err(format!("its scale has the shape {:?}, supported are one number and one for each row", scale.shape));
        }
        Ok(Self { scale: Some(Arc::new(scale)), ..self })
    }

    /// The tensor's file.
    pub(super) fn file(&self) -> &WeightFile {
        &self.file
    }

    /// The type of its elements.
    pub(super) fn element(&self) -> Element {
        self.element
    }

    /// The tensor's shape.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The rows `rows` of the first dimension; `None` if there are fewer.
    pub(super) fn rows(&self, rows: Range<usize>) -> Option<Self> {
        let (&size, &stride) = self.shape.first().zip(self.strides.first())?;
        if rows.start > rows.end || rows.end > size {
            return None;
        }
        let mut part = self.clone();
        part.offset += rows.start * stride;
        if let Some(first) = part.shape.first_mut() {
            *first = rows.len();
        }
        if let Some(scale) = &self.scale
            && scale.shape.iter().product::<usize>() != 1
        {
            part.scale = Some(Arc::new(scale.rows(rows)?));
        }
        Some(part)
    }

    /// The matrix transposed; `None` for another number of dimensions, or a factor for each row.
    pub(super) fn transposed(&self) -> Option<Self> {
        let has_row_factors = self.scale.as_ref().is_some_and(|scale| scale.shape.iter().product::<usize>() != 1);
        if self.shape.len() != 2 || has_row_factors {
            return None;
        }
        let mut transposed = self.clone();
        transposed.shape.reverse();
        transposed.strides.reverse();
        Some(transposed)
    }

    /// The same elements without trailing dimensions of size one beyond the first two: a 1x1 convolution as a linear layer.
    pub(super) fn as_matrix(&self) -> Self {
        let mut matrix = self.clone();
        while matrix.shape.len() > 2 && matrix.shape.last() == Some(&1) {
            matrix.shape.pop();
            matrix.strides.pop();
        }
        matrix
    }

    /// Reads the tensor to the CPU, row-major, in its own precision; a scaled one in f32, an 8-bit one in f16.
    ///
    /// # Errors
    /// A message without file or tensor name: an element type that cannot be read, or candle's error.
    pub(super) fn read(&self) -> Result<Tensor, String> {
        let tensor = self.read_elements()?;
        let Some(scale) = &self.scale else { return Ok(tensor) };
        let mut broadcast = vec![1; self.shape.len()];
        let scale = scale.read_elements()?;
        if let Some(first) = broadcast.first_mut() {
            *first = scale.elem_count();
        }
        let multiply = || tensor.to_dtype(DType::F32)?.broadcast_mul(&scale.to_dtype(DType::F32)?.reshape(broadcast)?);
        multiply().map_err(|error: candle_core::Error| error.to_string())
    }

    /// Calls `take` with the numbers where they lie in the file, row-major, if they lie there so; returns whether it did.
    pub(super) fn in_place(&self, take: &mut dyn FnMut(Numbers<'_>)) -> bool {
        let Some(numbers) = self.plain_bytes().and_then(|bytes| StoredNumbers::of(bytes, self.element)) else { return false };
        take(numbers.into());
        self.file.release(self.storage.clone());
        true
    }

    /// [`Self::read`], converted to `dtype`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_as(&self, dtype: DType) -> Result<Tensor, String> {
        let tensor = match self.plain_bytes().and_then(|bytes| decode::direct(bytes, self.element, dtype, &self.shape)) {
            Some(direct) => {
                self.file.release(self.storage.clone());
                direct
            }
            None => self.read()?.to_dtype(dtype),
        };
        tensor.map_err(|error| error.to_string())
    }

    /// The bytes of a row-major tensor without a factor; `None` for others.
    fn plain_bytes(&self) -> Option<&[u8]> {
        if self.scale.is_none() && self.is_row_major() { self.row_major_bytes() } else { None }
    }

    /// The bytes of a row-major tensor; `None` if the file no longer has them.
    fn row_major_bytes(&self) -> Option<&[u8]> {
        let size = self.element.bits() / 8;
        let count: usize = self.shape.iter().product();
        let start = self.offset * size;
        self.file.bytes().get(self.storage.clone())?.get(start..start + count * size)
    }

    fn read_elements(&self) -> Result<Tensor, String> {
        let shape = self.shape.as_slice();
        let tensor = match self.element {
            Element::F32 => Tensor::from_vec(self.gather(f32::from_le_bytes)?, shape, &Device::Cpu),
            Element::F16 => Tensor::from_vec(self.gather(f16::from_le_bytes)?, shape, &Device::Cpu),
            Element::Bf16 => Tensor::from_vec(self.gather(bf16::from_le_bytes)?, shape, &Device::Cpu),
            Element::F64 => Tensor::from_vec(self.gather(f64::from_le_bytes)?, shape, &Device::Cpu),
            Element::I64 => Tensor::from_vec(self.gather(i64::from_le_bytes)?, shape, &Device::Cpu),
            Element::F8E4M3 => Tensor::from_vec(self.gather(|[code]| float8::e4m3(code))?, shape, &Device::Cpu),
            Element::F8E5M2 => Tensor::from_vec(self.gather(|[code]| float8::e5m2(code))?, shape, &Device::Cpu),
            Element::Other { name, .. } => {
                return Err(format!("is stored as {name}; supported are f32, f16, bf16, f64, i64, f8_e4m3 and f8_e5m2"));
            }
        };
        self.file.release(self.storage.clone());
        tensor.map_err(|error| error.to_string())
    }

    fn gather<T: Copy + Default + Send, const SIZE: usize>(&self, decode: impl Fn([u8; SIZE]) -> T + Sync) -> Result<Vec<T>, String> {
        let lost = || "its bytes are no longer there".to_owned();
        let storage = self.file.bytes().get(self.storage.clone()).ok_or_else(lost)?;
        let count: usize = self.shape.iter().product();
        if count == 0 {
            return Ok(Vec::new());
        }
        if self.is_row_major() {
            return Ok(decode::each(self.row_major_bytes().ok_or_else(lost)?, decode));
        }
        let mut out = Vec::with_capacity(count);
        // Row by row over the last dimension; an odometer iterates over the others.
        let (elements, _) = storage.as_chunks::<SIZE>();
        let (row, row_stride) = (self.shape.last().copied().unwrap_or(1), self.strides.last().copied().unwrap_or(1));
        let outer = self.shape.len().saturating_sub(1);
        let mut index = vec![0; outer];
        let mut start = self.offset;
        loop {
            for step in 0..row {
                out.push(decode(*elements.get(start + step * row_stride).ok_or_else(lost)?));
            }
            let mut dimension = outer;
            loop {
                if dimension == 0 {
                    return Ok(out);
                }
                dimension -= 1;
                let (Some(at), Some(&size), Some(&stride)) =
                    (index.get_mut(dimension), self.shape.get(dimension), self.strides.get(dimension))
                else {
                    return Err(lost());
                };
                *at += 1;
                start += stride;
                if *at < size {
                    break;
                }
                start -= size * stride;
                *at = 0;
            }
        }
    }

    fn is_row_major(&self) -> bool {
        let Some(expected) = row_major(&self.shape) else { return false };
        // The stride of a dimension of size one is never used.
        self.shape.iter().zip(&self.strides).zip(&expected).all(|((&size, stride), expected_stride)| size == 1 || stride == expected_stride)
    }
}

/// Strides of a row-major tensor; `None` if its element count overflows.
fn row_major(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1usize;
    for (stride, &size) in strides.iter_mut().zip(shape).rev() {
        *stride = next;
        next = next.checked_mul(size)?;
    }
    // A size of zero hides an overflow further out; such a tensor has no elements, so nothing is read through its strides.
    Some(strides)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn numbers(count: usize) -> Arc<WeightFile> {
        let bytes: Vec<u8> = (0..count).flat_map(|number| (number as f32).to_le_bytes()).collect();
        WeightFile::embedded(PathBuf::from("numbers"), bytes.leak())
    }

    fn values(tensor: &StoredTensor) -> Vec<f32> {
        tensor.read().unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn strides_are_followed() {
        let file = numbers(12);
        let transposed = StoredTensor::strided(&file, 0..48, Element::F32, vec![3, 2], vec![1, 3], 4).unwrap();
        assert_eq!(values(&transposed), [4., 7., 5., 8., 6., 9.]);
        let repeated = StoredTensor::strided(&file, 0..48, Element::F32, vec![2, 2], vec![0, 1], 10).unwrap();
        assert_eq!(values(&repeated), [10., 11., 10., 11.]);
        let scalar = StoredTensor::strided(&file, 8..12, Element::F32, vec![], vec![], 0).unwrap();
        assert_eq!(values(&scalar), [2.]);
    }

    #[test]
    fn rows_and_matrices_are_views() {
        let file = numbers(12);
        let tensor = StoredTensor::contiguous(&file, 0..48, Element::F32, vec![6, 2, 1, 1]).unwrap();
        let part = tensor.rows(2..4).unwrap().as_matrix();
        assert_eq!(part.shape(), [2, 2]);
        assert_eq!(values(&part), [4., 5., 6., 7.]);
        assert!(tensor.rows(5..7).is_none());
        assert!(tensor.transposed().is_none());
        let transposed = tensor.rows(1..4).unwrap().as_matrix().transposed().unwrap();
        assert_eq!((transposed.shape(), values(&transposed)), (&[2, 3][..], vec![2., 4., 6., 3., 5., 7.]));
    }

    #[test]
    fn tensors_beyond_the_file_are_refused() {
        let file = numbers(4);
        let message = StoredTensor::contiguous(&file, 0..16, Element::F32, vec![5]).err().unwrap();
        assert_eq!(message, "truncated: expected shape [5] in 20 bytes, found 16 bytes");
        assert!(StoredTensor::contiguous(&file, 0..999, Element::F32, vec![1]).is_err());
        assert!(StoredTensor::contiguous(&file, 0..16, Element::F32, vec![usize::MAX, 2]).is_err());
        assert!(StoredTensor::strided(&file, 0..16, Element::F32, vec![2], vec![usize::MAX], 2).is_err());
        assert!(StoredTensor::strided(&file, 0..16, Element::F32, vec![1], vec![1], usize::MAX).is_err());
        assert!(StoredTensor::contiguous(&file, 0..16, Element::F32, vec![0, 7]).is_ok());
        let message = StoredTensor::strided(&file, 0..16, Element::F32, vec![1 << 40], vec![0], 0).err().unwrap();
        assert_eq!(message, "an expanded view of 4398046511104 bytes is not read: the whole file has 16");
    }
}
