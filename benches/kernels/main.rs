//! Times every kernel of `cpu-kernels` at the sizes of real models, as a share of the machine's peak.
//!
//! `cargo bench -p benches --bench kernels`, with a filter such as `tiny-sd/conv3x3`, `svd/attention` or `/bf16/`. Names are `model/kernel
//! size channels/precision/level`; attention's size is images x queries x keys, its channels heads x channels per head. The models:
//! `tiny-sd` and `sd15` (UNets, 512x512, both halves of guidance), `vae` (their autoencoder), `clip` (their text encoder), `svd` and
//! `svd-vae` (Stable Video Diffusion at 576x1024). Kernels that two models share are listed with the first, so `sd15` has only those that
//! tiny-sd lacks. The level is the machine's best; `KERNEL_LEVELS=avx2,portable` selects others, `KERNEL_LEVELS=all` all that the machine
//! has. The process uses all of its processors, so `taskset -c 0` measures one core.
//!
//! Products are counted by a kernel's definition: for a convolution the multiplications and additions of the direct algorithm, including
//! padding, on the enlarged image if it enlarges. So an algorithm that saves multiplications may exceed 100 % of the peak, which is that of
//! a loop on registers (`cpu_kernels::peak`). Norms and activations are counted in bytes read and written once, against a copy of a large
//! array: a norm that reads memory twice cannot reach 100 %, and one whose input is still in a cache from the previous iteration may exceed
//! it.

#![allow(clippy::print_stdout, reason = "the peaks are part of criterion's printed report")]

mod shapes;
mod share;

use std::{cell::OnceCell, env, hint::black_box, rc::Rc, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use cpu_kernels::{
    Element, Engine, Extras, Images, Level, Norm, Packed, activate, attention, conv2d, group_norm, layer_norm, linear, temporal_attention,
};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use half::bf16;

use crate::{
    shapes::{Kernel, Model, Work, models},
    share::{Best, Share},
};

fn main() -> Result<()> {
    let models = models()?;
    for level in levels()? {
        let engine = Engine::new(thread::available_parallelism().map_or(1, usize::from), level);
        run::<bf16>(&engine, &models);
        run::<f32>(&engine, &models);
    }
    Ok(())
}

/// The levels named by the environment, or the best one.
fn levels() -> Result<Vec<Level>> {
    let Ok(names) = env::var("KERNEL_LEVELS") else { return Ok(vec![Level::detect()]) };
    if names == "all" {
        return Ok(Level::ALL.into_iter().filter(|level| level.is_available()).collect());
    }
    let level = |name: &str| {
        let level = Level::from_name(name).with_context(|| format!("KERNEL_LEVELS: there is no level {name:?}"))?;
        ensure!(level.is_available(), "KERNEL_LEVELS: this machine has no {name}");
        Ok(level)
    };
    names.split(',').map(level).collect()
}

/// The name of a precision.
fn precision(bf16: bool) -> &'static str {
    if bf16 { "bf16" } else { "f32" }
}

