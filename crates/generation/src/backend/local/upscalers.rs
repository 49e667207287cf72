//! The upscalers of the operator's folder on this machine's device: what they need, and the one that is loaded.
//!
//! It must not know jobs or the pool, which count the bytes that it reports. Invariants: only the device's thread opens the device, and loads
//! and runs a network; at most one network is loaded, and it is dropped before another one's file is read.

use std::{
    fmt,
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use diffusion_core::{
    Error, Result,
    adapters::{UpscalerFolder, reason},
    pipelines::upscale::{UpscaleProgress, Upscaler, upscale_bytes, upscaler_bytes},
    policy::ExecutionPolicy,
    weights::{StopCheck, UpscalerConfig},
};
use image::{DynamicImage, RgbImage};
use tokio::sync::watch;

use super::{
    caught::guarded,
    memory::{Enlarging, peak_without_model},
};
use crate::{
    backend::{
        Refusal,
        too_large::{MemoryRequest, TooLarge},
    },
    spec::{
        UpscaleSpec,
        image::{HiresSpec, ImageSpec},
    },
};

/// Opens the device; returns where networks run, and the total that the process may hold there, in bytes.
type OpenDevice = dyn Fn() -> Result<(ExecutionPolicy, Option<u64>)> + Send + Sync;

/// The upscalers of a folder; clones share the one that is loaded. By default there are none.
#[derive(Clone, Default)]
pub struct Upscalers {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    folder: UpscalerFolder,
    open_device: Box<OpenDevice>,
    /// The result of opening the device.
    device: OnceLock<Result<(ExecutionPolicy, Option<u64>), String>>,
    is_opened: watch::Sender<bool>,
    resident: Mutex<Option<Resident>>,
}

/// The loaded network.
struct Resident {
    path: PathBuf,
    /// Identifies the content of its file.
    stamp: u64,
    upscaler: Upscaler,
    bytes: u64,
}

impl fmt::Debug for Upscalers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upscalers").field("folder", &self.folder()).finish_non_exhaustive()
    }
}

impl Upscalers {
    /// The upscalers of a folder. `open_device` is called once, on the device's thread.
    pub fn new(folder: UpscalerFolder, open_device: impl Fn() -> Result<(ExecutionPolicy, Option<u64>)> + Send + Sync + 'static) -> Self {
        let (device, is_opened, resident) = (OnceLock::new(), watch::Sender::new(false), Mutex::new(None));
        Self { inner: Some(Arc::new(Inner { folder, open_device: Box::new(open_device), device, is_opened, resident })) }
    }

    /// The folder; `None` if there is none.
    pub fn folder(&self) -> Option<&UpscalerFolder> {
        self.inner.as_ref().map(|inner| &inner.folder)
    }

    /// Opens the device, on its thread.
    pub(super) fn open_device(&self) {
        if let Some(inner) = &self.inner {
            let opened = inner.device.get_or_init(|| guarded(|| (inner.open_device)()).map_err(|failure| failure.to_string()));
            if let Err(reason) = opened {
                tracing::error!(%reason, "upscalers have no device");
            }
            inner.is_opened.send_replace(true);
        }
    }

    /// Waits until the device is open, and returns whether networks run on the CPU; false without a folder.
    pub(super) async fn opened_on_cpu(&self) -> bool {
        let Some(inner) = &self.inner else { return false };
        // The sender lives as long as this handle.
        inner.is_opened.subscribe().wait_for(|is_opened| *is_opened).await.is_ok() && self.is_on_cpu()
    }

    /// Whether networks run on the CPU, which other threads may use meanwhile.
    pub(super) fn is_on_cpu(&self) -> bool {
        self.device().is_ok_and(|(_, (policy, _))| policy.device.is_cpu())
    }

    fn device(&self) -> Result<(&Inner, &(ExecutionPolicy, Option<u64>)), Refusal> {
        let none = || Refusal::Unfit { field: "upscaler", reason: NO_FOLDER.to_owned() };
        let inner = self.inner.as_deref().ok_or_else(none)?;
        match inner.device.get() {
            None => Err(Refusal::Loading),
            Some(Err(reason)) => Err(Refusal::Failed(reason.clone())),
            Some(Ok(device)) => Ok((inner, device)),
        }
    }

    /// The network's architecture.
    fn config(inner: &Inner, name: &str) -> Result<UpscalerConfig, Refusal> {
        inner.folder.config(name).map_err(|error| Refusal::Unfit { field: "upscaler", reason: sentence(&error) })
    }

    /// What enlarging a picture with a network needs, in bytes, and the limit of the process.
    pub(super) fn needs(&self, name: &str, from: (u32, u32), to: (u32, u32)) -> Result<(Enlarging, Option<u64>), Refusal> {
        let (inner, (policy, limit)) = self.device()?;
        let config = Self::config(inner, name)?;
        let (weights, working) = (upscaler_bytes(&config, policy), upscale_bytes(&config, policy, from, to));
        Ok((Enlarging { weights, working }, *limit))
    }

    /// What the second pass of an image needs beside its model; nothing if no network enlarges it.
    pub(super) fn needs_of(&self, spec: &ImageSpec) -> Result<Enlarging, Refusal> {
        let network = spec.hires().and_then(|hires: &HiresSpec| Some((hires.upscaler().network()?, hires.enlarged())));
        let Some((name, to)) = network else { return Ok(Enlarging::default()) };
        let of_pass = |refusal| {
            if let Refusal::Unfit { reason, .. } = refusal {
                Refusal::Unfit { field: "hires", reason: format!("upscaler: {reason}") }
            } else {
                refusal
            }
        };
        Ok(self.needs(name, (spec.width(), spec.height()), to).map_err(of_pass)?.0)
    }

