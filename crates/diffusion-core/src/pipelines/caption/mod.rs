//! Image captions: a sentence about an image, by BLIP.
//!
//! This module must not depend on the origin of images or the use of captions. Invariant: in f32 the tokens are those of transformers'
//! `BlipForConditionalGeneration.generate`, and the text is that of its processor. Memory is bounded: the weights, one encoded image, and a
//! cache of at most [`MAX_NUM_BEAMS`] texts.

mod beam_search;
mod params;
mod scores;

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde_json::Value;

use self::{
    beam_search::BeamSearch,
    scores::{ScoreRules, argmax},
};
use super::memory::WeightCounter;
use crate::{
    Error, Result,
    frames::check_finite,
    models::{BlipCache, BlipConfig, BlipImageContext, BlipTextDecoder, BlipVisionModel},
    ops::memory::weight_bytes,
    preprocess::{BlipImageProcessorConfig, blip_pixels},
    tokenizer::{BertTokenizer, BertTokenizerFiles},
    weights::{Component, WeightSource},
};

pub use params::{CaptionParams, MAX_NEW_TOKENS, MAX_NUM_BEAMS};

/// A caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// The sentence in lower case, including the prompt; empty if the model produces no words.
    pub text: String,
    /// The tokens of the text: the start token, the prompt, the caption, and `[SEP]` unless the length limit cut it off.
    pub token_ids: Vec<u32>,
}

/// A captioning model, loaded. A call blocks the caller's thread until the caption is finished; several threads may call concurrently.
pub struct Captioner {
    name: String,
    vision: BlipVisionModel,
    decoder: BlipTextDecoder,
    tokenizer: BertTokenizer,
    image_processor: BlipImageProcessorConfig,
    ignored: Vec<String>,
    /// The size of the weights in memory, in bytes.
    weight_bytes: u64,
}

impl Captioner {
    /// Loads a model in the layout of Salesforce/blip-image-captioning-base (`weights::TransformersFolder` for one on disk): config.json;
    /// preprocessor_config.json or processor_config.json; tokenizer.json or vocab.txt, and tokenizer_config.json if present; the weights,
    /// as safetensors or torch's pickle, in one file or in shards. The weights are loaded to `device` in `dtype`.
    ///
    /// # Errors
    /// [`Error::File`] if a file is missing or malformed, [`Error::Config`] for an unsupported configuration, [`Error::Tokenizer`] for the
    /// tokenizer's files, [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(source: &dyn WeightSource, device: &Device, dtype: DType) -> Result<Self> {
        // Every small file is read before the first tensor, so that an unsupported model fails at once.
        let (config, ignored) = BlipConfig::read(&source.config(Component::Captioner)?)?;
        let image_processor = image_processor(source)?;
        if image_processor.side as usize != config.vision.image_size {
            let reason = format!("{} differs from vision_config's image_size {}", image_processor.side, config.vision.image_size);
            return Err(Error::config("preprocessor_config.json", "size", reason));
        }
        let file = |file_name| source.file(Component::Captioner, file_name);
        let (tokenizer_json, vocab_txt) = (file("tokenizer.json")?, file("vocab.txt")?);
        let tokenizer = BertTokenizer::load(BertTokenizerFiles {
            tokenizer_json: tokenizer_json.as_deref(),
            vocab_txt: vocab_txt.as_deref(),
            tokenizer_config: json(source, "tokenizer_config.json")?.as_ref(),
        })?;
        if tokenizer.vocab_size() > config.text.vocab_size {
            let (found, expected) = (tokenizer.vocab_size(), config.text.vocab_size);
            return Err(Error::Tokenizer(format!("has {found} ids, and text_config's vocab_size is {expected}")));
        }
        let counter = WeightCounter::default();
        let weights = counter.component(source, Component::Captioner, dtype, device)?;
        // The word embeddings are read once but stored twice: as a table, and packed as the decoder's last matrix.
        let head_bytes = weight_bytes(&[config.text.vocab_size, config.text.hidden_size], dtype, device.is_cpu());
        Ok(Self {
            name: source.name(),
            vision: BlipVisionModel::load(&config.vision, &weights)?,
            decoder: BlipTextDecoder::load(&config.text, config.vision.hidden_size, &weights)?,
            tokenizer,
            image_processor,
            ignored,
            weight_bytes: counter.bytes().saturating_add(head_bytes),
        })
    }

    /// The model's display name: the folder's path, "tiny-blip (embedded)".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The size of the weights in memory, in bytes; 1.0 GB for blip-image-captioning-base in f32.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Fields of config.json that the model's classes do not know, and that are ignored.
    pub fn ignored_fields(&self) -> &[String] {
        &self.ignored
    }

    /// Writes a caption for an image. Calls `cancelled` before every layer of the image encoder and every token.
    ///
    /// # Errors
    /// [`Error::Params`] for a parameter outside its range, an empty image, or a prompt that leaves no position for a caption;
    /// [`Error::Cancelled`] once `cancelled` returns true; [`Error::NonFinite`] if the model's numbers overflow.
    pub fn caption(&self, image: &RgbImage, params: &CaptionParams, cancelled: &dyn Fn() -> bool) -> Result<Caption> {
        let config = self.decoder.config();
        params.check(config.vocab_size)?;
        let mut prompt = vec![config.bos_token_id];
        if let Some(text) = &params.prompt {
            prompt.extend(self.tokenizer.encode(text)?);
        }
        let free_positions = config.max_position_embeddings.saturating_sub(prompt.len());
        if free_positions == 0 {
            let reason = format!("has {} tokens, and the model has {} positions", prompt.len() - 1, config.max_position_embeddings);
            return Err(Error::Params { field: "prompt", reason });
        }
        let rules = ScoreRules {
            end: config.sep_token_id,
            min_length: params.min_length,
            max_length: prompt.len() + params.max_new_tokens.min(free_positions),
            repetition_penalty: params.repetition_penalty as f32,
        };
        let check_cancelled = || if cancelled() { Err(Error::Cancelled) } else { Ok(()) };
        let pixels = blip_pixels(image, &self.image_processor)?;
        let context = self.decoder.image_context(&self.vision.forward(&pixels, &check_cancelled)?)?;
        let texts = Texts { decoder: &self.decoder, context: &context, cache: self.decoder.new_cache(), check_cancelled: &check_cancelled };
        let token_ids = if params.num_beams == 1 {
            greedy(texts, prompt, rules)?
        } else {
            let search = BeamSearch::new(prompt.clone(), params.num_beams, params.length_penalty, rules);
            beams(texts, &prompt, search, config.vocab_size)?
        };
        Ok(Caption { text: self.tokenizer.decode(&token_ids)?, token_ids })
    }
}

