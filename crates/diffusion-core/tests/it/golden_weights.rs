//! The golden models' weights, drawn by name: the counterpart of `draw` in scripts/golden/common.py. Goldens store names and shapes only.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Result,
    noise::SeededNoise,
    weights::{Component, ComponentWeights, TensorShape, TensorSource},
};

/// Generates tensors from their names, and records which were read.
pub(crate) struct GoldenWeights {
    /// `None`: any name in any shape.
    shapes: Option<BTreeMap<String, Vec<usize>>>,
    /// Factor of all tensors except the norms'.
    scale: f64,
    read: Mutex<BTreeSet<String>>,
}

impl GoldenWeights {
    /// From a JSON object of name to shape, as in the golden scripts' `shapes`.
    pub(crate) fn new(shapes: &serde_json::Value) -> Self {
        Self { shapes: serde_json::from_value(shapes.clone()).unwrap(), scale: 1.0, read: Mutex::default() }
    }

    /// Any name in any shape.
    pub(crate) fn any() -> Self {
        Self { shapes: None, scale: 1.0, read: Mutex::default() }
    }

    /// The same with all tensors except the norms' multiplied by `scale`, the counterpart of `draw_scaled` in
    /// scripts/golden/video_models.py.
    pub(crate) fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// A cursor at the root of a component, on the CPU.
    pub(crate) fn cursor(self: &Arc<Self>, component: Component, dtype: DType) -> ComponentWeights {
        ComponentWeights::new(self.clone(), component, dtype, &Device::Cpu)
    }

    /// The names that have not been read.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.lock().unwrap();
        self.names().into_iter().filter(|name| !read.contains(name)).collect()
    }
}

impl TensorSource for GoldenWeights {
    fn file_of(&self, _: &str) -> PathBuf {
        PathBuf::from("golden weights")
    }

    fn names(&self) -> Vec<String> {
        self.shapes.iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        match &self.shapes {
            Some(shapes) => shapes.get(tensor).cloned().map(TensorShape::Known),
            None => Some(TensorShape::Any),
        }
    }

    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor> {
        self.read.lock().unwrap().insert(tensor.to_owned());
        let drawn = draw(tensor, shape);
        let norm = shape.len() < 2 && !tensor.ends_with(".bias");
        Ok(if norm || self.scale == 1.0 { drawn } else { (drawn * self.scale)? })
    }
}

/// The golden weight with this name and shape, f32 on the CPU.
pub(crate) fn draw(name: &str, shape: &[usize]) -> Tensor {
    let seed = u64::from(u32::from_le_bytes(sha256(name.as_bytes())[..4].try_into().unwrap()));
    let x = SeededNoise::new(seed).randn_vec(shape.iter().product());
    let fan_in = shape.iter().skip(1).product::<usize>() as f64;
    let value: Box<dyn Fn(f32) -> f32> = if name.contains("token_embedding") || name.contains("position_embedding") {
        Box::new(|x| x * 0.5)
    } else if shape.len() >= 2 {
        Box::new(|x| x / fan_in.sqrt() as f32)
    } else if name.ends_with(".bias") {
        Box::new(|x| x * 0.2)
    } else {
        Box::new(|x| x * 0.8 + 0.3)
    };
    Tensor::from_vec(x.into_iter().map(value).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

/// SHA-256 (FIPS 180-4), so that tests need no further crate.
fn sha256(message: &[u8]) -> [u8; 32] {
    let primes = |count: usize| (2u64..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).take(count);
    let fraction = |root: f64| ((root - root.floor()) * 4_294_967_296.0) as u32;
    // A double's 53 bits are more than enough for 32 bits of a cube root's fraction.
    let k = primes(64).map(|prime| fraction((prime as f64).cbrt())).collect::<Vec<u32>>();
    let mut hash = primes(8).map(|prime| fraction((prime as f64).sqrt())).collect::<Vec<u32>>();
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut w = block.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect::<Vec<u32>>();
        for i in 16..64 {
            let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
            let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
            w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
        }
        let mut v = hash.clone();
        for i in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let t1 = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(k[i]).wrapping_add(w[i]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(t1);
            v[0] = t1.wrapping_add(s0).wrapping_add(majority);
        }
        for (sum, value) in hash.iter_mut().zip(&v) {
            *sum = sum.wrapping_add(*value);
        }
    }
    let bytes = hash.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    bytes.try_into().unwrap()
}

#[test]
fn sha256_matches_the_standards_examples() {
    let hex = |message: &[u8]| sha256(message).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(
        hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
}

#[test]
fn golden_weights_match_the_scripts() {
    let values = |name: &str, shape: &[usize]| draw(name, shape).flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let close = |found: &[f32], expected: &[f32]| found.iter().zip(expected).for_each(|(f, e)| assert!((f - e).abs() < 1e-6, "{found:?}"));
    close(&values("conv_in.weight", &[2, 3, 3, 3])[..3], &[0.267_546_8, -0.070_729_3, -0.184_231_62]);
    close(&values("norm.bias", &[3]), &[-0.040_801_44, 0.072_641_59, -0.101_912_79]);
    close(&values("norm.weight", &[3]), &[-0.262_819_35, 0.146_767_33, 1.378_057_2]);
}
