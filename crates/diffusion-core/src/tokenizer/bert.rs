//! BERT's WordPiece tokenizer, from tokenizer.json or vocab.txt: texts to ids, and ids to texts.
//!
//! It knows nothing of captions. The invariants: the ids are those of transformers' `BertTokenizer` without its `[CLS]` and `[SEP]`, and the
//! text of ids is that of its `decode(.., skip_special_tokens=True)` (models/bert/tokenization_bert.py of transformers 5, which is built on
//! the same `tokenizers` library). Like it, only vocabulary and added tokens are taken from tokenizer.json; normaliser, splitting and decoder
//! are BERT's own. An id that the tokenizer does not have, as BLIP's two tokens of its own, is left out of a text, as there.

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

/// What stands for a word that the vocabulary cannot express: the name that transformers gives it, and what it is where a file does not say.
const UNKNOWN: (&str, &str) = ("unk_token", "[UNK]");

/// The other special tokens, in the same way.
const OTHERS: [(&str, &str); 4] = [("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("cls_token", "[CLS]"), ("mask_token", "[MASK]")];

/// What transformers 4 takes for granted and 5 does where a file asks for it: spaces before punctuation are removed from the whole text. (The
/// decoder has done so word by word, and cannot see an apostrophe between two.)
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
    /// Whether texts are cleaned by [`CLEANED`].
    cleans: bool,
}

/// The files of a tokenizer, as far as a model has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct BertTokenizerFiles<'a> {
    /// tokenizer.json, which goes before vocab.txt.
    pub tokenizer_json: Option<&'a [u8]>,
    /// vocab.txt: a token a line, whose number is its id.
    pub vocab_txt: Option<&'a [u8]>,
    /// tokenizer_config.json.
    pub tokenizer_config: Option<&'a Value>,
}

impl BertTokenizer {
    /// Puts a tokenizer together.
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
        // The library's own kind of map, which it names for one of its models only.
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
                return Err(Error::Tokenizer(format!(
                    "added token {content:?} is said to be id {id}, which does not follow the vocabulary"
                )));
            }
        }
        // One that the vocabulary lacks would become an id that the model has no embedding for.
        let known = special.into_iter().filter(|content| tokenizer.token_to_id(content).is_some());
        let known: Vec<AddedToken> = known.map(|content| AddedToken::from(content, true)).collect();
        tokenizer.add_special_tokens(known).map_err(fail)?;
        Ok(Self { tokenizer, cleans: flag("clean_up_tokenization_spaces")?.unwrap_or(false) })
    }

    /// The ids of a text, without any before or behind it.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot express the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| Error::Tokenizer(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of ids, without special tokens.
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

/// Tokens and their ids, and the tokens that were added to them.
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

/// A named special token: a string, or an object with its content; the default if it is absent or null.
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
    fn words_are_cut_and_joined_and_what_is_no_word_is_left_out() -> Result<()> {
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
    fn what_is_no_tokenizer_is_refused() {
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
