//! BERT's WordPiece tokenizer, from tokenizer.json or vocab.txt: converts texts to ids and back.
//!
//! This module does not depend on captions. Invariants: the ids are those of transformers' `BertTokenizer` without its `[CLS]` and `[SEP]`,
//! and decoding matches its `decode(.., skip_special_tokens=True)` (models/bert/tokenization_bert.py of transformers 5, which is built on
//! the same `tokenizers` library). As there, only vocabulary and added tokens are read from tokenizer.json; normaliser, splitting and
//! decoder are BERT's own. An id that the tokenizer does not have, such as the two tokens that BLIP adds, is omitted from the text, as
//! there.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tokenizers::{
    AddedToken, Tokenizer, decoders::wordpiece::WordPiece as WordPieceDecoder, models::wordpiece::WordPiece, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

use super::config::added_token;
use crate::{Error, Result};

const VOCABULARY: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";

/// The token for a word that the vocabulary cannot express: its field in transformers, and the default if a file does not set it.
const UNKNOWN: (&str, &str) = ("unk_token", "[UNK]");

/// The other special tokens, in the same form.
const OTHERS: [(&str, &str); 4] = [("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]")];

/// transformers 4 always, and transformers 5 if a file requests it, removes spaces before punctuation from the whole text. (The decoder has
/// already done so word by word, but it cannot see an apostrophe between two words.)
const CLEANED: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// BERT's tokenizer.
pub struct BertTokenizer {
    tokenizer: Tokenizer,
    /// Whether decoded texts are cleaned by [`CLEANED`].
    cleans: bool,
}

/// The tokenizer files that a model has.
#[derive(Clone, Copy, Debug, Default)]
pub struct BertTokenizerFiles<'a> {
    /// tokenizer.json, which takes precedence over vocab.txt.
    pub tokenizer_json: Option<&'a [u8]>,
    /// vocab.txt: one token on each line; the line number is its id.
    pub vocab_txt: Option<&'a [u8]>,
    /// tokenizer_config.json.
    pub tokenizer_config: Option<&'a Value>,
}

impl BertTokenizer {
    /// Builds a tokenizer.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if there is no vocabulary, a file is malformed, or the special tokens contradict the vocabulary;
    /// [`Error::Config`] for a setting of the wrong type.
    pub fn load(files: BertTokenizerFiles<'_>) -> Result<Self> {
        let fail = |error: tokenizers::Error| Error::Tokenizer(error.to_string());
        let empty = Map::new();
        let config = match files.tokenizer_config {
            None => &empty,
            Some(value) => value.as_object().ok_or_else(|| Error::config(CONFIG, "(all)", "is no JSON object"))?,
        };
        let (vocabulary, mut added) = match (files.tokenizer_json, files.vocab_txt) {
            (Some(json), _) => from_tokenizer_json(json)?,
            (None, Some(text)) => (from_vocab_txt(text)?, Vec::new()),
            (None, None) => return Err(Error::Tokenizer("neither tokenizer.json nor vocab.txt is in the model's folder".into())),
        };
        if let Some(listed) = config.get("added_tokens_decoder") {
            added = from_added_tokens_decoder(listed)?;
        }
        let flag = |field: &str| -> Result<Option<bool>> {
            let Some(value) = config.get(field).filter(|value| !value.is_null()) else { return Ok(None) };
            let flag = value.as_bool().ok_or_else(|| Error::config(CONFIG, field, format!("expected true or false, found {value}")))?;
            Ok(Some(flag))
        };
        let unknown = special_token(config, UNKNOWN)?;
        let mut special = vec![unknown.clone()];
        for named in OTHERS {
            special.push(special_token(config, named)?);
        }
        if !vocabulary.contains_key(&unknown) {
            return Err(Error::Tokenizer(format!("the unknown token {unknown:?} is not in the vocabulary")));
        }
        // The library's own map type, which it defines only for one of its models.
        let vocabulary: tokenizers::models::bpe::Vocab = vocabulary.into_iter().collect();
        let model = WordPiece::builder().vocab(vocabulary).unk_token(unknown).build().map_err(fail)?;
        let mut tokenizer = Tokenizer::new(model);
        let (cuts_chinese, lowers) = (flag("tokenize_chinese_chars")?.unwrap_or(true), flag("do_lower_case")?.unwrap_or(true));
        let normalizer = BertNormalizer::new(true, cuts_chinese, flag("strip_accents")?, lowers);
        tokenizer.with_normalizer(Some(normalizer)).map_err(fail)?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        tokenizer.with_decoder(Some(WordPieceDecoder::new("##".into(), true)));
        added.sort_by_key(|(id, _)| *id);
        for (id, token) in added {
            let content = token.content.clone();
            tokenizer.add_tokens([token]).map_err(fail)?;
            if tokenizer.token_to_id(&content) != Some(id) {
                return Err(Error::Tokenizer(format!("added token {content:?} has id {id}, which does not follow the vocabulary")));
            }
        }
        // A token that the vocabulary lacks would become an id without an embedding in the model.
        let known = special.into_iter().filter(|content| tokenizer.token_to_id(content).is_some());
        let known: Vec<AddedToken> = known.map(|content| AddedToken::from(content, true)).collect();
        tokenizer.add_special_tokens(known).map_err(fail)?;
        Ok(Self { tokenizer, cleans: flag("clean_up_tokenization_spaces")?.unwrap_or(false) })
    }

