//! The names of an upscaler's tensors: which style a file has, under which prefix, and the one name of each layer.
//!
//! It must not know shapes, beyond those that tell a compact upscaler from others.

use std::path::Path;

use super::{super::kinds, foreign};
use crate::{Error, Result, weights::GivenAs};

/// Dictionaries that trainers put weights into; the averaged ones come first, as Real-ESRGAN reads them.
const WRAPPERS: [&str; 7] = ["params_ema.", "params-ema.", "params.", "state_dict.", "model.", "net.", ""];
/// What parallel training puts before every name.
const MODULES: [&str; 4] = ["", "module.", "netG.", "generator."];

/// The names of the first layers: one is in every file of its style.
const REAL: &str = "body.0.rdb1.conv1.weight";
const BSRGAN: &str = "RRDB_trunk.0.RDB1.conv1.weight";
const OLD: &str = "model.1.sub.0.RDB1.conv1.0.weight";
const COMPACT: &str = "body.0.weight";

/// What stands before the names in a file.
pub(super) struct Prefix(String);

impl Prefix {
    /// Finds the prefix, and refuses a file that holds no upscaler.
    ///
    /// # Errors
    /// [`Error::File`] that says what the file is instead.
    pub(super) fn judge(path: &Path, tensors: &[(&str, &[usize])]) -> Result<Self> {
        let shape = |name: &str| tensors.iter().find(|(own, _)| *own == name).map(|(_, shape)| *shape);
        let prefixes = || WRAPPERS.iter().flat_map(|wrapper| MODULES.iter().map(move |module| format!("{wrapper}{module}")));
        for prefix in prefixes() {
            let own = |name: &str| shape(&format!("{prefix}{name}"));
            if let Some(is) = foreign::of(|is| tensors.iter().any(|(name, _)| name.strip_prefix(&prefix).is_some_and(is))) {
                let supported = GivenAs::Upscaler.supported();
                return Err(Error::file(path, format!("is an upscaler of another architecture, {is}; {supported}")));
            }
            let is_rrdb = [REAL, BSRGAN, OLD].into_iter().any(|name| own(name).is_some());
            let is_compact =
                own(COMPACT).is_some_and(|shape| shape.len() == 4) && own("body.1.weight").is_some_and(|shape| shape.len() == 1);
            if is_rrdb || is_compact {
                return Ok(Self(prefix));
            }
            if own(COMPACT).is_some_and(|shape| shape.len() == 4) && own("body.2.weight").is_some() && own("body.1.weight").is_none() {
                let reason = "has activations without weights between its convolutions, and nothing says which; supported are those with slopes \
                              (PReLU)";
                return Err(Error::file(path, reason));
            }
        }
        let first: Vec<String> = tensors.iter().take(3).map(|(name, _)| name.escape_debug().to_string()).collect();
        let shown = if first.is_empty() { "it holds no tensor".into() } else { format!("it holds {}", first.join(", ")) };
        let what = kinds::instead_of(GivenAs::Upscaler, tensors);
        let reason = what.unwrap_or_else(|| format!("is no upscaler that is known here ({shown}); {}", GivenAs::Upscaler.supported()));
        Err(Error::file(path, reason))
    }

    /// The name behind the prefix, if it has that.
    pub(super) fn strip<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.0)
    }
}

/// The style of a file's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Real-ESRGAN's: `body.0.rdb1.conv1`.
    Real,
    /// BSRGAN's and the newer ESRGAN's: `RRDB_trunk.0.RDB1.conv1`.
    Bsrgan,
    /// The first ESRGAN's: layers by their place in a sequence, `model.1.sub.0.RDB1.conv1.0`.
    Old {
        /// The place of the convolution behind the blocks.
        behind: usize,
        /// The place of the last convolution.
        last: usize,
    },
    /// Those of SRVGGNetCompact: layers by their places, `body.0`.
    Compact,
}

impl Names {
    /// The style of the names behind a prefix, which [`Prefix::judge`] found.
    pub(super) fn of<'n>(prefix: &Prefix, names: impl Iterator<Item = &'n str>) -> Self {
        let names: Vec<&str> = names.filter_map(|name| prefix.strip(name)).collect();
        let place = |start: &str| names.iter().filter_map(|name| number(name.strip_prefix(start)?)).map(|(place, _)| place).max();
        if names.contains(&REAL) {
            Self::Real
        } else if names.contains(&BSRGAN) {
            Self::Bsrgan
        } else if names.contains(&OLD) {
            Self::Old { behind: place("model.1.sub.").unwrap_or(0), last: place("model.").unwrap_or(0) }
        } else {
            Self::Compact
        }
    }

    /// Real-ESRGAN's name of a tensor; `None` for one that no upscaler of this style has.
    pub(super) fn canonical(self, name: &str) -> Option<String> {
        match self {
            Self::Real => {
                let block = name.strip_prefix("body.").is_some_and(|rest| number(rest).is_some_and(|(_, rest)| rest.starts_with("rdb")));
                (block || name.starts_with("conv_")).then(|| name.to_owned())
            }
            Self::Compact => compact_layer(name).map(|_| name.to_owned()),
            Self::Bsrgan => {
                if let Some(rest) = name.strip_prefix("RRDB_trunk.") {
                    return Some(format!("body.{}", rest.replacen("RDB", "rdb", 1)));
                }
                let renamed = [("trunk_conv.", "conv_body."), ("upconv", "conv_up"), ("HRconv.", "conv_hr.")];
                let renamed = renamed.iter().find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)));
                renamed.or_else(|| name.starts_with("conv_").then(|| name.to_owned()))
            }
            Self::Old { behind, last } => {
                if let Some(rest) = name.strip_prefix("model.1.sub.") {
                    let (place, rest) = number(rest)?;
                    if place == behind {
                        return Some(format!("conv_body.{rest}"));
                    }
                    // A convolution and its activation are a sequence of their own; ESRGAN+'s 1x1 convolutions are not.
                    return Some(format!("body.{place}.{}", rest.replacen("RDB", "rdb", 1).replacen(".0.", ".", 1)));
                }
                let (place, rest) = number(name.strip_prefix("model.")?)?;
                Some(match place {
                    0 => format!("conv_first.{rest}"),
                    _ if place == last => format!("conv_last.{rest}"),
                    _ if place + 2 == last => format!("conv_hr.{rest}"),
                    _ if place.is_multiple_of(3) => format!("conv_up{}.{rest}", place / 3),
                    _ => return None,
                })
            }
        }
    }
}

/// The place of a compact upscaler's layer.
pub(super) fn compact_layer(name: &str) -> Option<usize> {
    let (place, rest) = number(name.strip_prefix("body.")?)?;
    matches!(rest, "weight" | "bias").then_some(place)
}

/// A number at the start of a name, and what follows its dot.
fn number(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse().ok()?, rest))
}
