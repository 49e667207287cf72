//! The ControlNets of a run: the residuals that they add to each call of the noise predictor.
//!
//! This module must not depend on schedulers. Invariants: a control image is embedded once for a run; a net runs only in the calls of its
//! window. In guess mode only the prompt's half is controlled. Follows diffusers' `StableDiffusionControlNetPipeline.__call__` and
//! `MultiControlNetModel`.

use std::ops::Range;

use candle_core::Tensor;

use super::texts::{CallTexts, RunTexts};
use crate::{
    Result,
    models::{ControlNetModel, ControlStrength, Residuals, TextContext},
    ops::Nhwc,
};

/// A ControlNet of a run.
#[derive(Clone, Debug)]
pub struct Control<'a> {
    /// The net.
    pub net: &'a ControlNetModel,
    /// [1, 3, height, width] with values in [0, 1], of the output's size.
    pub image: Tensor,
    /// The factor of its results.
    pub weight: f64,
    /// The calls of the noise predictor in which it acts, counted from the run's first.
    pub calls: Range<usize>,
}

/// A net with everything that does not depend on the step.
#[derive(Clone, Debug)]
struct Prepared<'a> {
    net: &'a ControlNetModel,
    condition: Nhwc,
    strength: ControlStrength,
    calls: Range<usize>,
    text: TextContext,
    separate_negative: Option<TextContext>,
}

/// All nets of a run.
#[derive(Clone, Debug)]
pub(super) struct Controls<'a> {
    nets: Vec<Prepared<'a>>,
    /// Whether the results are those of the prompt's half of a call for both halves.
    of_second_half: bool,
}

/// The texts of one call of the noise predictor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// The prompt, and the negative prompt unless it has a call of its own.
    Main,
    SeparateNegative,
}

impl<'a> Controls<'a> {
    /// Prepares the nets. A first net that pools its results is in guess mode, as in diffusers.
    pub(super) fn new(controls: Vec<Control<'a>>, guess_mode: bool, texts: &RunTexts) -> Result<Self> {
        let guess_mode = guess_mode || controls.first().is_some_and(|first| first.net.config().global_pool_conditions);
        let (both, separate_negative) = texts.of_calls()?;
        let of_prompt_alone = guess_mode && texts.negative.is_some();
        let (main, negative) = if of_prompt_alone { (&texts.positive, None) } else { (&both, separate_negative.as_ref()) };
        let prepare = |Control { net, image, weight, calls }: Control<'a>| -> Result<Prepared<'a>> {
            let context = |texts: &CallTexts| net.text_context(&texts.states, texts.added.as_ref().map(|(pooled, ids)| (pooled, ids)));
            Ok(Prepared {
                net,
                condition: net.condition(&image)?,
                strength: ControlStrength { weight, guess_mode },
                calls,
                text: context(main)?,
                separate_negative: negative.map(context).transpose()?,
            })
        };
        Ok(Self {
            nets: controls.into_iter().map(prepare).collect::<Result<_>>()?,
            of_second_half: of_prompt_alone && separate_negative.is_none(),
        })
    }

    /// The sum of the nets' residuals in a call; `None` if no net acts in it.
    pub(super) fn residuals(&self, scaled_latents: &Tensor, timestep: f64, call: usize, half: Half) -> Result<Option<Residuals>> {
        let mut sum: Option<Residuals> = None;
        for Prepared { net, condition, strength, calls, text, separate_negative } in &self.nets {
            let text = if half == Half::Main { Some(text) } else { separate_negative.as_ref() };
            let Some(text) = text.filter(|_| calls.contains(&call)) else { continue };
            let residuals = net.forward(scaled_latents, timestep, text, condition, *strength)?;
            sum = Some(match sum {
                Some(sum) => sum.add(&residuals)?,
                None => residuals,
            });
        }
        sum.map(|sum| if self.of_second_half { sum.behind_zeros() } else { Ok(sum) }).transpose()
    }
}
