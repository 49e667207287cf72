//! Criterion's clock, with speeds printed as shares of the machine's peak.

use std::{
    cell::OnceCell,
    hint::black_box,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use cpu_kernels::{Engine, peak};
use criterion::{
    Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};

/// Bytes copied to measure memory speed: larger than any cache.
const COPY: usize = 512 << 20;
/// Bytes per task of the copy.
const STRIP: usize = 4 << 20;
/// The best of this many copies counts.
const COPIES: usize = 5;

/// An engine's peak speeds.
pub(crate) struct Best {
    /// Operations per second of its product instruction, on all threads.
    products: f64,
    /// Bytes per second, read plus written, of a copy of a large array on all threads.
    copies: f64,
}

impl Best {
    /// Measures the peaks for activations in bfloat16 or f32.
    pub(crate) fn of(engine: &Engine, bf16: bool) -> Self {
        Self { products: peak(engine, bf16), copies: copies(engine) }
    }

    /// Describes the peaks, including one thread's product speed.
    pub(crate) fn describe(&self, engine: &Engine, bf16: bool) -> String {
        let one = peak(&Engine::new(1, engine.level()), bf16);
        format!(
            "{} in {}, {} threads: products {:.0} GFLOP/s (one thread {:.0}), copies {:.1} GB/s",
            engine.level().name(),
            crate::precision(bf16),
            engine.pool().threads(),
            self.products / 1e9,
            one / 1e9,
            self.copies / 1e9
        )
    }
}

/// Bytes per second of a copy from one large array to another.
fn copies(engine: &Engine) -> f64 {
    let from = vec![1_u8; COPY / 2];
    let mut to = vec![2_u8; COPY / 2];
    let strips: Vec<(&[u8], Mutex<&mut [u8]>)> = from.chunks(STRIP).zip(to.chunks_mut(STRIP).map(Mutex::new)).collect();
    let once = || {
        let start = Instant::now();
        engine.pool().run(strips.len(), |strip| {
            let (from, to) = &strips[strip];
            to.lock().unwrap_or_else(PoisonError::into_inner).copy_from_slice(from);
        });
        black_box(&strips);
        COPY as f64 / start.elapsed().as_secs_f64()
    };
    (0..COPIES).map(|_| once()).fold(0.0, f64::max)
}

/// Wall time; a throughput's elements are operations of products, its bytes the bytes that a kernel reads and writes.
pub(crate) struct Share(pub(crate) Rc<OnceCell<Best>>);

impl Measurement for Share {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        WallTime.start()
    }

    fn end(&self, start: Instant) -> Duration {
        WallTime.end(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        WallTime.add(a, b)
    }

    fn zero(&self) -> Duration {
        WallTime.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

/// A throughput's amount, and its unit per nanosecond.
fn amount(throughput: &Throughput) -> (f64, &'static str) {
    match *throughput {
        Throughput::Elements(operations) | Throughput::ElementsAndBytes { elements: operations, .. } => (operations as f64, "GFLOP/s"),
        Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes) => (bytes as f64, "GB/s"),
        Throughput::Bits(bits) => (bits as f64 / 8.0, "GB/s"),
    }
}

impl ValueFormatter for Share {
    fn format_throughput(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        let (amount, unit) = amount(throughput);
        let speed = amount / nanoseconds;
        let digits = if speed < 100.0 { 1 } else { 0 };
        let share = |best: f64| 100.0 * speed * 1e9 / best;
        match (self.0.get(), unit) {
            (Some(best), "GFLOP/s") => format!("{speed:.digits$} {unit}, {:.0} % of peak", share(best.products)),
            (Some(best), _) => format!("{speed:.digits$} {unit}, {:.0} % of a copy", share(best.copies)),
            (None, _) => format!("{speed:.digits$} {unit}"),
        }
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let (amount, unit) = amount(throughput);
        values.iter_mut().for_each(|nanoseconds| *nanoseconds = amount / *nanoseconds);
        unit
    }

    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
