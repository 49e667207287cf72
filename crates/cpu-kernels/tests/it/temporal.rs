//! Attention over frames against its definition.

use cpu_kernels::{Element, Engine, TemporalShape, temporal_attention, vec_of};
use half::bf16;

use crate::{
    HALF, SINGLE, cases, engines,
    reference::{self, random, relative_error, wide},
};

fn shape(clips: usize, frames: usize, pixels: usize, heads: usize, head_dim: usize) -> TemporalShape {
    TemporalShape { clips, frames, pixels, heads, head_dim, scale: (head_dim as f32).powf(-0.5) }
}

fn error<T: Element>(engine: &Engine, shape: TemporalShape) -> f64 {
    let count = shape.clips * shape.frames * shape.pixels * shape.heads * shape.head_dim;
    // Scores up to some tens: a softmax that is neither flat nor concentrated on a single frame.
    let tokens = |seed: u64| -> Vec<T> { random::<T>(count, seed).into_iter().map(|value| T::narrow(value.widen() * 3.0)).collect() };
    let (query, key, value) = (tokens(1), tokens(2), tokens(3));
    let expected = reference::temporal_attention(&wide(&query), &wide(&key), &wide(&value), &shape);
    let y = vec_of(count, |y| temporal_attention(engine, &query, &key, &value, shape, y));
    relative_error(&y, &expected)
}

#[test]
fn temporal_attentions_match_their_definition() {
    for engine in engines(2) {
        let all = [
            // Every size of query group, one to four columns of frames and more, whole and ragged heads, several tasks.
            shape(2, 14, 40, 5, 64),
            shape(1, 25, 9, 20, 64),
            shape(1, 1, 7, 2, 16),
            shape(3, 2, 5, 1, 33),
            shape(1, 5, 3, 3, 40),
            shape(2, 8, 11, 2, 20),
            shape(1, 16, 6, 1, 7),
            shape(1, 17, 6, 2, 96),
            shape(1, 33, 4, 1, 24),
            shape(1, 64, 2, 1, 32),
            shape(1, 65, 3, 2, 16),
            shape(1, 12, 2000, 1, 8),
        ];
        for shape in cases(&all, &[shape(2, 3, 5, 2, 18), shape(1, 17, 2, 1, 5), shape(1, 2, 1700, 1, 10)]) {
            let (single, half) = (error::<f32>(&engine, shape), error::<bf16>(&engine, shape));
            assert!(single < SINGLE, "{:?}, f32, {shape:?}: {single:.1e}", engine.level());
            assert!(half < HALF, "{:?}, bf16, {shape:?}: {half:.1e}", engine.level());
        }
    }
}

/// Scores that would overflow an exponential, in both directions.
#[test]
fn temporal_attention_survives_large_scores() {
    for engine in engines(1) {
        let shape = TemporalShape { scale: 1.0, ..shape(1, 20, 3, 2, 16) };
        let count = 20 * 3 * 2 * 16;
        let key: Vec<f32> = (0..count).map(|index| (index / (3 * 2 * 16)) as f32 * 4.0 - 40.0).collect();
        let (query, value): (Vec<f32>, Vec<f32>) = (vec![5.0; count], random(count, 3));
        let expected = reference::temporal_attention(&wide(&query), &wide(&key), &wide(&value), &shape);
        let y = vec_of(count, |y| temporal_attention(&engine, &query, &key, &value, shape, y));
        assert!(relative_error(&y, &expected) < SINGLE, "{:?}", engine.level());
    }
}

/// A NaN stays a NaN, and only where it belongs.
#[test]
fn temporal_attention_hides_no_nan() {
    for engine in engines(1) {
        let shape = shape(1, 2, 2, 1, 1);
        for bad in [f32::NAN, f32::INFINITY] {
            let y = vec_of(4, |y| temporal_attention(&engine, &[1.0; 4], &[bad, 0.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 4.0], shape, y));
            assert_eq!(y.iter().map(|value| value.is_nan()).collect::<Vec<_>>(), [true, false, true, false], "{:?}", engine.level());
        }
    }
}

#[test]
fn threads_and_clips_change_no_bit() {
    for level in cpu_kernels::Level::ALL.into_iter().filter(|level| level.is_available()) {
        let one = shape(1, 3, if cfg!(miri) { 20 } else { 700 }, 2, 24);
        let count = one.frames * one.pixels * one.heads * one.head_dim;
        let tokens: Vec<bf16> = random(count, 1);
        let results = [1, 2, 3].map(|threads| {
            let engine = Engine::new(threads, level);
            let twice = [tokens.as_slice(), tokens.as_slice()].concat();
            vec_of(2 * count, |y| temporal_attention(&engine, &twice, &twice, &twice, TemporalShape { clips: 2, ..one }, y))
        });
        assert!(results.iter().all(|result| *result == results[0] && result[..count] == result[count..]));
    }
}

#[test]
fn empty_input_gives_empty_output() {
    for engine in engines(1) {
        temporal_attention::<f32>(&engine, &[], &[], &[], shape(1, 3, 0, 1, 4), &mut []);
    }
}
