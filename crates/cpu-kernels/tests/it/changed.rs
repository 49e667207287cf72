//! Weights that are changed while they are packed, against their definition.

use cpu_kernels::{Change, Difference, Engine, Images, Level, Packed, Stored, Weight};
use half::{bf16, f16};

use crate::{
    engines,
    reference::{random, relative_error},
};

/// Numbers of two changes: a product, and whole.
struct Numbers {
    left: Vec<f32>,
    right: Vec<f32>,
    whole: Vec<f32>,
}

impl Numbers {
    fn of(outputs: usize, length: usize, rank: usize) -> Self {
        Self { left: random(outputs * rank, 2), right: random(rank * length, 3), whole: random(outputs * length, 4) }
    }

    fn changes(&self) -> [Change<'_>; 2] {
        let product = Difference::Product { left: &self.left, right: &self.right };
        [Change::new(product, -0.7), Change::new(Difference::Whole(&self.whole), 1.5)]
    }

    /// The sums of `base` with the first change and with both.
    fn expected(&self, base: &[f32], length: usize, rank: usize) -> [Vec<f64>; 2] {
        let product = |index: usize| -> f64 {
            let (row, column) = (index / length, index % length);
            (0..rank).map(|at| f64::from(self.left[row * rank + at]) * f64::from(self.right[at * length + column])).sum()
        };
        let first: Vec<f64> = base.iter().enumerate().map(|(index, number)| f64::from(*number) - 0.7 * product(index)).collect();
        let both = first.iter().zip(&self.whole).map(|(sum, number)| sum + 1.5 * f64::from(*number)).collect();
        [first, both]
    }
}

fn largest(sums: &[f64]) -> f64 {
    sums.iter().fold(0.0, |most, sum| most.max(sum.abs()))
}

/// Rows, and lengths around those of a block and of a vector.
const SHAPES: [(usize, usize, usize); 6] = [(1, 1, 1), (5, 16, 3), (17, 63, 2), (38, 65, 4), (16, 128, 7), (33, 200, 5)];

fn check<W: Stored>(engine: &Engine, stored: &[W], wide: &[f32], (outputs, length, rank): (usize, usize, usize)) {
    let numbers = Numbers::of(outputs, length, rank);
    let [first, both] = numbers.expected(wide, length, rank);
    let changes = numbers.changes();
    let weight = Weight { numbers: stored, changes: &changes };
    assert_eq!(changes[0].largest(), 0.0);
    let sums = weight.changed(engine, outputs);
    let what = format!("{:?}, {outputs} rows of {length}, rank {rank}", engine.level());
    assert!(relative_error(&sums, &both) < 1e-6, "{what}");
    for (change, sums) in changes.iter().zip([&first, &both]) {
        assert!((f64::from(change.largest()) / largest(sums) - 1.0).abs() < 1e-6, "{what}: {}", change.largest());
    }
    // Whichever way it is packed, the same numbers are.
    let bits = |packed: Packed| -> Vec<u32> { packed.unpacked().into_iter().map(f32::to_bits).collect() };
    let same = |changed: Packed, whole: Packed| assert!(bits(changed) == bits(whole), "{what}");
    same(Packed::new::<bf16, W>(engine, weight, outputs, length, 1), Packed::new::<bf16, _>(engine, &sums, outputs, length, 1));
    same(Packed::new::<f32, W>(engine, weight, outputs, 1, length), Packed::new::<f32, _>(engine, &sums, outputs, 1, length));
    if outputs.is_multiple_of(2) {
        same(Packed::gated::<bf16, W>(engine, weight, outputs, length), Packed::gated::<bf16, _>(engine, &sums, outputs, length));
    }
}

#[test]
fn a_changed_weight_is_packed_as_its_sums_are() {
    for engine in engines(2) {
        for (outputs, length, rank) in SHAPES {
            let stored: Vec<bf16> = random(outputs * length, 1);
            let wide: Vec<f32> = stored.iter().map(|number| number.to_f32()).collect();
            let halves: Vec<f16> = wide.iter().map(|number| f16::from_f32(*number)).collect();
            let of_halves: Vec<f32> = halves.iter().map(|number| number.to_f32()).collect();
            check(&engine, &stored, &wide, (outputs, length, rank));
            check(&engine, &wide, &wide, (outputs, length, rank));
            check(&engine, &halves, &of_halves, (outputs, length, rank));
        }
        let (outputs, inputs, rank) = (40, 36, 3);
        let (numbers, base): (_, Vec<f32>) = (Numbers::of(outputs, inputs * 9, rank), random(outputs * inputs * 9, 1));
        let changes = numbers.changes();
        let weight = Weight { numbers: &base[..], changes: &changes };
        let sums = weight.changed(&engine, outputs);
        for images in [Images::Small, Images::Large, Images::Doubled] {
            let changed = Packed::conv3x3::<bf16, f32>(&engine, weight, outputs, inputs, images);
            assert!(changed.unpacked() == Packed::conv3x3::<bf16, _>(&engine, &sums, outputs, inputs, images).unpacked());
        }
    }
}

/// Where terms are fused, the width of vectors changes nothing, and neither does the number of threads.
#[test]
fn levels_and_threads_change_no_sum() {
    let (outputs, length, rank) = (37, 133, 6);
    let (numbers, base): (_, Vec<f32>) = (Numbers::of(outputs, length, rank), random(outputs * length, 1));
    let sums = |threads: usize, level: Level| -> Vec<u32> {
        let changes = numbers.changes();
        let weight = Weight { numbers: &base[..], changes: &changes };
        weight.changed(&Engine::new(threads, level), outputs).into_iter().map(f32::to_bits).collect()
    };
    let fused = Level::ALL.into_iter().filter(|level| *level >= Level::Avx2 && level.is_available());
    let all: Vec<Vec<u32>> = fused.flat_map(|level| [sums(1, level), sums(3, level)]).collect();
    assert!(all.iter().all(|sums| *sums == all[0]));
    assert!(sums(1, Level::Portable) == sums(3, Level::Portable));
}

#[test]
fn a_sum_that_is_no_number_is_the_largest() {
    for engine in engines(1) {
        for (place, number) in [(0, f32::NAN), (99, -f32::NAN), (50, f32::INFINITY)] {
            let mut base: Vec<f32> = random(100, 1);
            base[place] = number;
            let (left, right) = ([0.5; 4], [0.5; 25]);
            let changes = [Change::new(Difference::Product { left: &left, right: &right }, 1.0)];
            Weight { numbers: &base[..], changes: &changes }.changed(&engine, 4);
            let largest = changes[0].largest();
            assert!(if number.is_nan() { largest.is_nan() } else { largest == number }, "{largest}");
        }
    }
}
