//! Every kernel with each of its buffers directly before, and directly after, inaccessible memory, at every alignment that its elements
//! allow within a cache line: a read or a write beyond a buffer crashes the test program.

#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "inaccessible pages come from the system")]

use std::mem::MaybeUninit;

use cpu_kernels::{
    Activation, AttentionShape, Blend, ChainShape, Change, ConvShape, Difference, Element, Engine, Extras, Images, Link, Norm, Packed,
    TemporalShape, Weight, activate, attention, conv_chain, conv2d, group_norm, layer_norm, layer_norm_shifted, temporal_attention,
};
use half::bf16;

use crate::{engines, reference::random};

/// Elements with an inaccessible page before and after them.
struct Guarded<T> {
    map: *mut u8,
    bytes: usize,
    data: *mut T,
    count: usize,
}

#[derive(Clone, Copy)]
enum Side {
    /// The last element ends `usize` elements before the end of the accessible pages.
    End(usize),
    /// The first element begins `usize` elements after the start of the accessible pages.
    Start(usize),
}

impl<T: Element> Guarded<T> {
    fn new(values: &[T], side: Side) -> Self {
        // SAFETY: plain system calls; every result is checked, and the elements lie between the two guards.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let slack = 64 / size_of::<T>();
            let inner = ((values.len() + slack) * size_of::<T>()).next_multiple_of(page);
            let bytes = inner + 2 * page;
            let map = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0).cast::<u8>();
            assert_ne!(map.cast(), libc::MAP_FAILED);
            assert_eq!(libc::mprotect(map.add(page).cast(), inner, libc::PROT_READ | libc::PROT_WRITE), 0);
            let data = match side {
                Side::End(gap) => map.add(page + inner).cast::<T>().sub(values.len() + gap),
                Side::Start(gap) => map.add(page).cast::<T>().add(gap),
            };
            data.copy_from_nonoverlapping(values.as_ptr(), values.len());
            Self { map, bytes, data, count: values.len() }
        }
    }

    fn slice(&self) -> &[T] {
        // SAFETY: `count` elements were written there.
        unsafe { std::slice::from_raw_parts(self.data, self.count) }
    }

    fn spare(&mut self) -> &mut [MaybeUninit<T>] {
        // SAFETY: as above, and borrowed uniquely; kernels write elements only.
        unsafe { std::slice::from_raw_parts_mut(self.data.cast(), self.count) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made.
        unsafe { libc::munmap(self.map.cast(), self.bytes) };
    }
}

