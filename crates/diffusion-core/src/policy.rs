//! The device, the precision of each component and the parts that are loaded, resolved once before anything is.
//!
//! `resolve` may probe the machine; nothing later does. Invariant: after this module, no code checks whether there is a GPU.

use std::{fmt, str::FromStr};

use candle_core::{DType, Device};

use crate::{Error, Result};

/// The requested device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA, then Metal, then the CPU: the first one that this build supports and this machine can open.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
    /// The Metal device.
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "metal" => Ok(Self::Metal),
            _ => Err(Error::Params { field: "device", reason: format!("{text:?} is none of auto, cpu, cuda, metal") }),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DeviceChoice {
    /// The name that [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }
}

/// The requested precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// bf16 on a CPU that multiplies it faster than f32, f32 on any other CPU; f16 on CUDA and Metal.
    #[default]
    Auto,
    /// 32-bit floats throughout.
    F32,
    /// bfloat16 weights and activations, f32 accumulation.
    Bf16,
    /// Half-precision weights and activations, f32 accumulation.
    F16,
}

impl FromStr for Precision {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "f16" => Ok(Self::F16),
            _ => Err(Error::Params { field: "precision", reason: format!("{text:?} is none of auto, f32, bf16, f16") }),
        }
    }
}

/// The resolved device, the precision of each component, and the parts that are loaded.
#[derive(Clone, Debug)]
pub struct ExecutionPolicy {
    /// The device of every component.
    pub device: Device,
    /// The text encoder's precision.
    pub text_encoder: DType,
    /// The UNet's precision.
    pub unet: DType,
    /// The VAE's precision.
    pub vae: DType,
    /// Whether images may be given; an image model loads its VAE's encoder only then.
    pub encodes: bool,
    /// A sentence for users: the device and the reason for it.
    pub reason: String,
}

impl ExecutionPolicy {
    /// Chooses device and precision; opens the device, so it may probe the machine.
    ///
    /// # Errors
    /// [`Error::Device`] if a device requested by name cannot be opened; `auto` never fails.
    pub fn resolve(device: DeviceChoice, precision: Precision) -> Result<Self> {
        let (device, reason) = open(device)?;
        let dtype = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
            Precision::Auto if device.is_cpu() && cpu_kernels::engine().level().has_bf16() => DType::BF16,
            Precision::Auto if device.is_cpu() => DType::F32,
            Precision::Auto => DType::F16,
        };
        Ok(Self { device, text_encoder: dtype, unet: dtype, vae: dtype, encodes: true, reason })
    }

    /// The CPU in f32: the reference for the goldens.
    pub fn cpu_f32() -> Self {
        let (text_encoder, unet, vae) = (DType::F32, DType::F32, DType::F32);
        Self { device: Device::Cpu, text_encoder, unet, vae, encodes: true, reason: "the CPU, as asked".into() }
    }

    /// "cpu", "cuda" or "metal".
    pub fn device_name(&self) -> &'static str {
        match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        }
    }
}

fn open(choice: DeviceChoice) -> Result<(Device, String)> {
    let asked = || format!("{choice}, as asked");
    match choice {
        DeviceChoice::Cpu => Ok((Device::Cpu, asked())),
        DeviceChoice::Cuda => Ok((cuda().map_err(|reason| Error::Device { wanted: "cuda", reason })?, asked())),
        DeviceChoice::Metal => Ok((metal().map_err(|reason| Error::Device { wanted: "metal", reason })?, asked())),
        DeviceChoice::Auto => {
            let no_cuda = match cuda() {
                Ok(device) => return Ok((device, "cuda, auto's first choice".into())),
                Err(reason) => reason,
            };
            let no_metal = match metal() {
                Ok(device) => return Ok((device, format!("metal, by auto (cuda: {no_cuda})"))),
                Err(reason) => reason,
            };
            Ok((Device::Cpu, format!("cpu, by auto (cuda: {no_cuda}; metal: {no_metal})")))
        }
    }
}

fn cuda() -> std::result::Result<Device, String> {
    if !candle_core::utils::cuda_is_available() {
        return Err("not in this build".into());
    }
    Device::new_cuda(0).map_err(|error| error.to_string())
}

fn metal() -> std::result::Result<Device, String> {
    if !candle_core::utils::metal_is_available() {
        return Err("not in this build".into());
    }
    Device::new_metal(0).map_err(|error| error.to_string())
}