/// Benches every kernel in one precision.
fn run<T: Element>(engine: &Engine, models: &[Model]) {
    let best = Rc::new(OnceCell::new());
    // With --quick, criterion includes the time to prepare operands and peaks, and would stop after a single call.
    let quick = env::args().any(|argument| argument == "--quick");
    let mut criterion = Criterion::default()
        .with_measurement(Share(Rc::clone(&best)))
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(if quick { 3_000 } else { 500 }))
        .nresamples(2_000)
        .configure_from_args();
    for Model { name, kernels } in models {
        let mut group = criterion.benchmark_group(*name);
        group.sampling_mode(SamplingMode::Flat);
        for kernel in kernels {
            group.throughput(match kernel.work() {
                Work::Products(operations) => Throughput::Elements(operations as u64),
                Work::Elements(elements) => Throughput::BytesDecimal((elements * size_of::<T>()) as u64),
            });
            // Operands and peaks are prepared only for benches that the filter selects.
            let mut ready = None;
            let id = BenchmarkId::new(kernel.name(), format!("{}/{}", precision(T::HALF), engine.level().name()));
            group.bench_function(id, |bencher| {
                best.get_or_init(|| {
                    let best = Best::of(engine, T::HALF);
                    println!("{}", best.describe(engine, T::HALF));
                    best
                });
                bencher.iter(ready.get_or_insert_with(|| {
                    let mut call = prepare::<T>(engine, kernel);
                    // The first call touches fresh pages and scratch memory.
                    call();
                    call
                }));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Prepares a kernel with its operands, to be called any number of times; the result always goes to the same buffer.
fn prepare<'a, T: Element>(engine: &'a Engine, kernel: &Kernel) -> Box<dyn FnMut() + 'a> {
    let residual_of = |len: usize, there: bool| there.then(|| random::<T>(len, 4));
    match *kernel {
        Kernel::Conv { shape, inputs, outputs, residual } => {
            let taps = shape.kernel.0 * shape.kernel.1;
            let x = random::<T>(shape.images * shape.input.0 * shape.input.1 * inputs, 1);
            let weight = random::<T>(outputs * inputs * taps, 2);
            // Packed as in a model: 3x3 convolutions in the fastest way.
            let doubles = shape.enlarged == (2 * shape.input.0, 2 * shape.input.1);
            let plain = shape.enlarged == shape.input;
            let images = match shape.input {
                _ if doubles => Images::Doubled,
                (height, width) if height.min(width) < 8 => Images::Small,
                _ => Images::Large,
            };
            let weight = if (shape.kernel, shape.stride, shape.pad) == ((3, 3), 1, (1, 1)) && (doubles || plain) {
                Packed::conv3x3::<T, T>(engine, &weight, outputs, inputs, images)
            } else {
                Packed::new::<T, T>(engine, &weight, outputs, inputs, taps)
            };
            let bias = random::<f32>(outputs, 3);
            let len = shape.images * shape.output.0 * shape.output.1 * outputs;
            let (residual, mut y) = (residual_of(len, residual), Vec::with_capacity(len));
            Box::new(move || {
                let extras = Extras { bias: Some(&bias), per_image: None, residual: residual.as_deref(), ..Extras::default() };
                black_box(conv2d(engine, &x, &weight, shape, extras, &mut y.spare_capacity_mut()[..len]));
            })
        }
        Kernel::Linear { rows, inputs, outputs, gated, residual } => {
            let x = random::<T>(rows * inputs, 1);
            let width = if gated { 2 * outputs } else { outputs };
            let weight = random::<T>(width * inputs, 2);
            let weight = if gated {
                Packed::gated::<T, T>(engine, &weight, width, inputs)
            } else {
                Packed::new::<T, T>(engine, &weight, width, inputs, 1)
            };
            let bias = random::<f32>(width, 3);
            let len = rows * outputs;
            let (residual, mut y) = (residual_of(len, residual), Vec::with_capacity(len));
            Box::new(move || {
                let extras = Extras { bias: Some(&bias), per_image: None, residual: residual.as_deref(), ..Extras::default() };
                black_box(linear(engine, &x, &weight, extras, &mut y.spare_capacity_mut()[..len]));
            })
        }
        Kernel::Attention(shape) => {
            let tokens = |count: usize, seed| random::<T>(shape.images * count * shape.heads * shape.head_dim, seed);
            let (query, key, value) = (tokens(shape.queries, 1), tokens(shape.keys, 2), tokens(shape.keys, 3));
            let mut y = Vec::with_capacity(query.len());
            Box::new(move || {
                black_box(attention(engine, &query, &key, &value, shape, &mut y.spare_capacity_mut()[..query.len()]));
            })
        }
        Kernel::Temporal(shape) => {
            let tokens = |seed| random::<T>(shape.clips * shape.frames * shape.pixels * shape.heads * shape.head_dim, seed);
            let (query, key, value) = (tokens(1), tokens(2), tokens(3));
            let mut y = Vec::with_capacity(query.len());
            Box::new(move || {
                black_box(temporal_attention(engine, &query, &key, &value, shape, &mut y.spare_capacity_mut()[..query.len()]));
            })
        }
        Kernel::GroupNorm { images, pixels, channels, silu } => {
            let (x, weight, bias) = (random::<T>(images * pixels * channels, 1), random(channels, 2), random(channels, 3));
            let mut y = Vec::with_capacity(x.len());
            Box::new(move || {
                let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
                black_box(group_norm(engine, &x, images, 32, norm, silu, &mut y.spare_capacity_mut()[..x.len()]));
            })
        }
        Kernel::LayerNorm { rows, channels } => {
            let (x, weight, bias) = (random::<T>(rows * channels, 1), random(channels, 2), random(channels, 3));
            let mut y = Vec::with_capacity(x.len());
            Box::new(move || {
                let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
                black_box(layer_norm(engine, &x, norm, &mut y.spare_capacity_mut()[..x.len()]));
            })
        }
        Kernel::Activate { activation, rows, channels } => {
            let x = random::<T>(rows * channels, 1);
            let mut y = Vec::with_capacity(x.len());
            Box::new(move || {
                black_box(activate(engine, &x, activation, &mut y.spare_capacity_mut()[..x.len()]));
            })
        }
    }
}

/// Seeded numbers in -1..1.
fn random<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::narrow(((state >> 40) as f32 / (1_u64 << 23) as f32) - 1.0)
    };
    (0..count).map(|_| next()).collect()
}
