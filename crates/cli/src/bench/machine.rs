//! The benchmarked machine: its name, its peak speeds, and the memory used.

use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use diffusion_core::{ops::Linear, policy::ExecutionPolicy};

/// Rows and columns of the multiplied matrices.
const SIDE: usize = 2048;
/// How often to look again for speeds that the model's cannot exceed.
const MOST_SEARCHES: u32 = 4;
/// By how much a search must raise the peak for another one.
const HELPS: f64 = 1.02;
/// How long to look for the fastest product: the first products find a cold clock and cold caches.
const SEARCH: Duration = Duration::from_millis(1500);

/// The highest speeds reached here, in floating-point operations a second.
#[derive(Clone, Copy)]
pub(super) struct Peak {
    /// Of the hardware: on a CPU its product instructions on registers alone; on other devices [`Self::product`], or a part of the model if
    /// every product was timed in a slower moment.
    pub(super) flops: f64,
    /// What reached it.
    pub(super) by: &'static str,
    /// Of a matrix product.
    pub(super) product: f64,
    /// The precision of both.
    pub(super) precision: &'static str,
}

pub(super) struct Machine {
    /// The processor's name.
    pub(super) processor: String,
    /// Threads of the tensor operations.
    pub(super) threads: usize,
    /// Memory in bytes.
    pub(super) memory: u64,
    /// The highest speeds reached here.
    pub(super) peak: Peak,
    /// Peak memory of this process so far, in bytes, where the system reports it.
    pub(super) peak_memory: Option<u64>,
}

impl Machine {
    /// Queries the system, and measures the peak speeds.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn measure(policy: &ExecutionPolicy) -> Result<Self> {
        let system = sysinfo::System::new_with_specifics(
            sysinfo::RefreshKind::nothing()
                .with_cpu(sysinfo::CpuRefreshKind::nothing())
                .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
        )
        .ok();
        let processor = system.as_ref().and_then(|system| system.cpus().first()).map_or("unknown processor", |cpu| cpu.brand());
        Ok(Self {
            processor: processor.trim().to_owned(),
            threads: cpu_kernels::engine().pool().threads(),
            memory: system.as_ref().map_or(0, sysinfo::System::total_memory),
            peak: Peak::measure(policy)?,
            peak_memory: peak_memory(),
        })
    }

    /// Measures the peak again, because other work on the machine may have slowed it, until the model's fastest part, `reached` operations a
    /// second, does not exceed it; and reads the memory again. Only as long as that helps: a CPU's kernels that save multiplications can
    /// exceed the peak; on other devices the part's own speed is the peak then.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn measure_again(&mut self, policy: &ExecutionPolicy, reached: f64) -> Result<()> {
        // Read before the matrices are allocated: they are not part of what the model needs.
        self.peak_memory = peak_memory();
        for _ in 0..MOST_SEARCHES {
            let before = self.peak.flops;
            self.peak = self.peak.best(Peak::measure(policy)?);
            if self.peak.flops >= reached {
                return Ok(());
            }
            if policy.device.is_cpu() && self.peak.flops < before * HELPS {
                break;
            }
        }
        if !policy.device.is_cpu() {
            (self.peak.flops, self.peak.by) = (reached, "the model's fastest part");
        }
        Ok(())
    }
}

impl Peak {
    fn measure(policy: &ExecutionPolicy) -> Result<Self> {
        // A CPU multiplies f16 in f32, and bf16 too if its level lacks the instructions.
        let half = policy.unet == DType::BF16 && cpu_kernels::engine().level().has_bf16();
        let dtype = if policy.device.is_cpu() && !half { DType::F32 } else { policy.unet };
        let product = best_product(&policy.device, dtype)?;
        let by_product = Self { flops: product, by: "a matrix product", product, precision: dtype.as_str() };
        if !policy.device.is_cpu() {
            return Ok(by_product);
        }
        let flops = cpu_kernels::peak(cpu_kernels::engine(), half);
        Ok(if flops >= product { Self { flops, by: "a loop on registers", ..by_product } } else { by_product })
    }

    fn best(self, other: Self) -> Self {
        let faster = if other.flops > self.flops { other } else { self };
        Self { product: self.product.max(other.product), ..faster }
    }
}

fn best_product(device: &Device, dtype: DType) -> Result<f64> {
    // Values like a model's: zeros would let the processor clock higher.
    let ramp = Tensor::arange(0, (SIDE * SIDE) as u32, device)?.to_dtype(DType::F32)?;
    let matrix = ((ramp.sin()? + 0.1)?).reshape((SIDE, SIDE))?.to_dtype(dtype)?;
    // The layer that models use, so that on the CPU this times the kernels' product.
    let layer = Linear::new(&matrix, None)?;
    let began = Instant::now();
    let mut best = Duration::MAX;
    while began.elapsed() < SEARCH {
        let started = Instant::now();
        layer.forward(&matrix)?;
        device.synchronize()?;
        best = best.min(started.elapsed());
    }
    Ok(2.0 * (SIDE as f64).powi(3) / best.as_secs_f64())
}

#[cfg(target_os = "linux")]
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(not(target_os = "linux"))]
fn peak_memory() -> Option<u64> {
    // The system reports only current memory, which after a run is near the peak.
    crate::memory::resident()
}

/// The build: version, processor architecture, CPU level, features.
pub(super) fn build() -> String {
    let mut words = vec![format!("framewright {}", env!("CARGO_PKG_VERSION")), std::env::consts::ARCH.to_owned()];
    words.push(cpu_kernels::engine().level().name().to_owned());
    for (has, name) in [(cfg!(feature = "cuda"), "cuda"), (cfg!(feature = "metal"), "metal"), (cfg!(debug_assertions), "debug")] {
        if has {
            words.push(name.to_owned());
        }
    }
    words.join(" ")
}