    /// Encodes a text to ids, without special tokens before or after it.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Decodes ids to a text, without special tokens.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the library fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = self.tokenizer.decode(ids, true).map_err(|error| Error::Tokenizer(error.to_string()))?;
        let clean = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        Ok(if self.cleans { CLEANED.iter().fold(text, clean) } else { text })
    }

    /// One more than the largest id.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }
}

/// Tokens with their ids, and the added tokens.
type Parts = (HashMap<String, u32>, Vec<(u32, AddedToken)>);

fn from_tokenizer_json(json: &[u8]) -> Result<Parts> {
    let fail = |reason: &str| Error::Tokenizer(format!("{VOCABULARY}: {reason}"));
    let root: Value = serde_json::from_slice(json).map_err(|error| fail(&error.to_string()))?;
    let model = root.get("model").and_then(Value::as_object).ok_or_else(|| fail("no model"))?;
    // Old files do not name the type.
    if model.get("type").is_some_and(|found| found != "WordPiece") {
        return Err(fail("the model is not WordPiece, as BERT's is"));
    }
    if model.get("continuing_subword_prefix").is_some_and(|found| found != "##") {
        return Err(fail("continuing_subword_prefix is not \"##\", as BERT's is"));
    }
    let vocabulary =
        model.get("vocab").and_then(Value::as_object).filter(|tokens| !tokens.is_empty()).ok_or_else(|| fail("no vocabulary"))?;
    let ids = vocabulary.iter().map(|(token, id)| Some((token.clone(), u32::try_from(id.as_u64()?).ok()?)));
    let ids = ids.collect::<Option<HashMap<_, _>>>().ok_or_else(|| fail("a token has no id"))?;
    let list = root.get("added_tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let added = list.iter().map(|entry| Some((u32::try_from(entry.get("id")?.as_u64()?).ok()?, added_token(entry.as_object()?, false)?)));
    Ok((ids, added.collect::<Option<_>>().ok_or_else(|| fail("an added token has no id or no content"))?))
}

fn from_vocab_txt(text: &[u8]) -> Result<HashMap<String, u32>> {
    let text = std::str::from_utf8(text).map_err(|_| Error::Tokenizer("vocab.txt: is no UTF-8".into()))?;
    Ok(text.lines().map(str::to_owned).zip(0..).collect())
}

/// `added_tokens_decoder`: {"100": {"content": .., ..}, ..}.
fn from_added_tokens_decoder(listed: &Value) -> Result<Vec<(u32, AddedToken)>> {
    const FIELD: &str = "added_tokens_decoder";
    let entries = listed.as_object().ok_or_else(|| Error::config(CONFIG, FIELD, "is no JSON object"))?;
    let tokens = entries.iter().map(|(id, entry)| Some((id.parse().ok()?, added_token(entry.as_object()?, false)?)));
    tokens.collect::<Option<_>>().ok_or_else(|| Error::config(CONFIG, FIELD, "an added token has no id or no content"))
}

/// A named special token: a string, or an object with its content; the default if absent or null.
fn special_token(config: &Map<String, Value>, (field, default): (&str, &str)) -> Result<String> {
    let Some(value) = config.get(field).filter(|value| !value.is_null()) else { return Ok(default.to_owned()) };
    let content = value.as_str().or_else(|| value.get("content")?.as_str());
    content.map(str::to_owned).ok_or_else(|| Error::config(CONFIG, field, format!("expected a token, found {value}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ncat\n##s\ndon\n'\nt\n.\nn'\n";

    fn tokenizer(config: &Value) -> Result<BertTokenizer> {
        BertTokenizer::load(BertTokenizerFiles { vocab_txt: Some(VOCABULARY), tokenizer_config: Some(config), tokenizer_json: None })
    }

    #[test]
    fn words_are_split_and_joined_and_special_tokens_are_omitted() -> Result<()> {
        let plain = tokenizer(&json!({}))?;
        assert_eq!(plain.encode("A CATS. [SEP] zebra don't")?, [5, 6, 7, 11, 3, 1, 8, 9, 10]);
        assert_eq!(plain.decode(&[13, 5, 6, 7, 11, 3, 1, 14])?, "a cats.");
        assert_eq!((plain.decode(&[8, 9, 10])?, plain.vocab_size()), ("don ' t".to_owned(), 13));
        let cleaning = tokenizer(&json!({ "clean_up_tokenization_spaces": true, "do_lower_case": false }))?;
        assert_eq!(cleaning.decode(&[8, 9, 10])?, "don't");
        assert_eq!(cleaning.encode("A cat")?, [1, 6]);
        Ok(())
    }

    #[test]
    fn added_tokens_follow_the_vocabulary_or_are_refused() -> Result<()> {
        let added = |id: &str| json!({ "added_tokens_decoder": { id: { "content": "[DEC]", "special": true } } });
        let with = tokenizer(&added("13"))?;
        assert_eq!((with.encode("[DEC] a")?, with.decode(&[13, 5])?), (vec![13, 5], "a".to_owned()));
        assert!(matches!(tokenizer(&added("20")), Err(Error::Tokenizer(_))));
        Ok(())
    }

    #[test]
    fn invalid_tokenizer_files_are_refused() {
        let json = |text: &'static str| BertTokenizerFiles { tokenizer_json: Some(text.as_bytes()), ..BertTokenizerFiles::default() };
        for files in [
            BertTokenizerFiles::default(),
            BertTokenizerFiles { vocab_txt: Some(b"a\nb\n"), ..BertTokenizerFiles::default() },
            json("{"),
            json(r#"{"model": {"type": "BPE", "vocab": {"[UNK]": 0}}}"#),
            json(r#"{"model": {"vocab": {"[UNK]": -1}}}"#),
            json(r#"{"model": {"vocab": {}}}"#),
            json(r#"{"model": {"vocab": {"[UNK]": 0}}, "added_tokens": [{"id": 1}]}"#),
        ] {
            assert!(matches!(BertTokenizer::load(files), Err(Error::Tokenizer(_))), "{files:?}");
        }
        assert!(matches!(tokenizer(&json!({ "do_lower_case": "no" })), Err(Error::Config { field, .. }) if field == "do_lower_case"));
    }

    #[test]
    fn a_special_token_of_the_wrong_type_is_refused_by_name() -> Result<()> {
        for (field, value) in [
            ("unk_token", json!(3)),
            ("sep_token", json!(["[SEP]"])),
            ("pad_token", json!(false)),
            ("cls_token", json!({ "lstrip": false })),
            ("mask_token", json!({ "content": 3 })),
            ("strip_accents", json!(1)),
        ] {
            let found = tokenizer(&json!({ field: value }));
            assert!(matches!(found, Err(Error::Config { field: found, .. }) if found == field), "{field}");
        }
        let named = tokenizer(&json!({ "unk_token": { "content": "a" }, "sep_token": null, "mask_token": "[MASK]" }))?;
        assert_eq!(named.encode("zoo [SEP]")?, [5, 3]);
        Ok(())
    }
}
