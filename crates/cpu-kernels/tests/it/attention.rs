//! Attention against its definition.

use cpu_kernels::{AttentionShape, Element, Engine, attention, vec_of};
use half::bf16;

use crate::{
    HALF, SINGLE, cases, engines,
    reference::{self, random, relative_error, wide},
};

fn error<T: Element>(engine: &Engine, shape: AttentionShape) -> f64 {
    let channels = shape.heads * shape.head_dim;
    let tokens = |count: usize, seed: u64| -> Vec<T> {
        random::<T>(shape.images * count * channels, seed).into_iter().map(|value| T::narrow(value.widen() * 3.0)).collect()
    };
    let (query, key, value) = (tokens(shape.queries, 1), tokens(shape.keys, 2), tokens(shape.keys, 3));
    let expected = reference::attention(&wide(&query), &wide(&key), &wide(&value), &shape);
    let y = vec_of(query.len(), |y| attention(engine, &query, &key, &value, shape, y));
    relative_error(&y, &expected)
}

#[test]
fn attentions_match_their_definition() {
    for engine in engines(2) {
        let all = [
            (2, 70, 77, 3, 40, false),
            (1, 77, 77, 2, 64, true),
            (1, 300, 600, 2, 80, false),
            (2, 5, 1, 1, 16, false),
            (1, 33, 290, 1, 160, false),
            (1, 300, 300, 1, 20, true),
            (1, 1, 1, 1, 1, true),
            (40, 7, 7, 2, 64, false),
            (1, 20, 50, 2, 33, false),
        ];
        let few = [(2, 5, 1, 2, 16, false), (1, 2, 258, 1, 5, false), (1, 130, 3, 1, 5, false), (1, 33, 18, 1, 17, true)];
        for (images, queries, keys, heads, head_dim, causal) in cases(&all, &few) {
            let scale = (head_dim as f32).powf(-0.5);
            let shape = AttentionShape { images, queries, keys, heads, head_dim, scale, causal };
            let (single, half) = (error::<f32>(&engine, shape), error::<bf16>(&engine, shape));
            assert!(single < SINGLE, "{:?}, f32, {shape:?}: {single:.1e}", engine.level());
            assert!(half < HALF, "{:?}, bf16, {shape:?}: {half:.1e}", engine.level());
        }
    }
}

/// Scores that grow from block to block of keys, and scores that would overflow an exponential.
#[test]
fn attention_follows_a_growing_maximum() {
    fn error<T: Element>(engine: &Engine) -> f64 {
        let (queries, keys, head_dim) = if cfg!(miri) { (3, 300, 16) } else { (40, 1000, 16) };
        let shape = AttentionShape { images: 1, queries, keys, heads: 1, head_dim, scale: 1.0, causal: false };
        let query = vec![T::narrow(1.0); queries * head_dim];
        let key: Vec<T> = (0..keys * head_dim).map(|index| T::narrow((index / head_dim) as f32 * 0.4 - 200.0)).collect();
        let value: Vec<T> = random(keys * head_dim, 3);
        let expected = reference::attention(&wide(&query), &wide(&key), &wide(&value), &shape);
        relative_error(&vec_of(query.len(), |y| attention(engine, &query, &key, &value, shape, y)), &expected)
    }
    for engine in engines(1) {
        let (single, half) = (error::<f32>(&engine), error::<bf16>(&engine));
        assert!(single < 2e-5, "{:?}, f32: {single:.1e}", engine.level());
        assert!(half < HALF, "{:?}, bf16: {half:.1e}", engine.level());
    }
}

/// A NaN stays a NaN: the output of a broken model must not look like an image.
#[test]
fn attention_hides_no_nan() {
    fn first<T: Element>(engine: &Engine, query: f32, key: [f32; 2]) -> f32 {
        let shape = AttentionShape { images: 1, queries: 1, keys: 2, heads: 1, head_dim: 1, scale: 1.0, causal: false };
        let (query, key, value) = ([T::narrow(query)], key.map(T::narrow), [1.0, 3.0].map(T::narrow));
        vec_of(1, |y| attention(engine, &query, &key, &value, shape, y))[0].widen()
    }
    for engine in engines(1) {
        for (query, key) in [(f32::NAN, [1.0, 2.0]), (1.0, [f32::NAN, 0.0]), (1.0, [f32::INFINITY, 0.0])] {
            for found in [first::<f32>(&engine, query, key), first::<bf16>(&engine, query, key)] {
                assert!(found.is_nan(), "{:?}: {query} {key:?} gives {found}", engine.level());
            }
        }
    }
}