    /// Refuses an enlargement that cannot be made.
    ///
    /// # Errors
    /// [`Refusal::Unfit`] for an upscaler that is not there or damaged; [`Refusal::TooLarge`] with the largest result that fits in memory.
    pub(super) fn check(&self, spec: &UpscaleSpec) -> Result<(), Refusal> {
        let needed = |to| self.needs(spec.upscaler(), spec.given_size(), to);
        let (needs, limit) = needed(spec.size())?;
        let Some(available) = limit else { return Ok(()) };
        let peak = peak_without_model(needs);
        if peak <= available {
            return Ok(());
        }
        let (inner, _) = self.device()?;
        let config = Self::config(inner, spec.upscaler())?;
        let sizes = (10..160).rev().filter_map(|tenths| spec.size_at(f64::from(tenths) / 10.0, &config));
        let fits = |to: &(u32, u32)| to.0 < spec.size().0 && needed(*to).is_ok_and(|(needs, _)| peak_without_model(needs) <= available);
        let largest = sizes.into_iter().find(fits).map(MemoryRequest::Enlarged);
        Err(TooLarge::new(MemoryRequest::Enlarged(spec.size()), peak, available, largest).into())
    }

    /// What an enlargement's bytes depend on beside its spec.
    pub(super) fn fingerprint(&self, name: &str) -> String {
        let Ok((inner, (policy, _))) = self.device() else { return String::new() };
        let stamp = inner.folder.find(name).and_then(|path| UpscalerFolder::stamp(&path)).unwrap_or_default();
        format!("upscaler {name} {stamp:016x}, {} on {}", policy.unet.as_str(), policy.device_name())
    }

    /// Bytes of the loaded network.
    pub(super) fn held(&self) -> u64 {
        let Some(inner) = &self.inner else { return 0 };
        inner.resident.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |resident| resident.bytes)
    }

    /// Drops the loaded network; false if there is none.
    pub(super) fn unload(&self) -> bool {
        let Some(inner) = &self.inner else { return false };
        inner.resident.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Enlarges a picture to exactly this size, on the device's thread, after loading the network unless it is there.
    ///
    /// # Errors
    /// [`Error::Params`] for an upscaler that is not there or damaged; [`Error::Cancelled`] between blocks once `stop` says so; other errors
    /// of the network.
    pub(super) fn enlarge(
        &self,
        name: &str,
        image: &DynamicImage,
        to: (u32, u32),
        stop: &StopCheck,
        mut progress: impl FnMut(UpscaleProgress),
    ) -> Result<DynamicImage> {
        let refused = |refusal: Refusal| Error::Params { field: "upscaler", reason: refusal.to_string() };
        let (inner, (policy, _)) = self.device().map_err(refused)?;
        // A panic leaves a network, or none.
        let mut resident = inner.resident.lock().unwrap_or_else(PoisonError::into_inner);
        let upscaler = &loaded(&mut resident, inner, name, policy, stop)?.upscaler;
        let enlarged = upscaler.upscale(&image.to_rgba8(), to, &mut |at| {
            progress(at);
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let enlarged = DynamicImage::from(enlarged);
        Ok(if image.color().has_alpha() { enlarged } else { enlarged.into_rgb8().into() })
    }

    /// As [`Self::enlarge`], for the picture between two passes.
    pub(super) fn enlarge_rgb(&self, name: &str, image: &RgbImage, to: (u32, u32), stop: &StopCheck) -> Result<RgbImage> {
        Ok(self.enlarge(name, &DynamicImage::from(image.clone()), to, stop, |_| {})?.into_rgb8())
    }
}

const NO_FOLDER: &str = "this server has no upscalers: the setting upscalers.folder names a folder of them";

/// The network of a file, loaded unless the same file was.
fn loaded<'a>(
    resident: &'a mut Option<Resident>,
    inner: &Inner,
    name: &str,
    policy: &ExecutionPolicy,
    stop: &StopCheck,
) -> Result<&'a Resident> {
    let refused = |error: Error| {
        if matches!(error, Error::Cancelled | Error::OutOfMemory { .. }) {
            return error;
        }
        Error::Params { field: "upscaler", reason: sentence(&error) }
    };
    let path = inner.folder.find(name)?;
    let stamp = UpscalerFolder::stamp(&path).map_err(refused)?;
    if resident.as_ref().is_none_or(|resident| (&resident.path, resident.stamp) != (&path, stamp)) {
        *resident = None;
        let file = inner.folder.open_file(name, stop).map_err(refused)?;
        let upscaler = Upscaler::load(&file, policy).map_err(refused)?;
        let bytes = upscaler_bytes(upscaler.config(), policy);
        tracing::info!(upscaler = name, device = policy.device_name(), "upscaler loaded");
        *resident = Some(Resident { path, stamp, upscaler, bytes });
    }
    resident.as_ref().ok_or(Error::Cancelled)
}

/// An error about a file, without the folders before its name.
fn sentence(error: &Error) -> String {
    if let Error::Params { reason, .. } = error { reason.clone() } else { reason(error) }
}
