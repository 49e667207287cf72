//! The noise stream against torch's.

use diffusion_core::noise::SeededNoise;

use crate::{golden, golden_metadata};

#[test]
fn successive_draws_match_torch() {
    let metadata = golden_metadata("noise", "randn");
    let tensors = golden("noise", "randn");
    let seeds: Vec<u64> = serde_json::from_str(&metadata["seeds"]).unwrap();
    let draws: Vec<Vec<usize>> = serde_json::from_str(&metadata["draws"]).unwrap();
    assert!(seeds.len() >= 4 && draws.len() >= 9);
    let (mut worst, mut unequal, mut total) = (0_f32, 0, 0);
    for seed in seeds {
        let mut noise = SeededNoise::new(seed);
        for (index, shape) in draws.iter().enumerate() {
            let expected = &tensors[&format!("{seed}.{index}")];
            let actual = noise.randn(shape).unwrap();
            assert_eq!(actual.dims(), expected.dims());
            let values = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (actual, expected) in values(&actual).into_iter().zip(values(expected)) {
                worst = worst.max((actual - expected).abs());
                unequal += usize::from(actual != expected);
                total += 1;
            }
        }
    }
    // The goldens come from torch on a processor with AVX2; here every operation is exactly rounded, so the result does not depend on the
    // processor.
    assert_eq!(unequal, 0, "of {total} numbers; the largest difference is {worst}");
}

#[test]
fn a_clone_continues_independently() {
    let mut noise = SeededNoise::new(3);
    noise.randn_vec(3);
    let mut twin = noise.clone();
    assert_eq!(noise.randn_vec(40), twin.randn_vec(40));
}