/// The image processor's settings, from the newer file format if present.
fn image_processor(source: &dyn WeightSource) -> Result<BlipImageProcessorConfig> {
    const FILES: [&str; 2] = ["processor_config.json", "preprocessor_config.json"];
    let [newer, older] = FILES;
    if let Some(part) = json(source, newer)?.as_ref().and_then(|json| json.get("image_processor")) {
        return BlipImageProcessorConfig::from_json(newer, part);
    }
    match json(source, older)? {
        Some(json) => BlipImageProcessorConfig::from_json(older, &json),
        None => Err(Error::file(source.name(), format!("has neither {older} nor {newer}"))),
    }
}

/// A small JSON file of the model; `None` if it is absent.
fn json(source: &dyn WeightSource, file_name: &str) -> Result<Option<Value>> {
    let parse = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::file(format!("{}/{file_name}", source.name()), format!("is no JSON: {error}")))
    };
    source.file(Component::Captioner, file_name)?.map(parse).transpose()
}

/// The texts in progress for one image.
struct Texts<'a> {
    decoder: &'a BlipTextDecoder,
    context: &'a BlipImageContext,
    cache: BlipCache,
    check_cancelled: &'a dyn Fn() -> Result<()>,
}

impl Texts<'_> {
    /// The scores of the next token of each of `texts` texts, after appending `ids`, an equal number of tokens per text.
    fn scores(&mut self, ids: &[u32], texts: usize) -> Result<Vec<f32>> {
        (self.check_cancelled)()?;
        let ids = Tensor::from_slice(ids, (texts, ids.len() / texts.max(1)), &Device::Cpu)?;
        let scores = self.decoder.forward(&ids, &mut self.cache, self.context)?.flatten_all()?.to_vec1::<f32>()?;
        check_finite(&scores, || "a caption's scores".into())?;
        Ok(scores)
    }
}

/// Greedy search: the likeliest token at each step. Follows `_sample` of transformers `generation/utils.py` without sampling.
fn greedy(mut texts: Texts<'_>, prompt: Vec<u32>, rules: ScoreRules) -> Result<Vec<u32>> {
    let mut ids = prompt;
    let mut scores = texts.scores(&ids, 1)?;
    loop {
        rules.apply(&ids, &mut scores);
        let token = argmax(&scores);
        ids.push(token);
        if rules.ends(token, ids.len()) {
            return Ok(ids);
        }
        scores = texts.scores(&[token], 1)?;
    }
}

fn beams(mut texts: Texts<'_>, prompt: &[u32], mut search: BeamSearch, vocabulary: usize) -> Result<Vec<u32>> {
    // One text is enough for the prompt: the beams diverge after it.
    let mut scores = texts.scores(prompt, 1)?;
    while let Some(next) = search.advance(scores, vocabulary) {
        texts.cache.select(&next.parents)?;
        scores = texts.scores(&next.tokens, next.tokens.len())?;
    }
    Ok(search.into_best())
}
