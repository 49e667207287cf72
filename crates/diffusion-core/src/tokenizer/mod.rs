//! CLIP's byte-pair tokenizer, from tokenizer.json, from vocab.json and merges.txt, or with OpenAI's vocabulary built in.
//!
//! This module handles a prompt's text only: no weighting, no embedding. Invariant: the ids are those of transformers' `CLIPTokenizer`
//! (models/clip/tokenization_clip.py of transformers 5, which is built on the same `tokenizers` library), called with
//! `padding="max_length", truncation=True`. As there, only vocabulary, merges and added tokens are read from tokenizer.json; normaliser and
//! splitting are CLIP's own. (transformers 4 had a second, pure Python tokenizer that cleaned text with ftfy, if that was installed, or put
//! spaces around CJK characters; those ids are not reproduced.)
//!
//! A multi-vector token of textual inversion (`<x>`, `<x>_1`, ..) is expanded before a text is encoded, as diffusers'
//! `maybe_convert_prompt` does (loaders/textual_inversion.py). Under transformers 5, diffusers looks tokens up by their lower-case spelling
//! and so misses one with capitals; here it is found by its id.

mod bert;
mod config;
mod openai;
mod scripts;
mod vocabulary;

pub use bert::{BertTokenizer, BertTokenizerFiles};
pub use config::TokenizerConfig;
pub use scripts::Scripts;
pub use vocabulary::Vocabulary;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use tokenizers::{
    AddedToken, Decoder as _, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::BPE,
    normalizers::{self, replace::ReplacePattern},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use crate::{
    Error, Result,
    weights::{Component, WeightSource},
};

/// The suffix that ends a word in the vocabulary.
const END_OF_WORD: &str = "</w>";

/// The longest text, in bytes, that multi-vector tokens may expand a prompt to; the model reads 77 tokens of it.
const MAX_EXPANDED: usize = 1 << 20;

/// CLIP's own splitting of a text into words: special tokens, English contractions, runs of letters, single digits, runs of other
/// characters.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A text encoded for the text encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The ids: start, the text, end, and padding up to [`ClipTokenizer::max_length`], so always of this length.
    pub ids: Vec<u32>,
    /// Number of tokens of the whole text before truncation, without start and end.
    pub token_count: usize,
    /// Whether tokens at the end of the text were dropped because it has more than `max_length - 2`.
    pub truncated: bool,
}

/// CLIP's tokenizer with its vocabulary, special tokens and length.
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    start_id: u32,
    end_id: u32,
    pad_id: u32,
    max_length: usize,
    /// The multi-vector tokens, by the id of their first vector: the token, and the tokens of all its vectors.
    vectors: BTreeMap<u32, (String, String)>,
}

impl ClipTokenizer {
    /// Loads a model's tokenizer: tokenizer.json if the model has one, else vocab.json and merges.txt, else OpenAI's vocabulary (for a
    /// single-file checkpoint or a model of random numbers, which have no tokenizer files at all).
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if a file is malformed or one of several is missing; [`Error::Config`] for an unsupported setting.
    pub fn load(source: &dyn WeightSource) -> Result<Self> {
        Self::load_component(source, Component::Tokenizer)
    }