fn all_kernels<T: Element>(engine: &Engine, side: Side) {
    let guard = |count: usize, seed: u64| Guarded::new(&random::<T>(count, seed), side);
    let numbers = |count: usize, seed: u64| Guarded::new(&random::<f32>(count, seed), side);
    for (inputs, outputs, kernel, height, width) in [(32, 16, 3, 3, 17), (7, 35, 3, 2, 5), (64, 33, 1, 1, 37)] {
        let size = (height, width);
        let shape = ConvShape {
            images: 2,
            input: size,
            enlarged: size,
            output: size,
            kernel: (kernel, kernel),
            stride: 1,
            pad: (kernel / 2, kernel / 2),
        };
        let weight = guard(outputs * inputs * kernel * kernel, 1);
        let direct = Packed::new::<T, T>(engine, weight.slice(), outputs, inputs, kernel * kernel);
        let (x, residual) = (guard(2 * height * width * inputs, 2), guard(2 * height * width * outputs, 3));
        let other = guard(2 * height * width * outputs, 9);
        let (bias, per_image, slopes) = (numbers(outputs, 4), numbers(2 * outputs, 5), numbers(outputs, 10));
        let mut y = guard(2 * height * width * outputs, 6);
        let extras = Extras {
            bias: Some(bias.slice()),
            per_image: Some(per_image.slice()),
            residual: Some(residual.slice()),
            relu: false,
            slopes: Some(slopes.slice()),
            blend: Some(Blend { other: other.slice(), share: 0.3, whole: false }),
        };
        conv2d(engine, x.slice(), &direct, shape, extras, y.spare());
        if kernel == 3 {
            let winograd = Packed::winograd::<T, T>(engine, weight.slice(), outputs, inputs);
            conv2d(engine, x.slice(), &winograd, shape, extras, y.spare());
            let winograd4 = Packed::winograd4::<T, T>(engine, weight.slice(), outputs, inputs);
            conv2d(engine, x.slice(), &winograd4, shape, extras, y.spare());
            let doubling = Packed::doubling::<T, T>(engine, weight.slice(), outputs, inputs);
            let enlarged = (2 * height - 1, 2 * width);
            let residual = guard(2 * enlarged.0 * enlarged.1 * outputs, 7);
            let mut y = guard(2 * enlarged.0 * enlarged.1 * outputs, 8);
            let extras = Extras { residual: Some(residual.slice()), blend: None, ..extras };
            conv2d(engine, x.slice(), &doubling, ConvShape { enlarged, output: enlarged, ..shape }, extras, y.spare());
        }
    }
    // A chain in one pass, if the level has one: whole planes of channels, and outputs that fill no column.
    for (doubles, height, width) in [(false, 7, 19), (true, 3, 2)] {
        let times = if doubles { 2 } else { 1 };
        let weight = |outputs: usize, doubles: bool| {
            let images = if doubles { Images::Doubled } else { Images::Large };
            Packed::link::<T, T>(engine, guard(outputs * 32 * 9, 1).slice(), outputs, 32, images)
        };
        let (first, same, last) = (weight(32, doubles), weight(32, false), weight(5, false));
        let (x, bias) = (guard(2 * height * width * 32, 2), numbers(32, 4));
        let link = Link { weight: &first, bias: Some(bias.slice()), adds: None, relu: true };
        let links = [link, Link { weight: &same, ..link }, Link { weight: &same, adds: Some(1), ..link }];
        let shape = ChainShape { images: 2, input: (height, width), doubles };
        let pixels = 2 * height * width * times * times;
        conv_chain(engine, x.slice(), shape, &links, guard(pixels * 32, 6).spare());
        conv_chain(engine, x.slice(), shape, &[link, Link { weight: &last, bias: None, ..link }], guard(pixels * 5, 6).spare());
    }
    // A part of a block of columns, and whole ones; rows that are no multiple of those computed together.
    for (outputs, length, rank) in [(19, 37, 3), (6, 128, 2)] {
        let base = guard(outputs * length, 1);
        let (left, right, whole) = (numbers(outputs * rank, 2), numbers(rank * length, 3), numbers(outputs * length, 4));
        let product = Difference::Product { left: left.slice(), right: right.slice() };
        let changes = [Change::new(product, 0.5), Change::new(Difference::Whole(whole.slice()), 0.5)];
        let weight = Weight { numbers: base.slice(), changes: &changes };
        Packed::new::<T, T>(engine, weight, outputs, length, 1);
        Packed::gated::<T, T>(engine, Weight { numbers: &base.slice()[..outputs / 2 * 2 * length], ..weight }, outputs / 2 * 2, length);
        weight.changed(engine, outputs);
    }
    // Fewer queries than a task's and more; a head of whole pairs of channels and one with an odd number.
    for (queries, keys, head_dim) in [(35, 19, 24), (130, 40, 7)] {
        let shape = AttentionShape { images: 2, queries, keys, heads: 2, head_dim, scale: 0.2, causal: false };
        let tokens = |count: usize, seed: u64| guard(2 * count * 2 * head_dim, seed);
        let (query, key, value, mut y) = (tokens(queries, 1), tokens(keys, 2), tokens(keys, 3), tokens(queries, 4));
        attention(engine, query.slice(), key.slice(), value.slice(), shape, y.spare());
    }
    for (frames, head_dim) in [(3, 24), (18, 7)] {
        let shape = TemporalShape { clips: 2, frames, pixels: 3, heads: 2, head_dim, scale: 0.2 };
        let tokens = |seed: u64| guard(2 * frames * 3 * 2 * head_dim, seed);
        let (query, key, value, mut y) = (tokens(1), tokens(2), tokens(3), tokens(4));
        temporal_attention(engine, query.slice(), key.slice(), value.slice(), shape, y.spare());
    }
    let (weight, bias) = (numbers(20, 1), numbers(20, 2));
    let norm = Norm { weight: weight.slice(), bias: bias.slice(), eps: 1e-5 };
    let x = guard(2 * 9 * 20, 3);
    let mut y = guard(2 * 9 * 20, 4);
    group_norm(engine, x.slice(), 2, 5, norm, true, y.spare());
    layer_norm(engine, x.slice(), norm, y.spare());
    layer_norm_shifted(engine, x.slice(), numbers(6 * 20, 5).slice(), norm, y.spare());
    activate(engine, x.slice(), Activation::Gelu, y.spare());
}

#[test]
fn no_kernel_reaches_beyond_its_buffers() {
    for engine in engines(1) {
        for gap in 0..16 {
            for side in [Side::End(gap), Side::Start(gap)] {
                all_kernels::<f32>(&engine, side);
            }
        }
        for gap in 0..32 {
            for side in [Side::End(gap), Side::Start(gap)] {
                all_kernels::<bf16>(&engine, side);
            }
        }
    }
}