    /// Loads the tokenizer of a model's second text encoder.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_second(source: &dyn WeightSource) -> Result<Self> {
        Self::load_component(source, Component::Tokenizer2)
    }

    fn load_component(source: &dyn WeightSource, component: Component) -> Result<Self> {
        let file = |name| source.file(component, name);
        let config_file = file("tokenizer_config.json")?;
        let vocabulary = match (file("tokenizer.json")?, file("vocab.json")?, file("merges.txt")?) {
            (Some(json), _, _) => Vocabulary::from_tokenizer_json(&json)?,
            (None, Some(vocab), Some(merges)) => Vocabulary::from_vocab_and_merges(&vocab, &merges)?,
            (None, None, None) if config_file.is_none() => Vocabulary::openai()?,
            (None, vocab, merges) => {
                let missing = if vocab.is_none() { "vocab.json" } else { "merges.txt" };
                let both = if vocab.is_none() && merges.is_none() { " and merges.txt" } else { "" };
                let found = "neither tokenizer.json nor";
                return Err(Error::Tokenizer(format!("{}: {found} {missing}{both} in the {component} folder", source.name())));
            }
        };
        let parse = |name: &str, bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| Error::Tokenizer(format!("{component}/{name}: {error}")))
        };
        let config = match config_file {
            Some(bytes) => Some(parse("tokenizer_config.json", bytes)?),
            // A source without files may still define its family's padding.
            None => source.config(component).ok(),
        };
        let special_tokens_map = file("special_tokens_map.json")?.map(|bytes| parse("special_tokens_map.json", bytes)).transpose()?;
        let added_tokens = file("added_tokens.json")?.map(|bytes| parse("added_tokens.json", bytes)).transpose()?;
        let config = TokenizerConfig::from_json(config.as_ref(), special_tokens_map.as_ref(), added_tokens.as_ref());
        let config = config.map_err(|error| {
            let Error::Config { field, reason, .. } = error else { return error };
            Error::config(format!("{component}/tokenizer_config.json"), field, reason)
        })?;
        Self::from_parts(vocabulary, config)
    }

    /// Builds a tokenizer from a vocabulary and its settings.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the special tokens contradict the vocabulary.
    pub fn from_parts(vocabulary: Vocabulary, config: TokenizerConfig) -> Result<Self> {
        let fail = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
        let (ids, merges, listed) = vocabulary.into_parts();
        let unknown = config.unknown.clone();
        if !ids.contains_key(&unknown) {
            return Err(Error::Tokenizer(format!("the unknown token {unknown:?} is not in the vocabulary")));
        }
        let model = BPE::builder()
            .vocab_and_merges(ids.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
            .unk_token(unknown)
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix(END_OF_WORD.into())
            .build()
            .map_err(fail)?;
        let normalizer = normalizers::Sequence::new(vec![
            normalizers::NFC.into(),
            NormalizerWrapper::Replace(normalizers::Replace::new(ReplacePattern::Regex(r"\s+".into()), " ").map_err(fail)?),
            normalizers::Lowercase.into(),
        ]);
        let words = Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true).map_err(fail)?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(normalizer)).map_err(fail)?;
        // The second split, by GPT-2's expression, is on in transformers too: it is `ByteLevel`'s default.
        let pre_tokenizers: Vec<PreTokenizerWrapper> = vec![words.into(), ByteLevel::new(false, true, true).into()];
        tokenizer.with_pre_tokenizer(Some(Sequence::new(pre_tokenizers)));

        let mut added = BTreeSet::new();
        for (id, token) in config.added_tokens(listed) {
            let content = token.content.clone();
            added.insert(content.clone());
            tokenizer.add_tokens([AddedToken { special: true, ..token }]).map_err(fail)?;
            let found = tokenizer.token_to_id(&content);
            if let (Some(id), Some(found)) = (id, found)
                && id != found
            {
                return Err(Error::Tokenizer(format!("added token {content:?} has id {id}, but is {found} in the vocabulary")));
            }
        }
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| Error::Tokenizer(format!("the special token {token:?} is not in the vocabulary")))
        };
        let (start_id, end_id, pad_id) = (id(&config.start)?, id(&config.end)?, id(&config.pad)?);
        let vectors =
            added.iter().filter_map(|token| Some((tokenizer.token_to_id(token)?, (token.clone(), expand_vectors(token, &added)?))));
        Ok(Self { start_id, end_id, pad_id, max_length: config.max_length, vectors: vectors.collect(), tokenizer })
    }

    /// Encodes a text to ids, padded or truncated to [`Self::max_length`]. A multi-vector token expands to all its vectors.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Encoding> {
        Ok(self.framed(&self.tokenize(text)?))
    }

    /// Tokens between start and end, padded or truncated to [`Self::max_length`].
    pub(crate) fn framed(&self, tokens: &[u32]) -> Encoding {
        let room = self.max_length.saturating_sub(2);
        let mut ids = Vec::with_capacity(self.max_length);
        ids.push(self.start_id);
        ids.extend(tokens.iter().take(room));
        ids.push(self.end_id);
        ids.resize(self.max_length, self.pad_id);
        Encoding { ids, token_count: tokens.len(), truncated: tokens.len() > room }
    }

    /// Expands every multi-vector token in the text. As in diffusers, tokens are found first, and each is then replaced wherever its
    /// characters occur.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the result is longer than [`MAX_EXPANDED`], which is possible with tokens that occur in each other's
    /// vectors.
    fn expand<'a>(&self, text: &'a str) -> Result<Cow<'a, str>> {
        let mut expanded = Cow::Borrowed(text);
        if self.vectors.is_empty() {
            return Ok(expanded);
        }
        let mut replaced = BTreeSet::new();
        for id in self.tokens(text)? {
            if let Some((token, vectors)) = self.vectors.get(&id).filter(|_| replaced.insert(id)) {
                let more = expanded.matches(token).count().saturating_mul(vectors.len() - token.len());
                if expanded.len().saturating_add(more) > MAX_EXPANDED {
                    return Err(Error::Tokenizer(format!("multi-vector tokens make the text longer than {MAX_EXPANDED} bytes")));
                }
                expanded = Cow::Owned(expanded.replace(token, vectors));
            }
        }
        Ok(expanded)
    }

    /// The ids of a whole text, however long, without start and end tokens. A multi-vector token expands to all its vectors.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>> {
        self.tokens(&self.expand(text)?)
    }

    /// The ids of a text without expansion.
    fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The length of every encoding: 77 in all published models.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The id of the start token.
    pub fn start_id(&self) -> u32 {
        self.start_id
    }

    /// The id of the end token.
    pub fn end_id(&self) -> u32 {
        self.end_id
    }

    /// The id of a comma that is a word of its own, if the vocabulary has one.
    pub fn comma_id(&self) -> Option<u32> {
        self.tokenizer.token_to_id(&format!(",{END_OF_WORD}"))
    }

    /// The text of an id of the vocabulary; that of a word's last token ends with `</w>`.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The padding id: 49407 (the end token) in SD 1.x, 0 ("!") in SD 2.x.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// The scripts that the vocabulary has words in.
    pub fn scripts(&self) -> Scripts {
        let bytes = ByteLevel::new(false, true, true);
        // An incomplete character becomes a replacement character, which is not a letter.
        let text = |token: String| bytes.decode_chain(vec![token.trim_end_matches(END_OF_WORD).to_owned()]).unwrap_or_default().concat();
        Scripts::of_tokens(self.tokenizer.get_vocab(true).into_keys().map(text))
    }

    /// The number of ids, including added tokens; the text encoder's embedding must have as many rows.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

/// `<x> <x>_1 <x>_2` for `<x>`, as far as those tokens were added; `None` for a single-vector token.
fn expand_vectors(token: &str, added: &BTreeSet<String>) -> Option<String> {
    let more = (1..).map(|index| format!("{token}_{index}")).take_while(|vector| added.contains(vector));
    let all: Vec<_> = std::iter::once(token.to_owned()).chain(more).collect();
    (all.len() > 1).then(|| all.join(" "))
}
