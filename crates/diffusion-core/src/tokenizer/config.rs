//! The settings in tokenizer_config.json, special_tokens_map.json and added_tokens.json: special tokens, padding and length.
//!
//! This module does not depend on the vocabulary. The precedence is transformers' (`_from_pretrained` in tokenization_utils_base.py): if
//! tokenizer_config.json has `added_tokens_decoder`, the other files are ignored; if not, special_tokens_map.json overrides it.

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::{Error, Result};

/// The file name in messages; the other files only override this one.
const FILE: &str = "tokenizer/tokenizer_config.json";

/// transformers writes 10^30 for "no limit"; a CLIP text encoder has 77 positions.
const DEFAULT_LENGTH: usize = 77;

/// The longest accepted length.
const LONGEST: u64 = 1000;

/// The special tokens and the length of a tokenizer.
#[derive(Clone, Debug)]
pub struct TokenizerConfig {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) unknown: String,
    pub(super) pad: String,
    pub(super) max_length: usize,
    /// `bos`, `eos`, `unk`, `sep`, `pad`, `cls`, `mask` and the extra ones, if they are set, in transformers' order.
    named: Vec<AddedToken>,
    /// `added_tokens_decoder` or added_tokens.json; `None` if the files have neither, in which case tokenizer.json's list applies.
    listed: Option<Vec<(u32, AddedToken)>>,
}

impl TokenizerConfig {
    /// Parses the settings; every file may be absent, and CLIP's own values are the defaults.
    ///
    /// # Errors
    /// [`Error::Config`] for a value of the wrong type or one that this tokenizer does not implement.
    pub fn from_json(config: Option<&Value>, special_tokens_map: Option<&Value>, added_tokens: Option<&Value>) -> Result<Self> {
        let empty = Map::new();
        let config = match config {
            None => &empty,
            Some(value) => value.as_object().ok_or_else(|| Error::config(FILE, "(all)", "is no JSON object"))?,
        };
        refuse_unsupported(config)?;
        let decoder = config.get("added_tokens_decoder").map(listed_tokens).transpose()?;
        let overrides = special_tokens_map.and_then(Value::as_object).filter(|_| decoder.is_none()).unwrap_or(&empty);
        refuse_unsupported(overrides)?;
        let listed = match (decoder, added_tokens) {
            (Some(decoder), _) => Some(decoder),
            (None, Some(file)) => Some(legacy_added_tokens(file)?),
            (None, None) => None,
        };

        let token = |field: &'static str| -> Result<Option<AddedToken>> {
            let value = overrides.get(field).or_else(|| config.get(field));
            value.filter(|value| !value.is_null()).map(|value| special_token(field, value)).transpose()
        };
        let or_clip = |field, content: &str| Ok::<_, Error>(token(field)?.unwrap_or_else(|| AddedToken::from(content, true)));
        let start = or_clip("bos_token", "<|startoftext|>")?;
        let end = or_clip("eos_token", "<|endoftext|>")?;
        let unknown = or_clip("unk_token", "<|endoftext|>")?;
        let pad = or_clip("pad_token", "<|endoftext|>")?;
        let named = [Some(&start), Some(&end), Some(&unknown), token("sep_token")?.as_ref(), Some(&pad)]
            .into_iter()
            .chain([token("cls_token")?.as_ref(), token("mask_token")?.as_ref()])
            .flatten()
            .cloned()
            .chain(extra_tokens(config, overrides)?)
            .collect();
        let max_length = max_length(config)?;
        Ok(Self { start: start.content, end: end.content, unknown: unknown.content, pad: pad.content, max_length, named, listed })
    }

    /// The tokens to add, in order, with their ids if a file states them; a later one with the same content replaces an earlier one.
    /// `from_tokenizer_json` is the list in tokenizer.json, which applies if the configuration has none.
    pub(super) fn added_tokens(&self, from_tokenizer_json: Vec<(u32, AddedToken)>) -> Vec<(Option<u32>, AddedToken)> {
        let listed = self.listed.clone().unwrap_or(from_tokenizer_json);
        let named = self.named.iter().filter(|named| !listed.iter().any(|(_, token)| token.content == named.content));
        let named: Vec<_> = named.map(|token| (None, token.clone())).collect();
        listed.into_iter().map(|(id, token)| (Some(id), token)).chain(named).collect()
    }
}

/// Refuses settings that would change the ids, unless they have the value of CLIP's tokenizer. `tokenizer_class` has no effect: as in
/// diffusers, the model index determines the class.
fn refuse_unsupported(config: &Map<String, Value>) -> Result<()> {
    let unsupported = |field: &str, value: &Value| Err(Error::config(FILE, field, format!("unsupported value {value}")));
    for field in ["padding_side", "truncation_side"] {
        if let Some(value) = config.get(field)
            && value != "right"
        {
            return unsupported(field, value);
        }
    }
    if let Some(value) = config.get("split_special_tokens")
        && value != false
    {
        return unsupported("split_special_tokens", value);
    }
    Ok(())
}

/// Special tokens besides the named ones: `extra_special_tokens`, a list or an object by name, formerly `additional_special_tokens`.
fn extra_tokens(config: &Map<String, Value>, overrides: &Map<String, Value>) -> Result<Vec<AddedToken>> {
    let mut tokens = Vec::new();
    for field in ["additional_special_tokens", "extra_special_tokens"] {
        match overrides.get(field).or_else(|| config.get(field)) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => list.iter().try_for_each(|token| special_token(field, token).map(|token| tokens.push(token)))?,
            Some(Value::Object(named)) => {
                named.values().try_for_each(|token| special_token(field, token).map(|token| tokens.push(token)))?
            }
            Some(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => {
                return Err(Error::config(FILE, field, format!("expected tokens, found {value}")));
            }
        }
    }
    Ok(tokens)
}

fn max_length(config: &Map<String, Value>) -> Result<usize> {
    let Some(value) = config.get("model_max_length").filter(|value| !value.is_null()) else { return Ok(DEFAULT_LENGTH) };
    let bad = || Error::config(FILE, "model_max_length", format!("unsupported value {value}, expected 3..={LONGEST}"));
    match (value.as_u64(), value.as_f64()) {
        (Some(length @ 3..=LONGEST), _) => usize::try_from(length).map_err(|_| bad()),
        (_, Some(length)) if length >= 1e5 => Ok(DEFAULT_LENGTH),
        _ => Err(bad()),
    }
}

/// A special token: a string, or an AddedToken object.
fn special_token(field: &str, value: &Value) -> Result<AddedToken> {
    if let Some(fields) = value.as_object() {
        return added_token(fields, true).ok_or_else(|| no_content(field));
    }
    let content = value.as_str().filter(|content| !content.is_empty());
    let content = content.ok_or_else(|| Error::config(FILE, field, format!("expected a token, found {value}")))?;
    Ok(AddedToken::from(content, true))
}

fn no_content(field: &str) -> Error {
    Error::config(FILE, field, "an added token has no content")
}

/// An AddedToken object; if `special`, the token is special whatever the object says. `None` if it has no content.
pub(super) fn added_token(fields: &Map<String, Value>, special: bool) -> Option<AddedToken> {
    let content = fields.get("content")?.as_str().filter(|content| !content.is_empty())?;
    let flag = |name: &str, default: bool| fields.get(name).and_then(Value::as_bool).unwrap_or(default);
    let special = special || flag("special", false);
    let token = AddedToken::from(content, special).normalized(flag("normalized", !special)).single_word(flag("single_word", false));
    Some(token.lstrip(flag("lstrip", false)).rstrip(flag("rstrip", false)))
}

/// `added_tokens_decoder`: {"49406": {"content": .., ..}, ..}, sorted by id.
fn listed_tokens(decoder: &Value) -> Result<Vec<(u32, AddedToken)>> {
    const FIELD: &str = "added_tokens_decoder";
    let entries = decoder.as_object().ok_or_else(|| Error::config(FILE, FIELD, "is no JSON object"))?;
    let mut tokens = entries
        .iter()
        .map(|(id, token)| {
            let id = id.parse().map_err(|_| Error::config(FILE, FIELD, format!("{id:?} is no id")))?;
            let fields = token.as_object().ok_or_else(|| Error::config(FILE, FIELD, format!("{id}: is no added token")))?;
            Ok((id, added_token(fields, false).ok_or_else(|| no_content(FIELD))?))
        })
        .collect::<Result<Vec<(u32, AddedToken)>>>()?;
    tokens.sort_by_key(|(id, _)| *id);
    Ok(tokens)
}

/// The `added_tokens` list of tokenizer.json: [{"id": 49406, "content": .., ..}, ..].
pub(super) fn tokenizer_json_tokens(list: Option<&Value>) -> Result<Vec<(u32, AddedToken)>> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|entry| {
            let bad = || Error::Tokenizer("tokenizer/tokenizer.json: added_tokens: an entry has no id".into());
            let fields = entry.as_object().ok_or_else(bad)?;
            let id = fields.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok()).ok_or_else(bad)?;
            Ok((id, added_token(fields, false).ok_or_else(|| no_content("added_tokens"))?))
        })
        .collect()
}

/// added_tokens.json: `{"<token>": 49408, ..}`, sorted by id; its tokens are matched in normalised text.
fn legacy_added_tokens(file: &Value) -> Result<Vec<(u32, AddedToken)>> {
    const FILE: &str = "tokenizer/added_tokens.json";
    let entries = file.as_object().ok_or_else(|| Error::config(FILE, "(all)", "is no JSON object"))?;
    let mut tokens = entries
        .iter()
        .map(|(content, id)| {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| Error::config(FILE, content, "has no id"))?;
            Ok((id, AddedToken::from(content, false)))
        })
        .collect::<Result<Vec<(u32, AddedToken)>>>()?;
    tokens.sort_by_key(|(id, _)| *id);
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: &Value) -> Result<TokenizerConfig> {
        TokenizerConfig::from_json(Some(config), None, None)
    }

    #[test]
    fn an_unlimited_length_is_77_and_an_absurd_one_is_refused() {
        let length = |value: Value| read(&json!({"model_max_length": value})).map(|config| config.max_length);
        assert_eq!(length(json!(77)).ok(), Some(77));
        assert_eq!(length(json!(1e30)).ok(), Some(77));
        assert_eq!(length(json!(null)).ok(), Some(77));
        for bad in [json!(2), json!(-1), json!(5000), json!("77"), json!(76.5)] {
            assert!(matches!(length(bad), Err(Error::Config { field, .. }) if field == "model_max_length"));
        }
    }

    #[test]
    fn a_setting_that_would_change_the_ids_is_refused_by_name() {
        for (field, value) in [
            ("padding_side", json!("left")),
            ("truncation_side", json!("left")),
            ("split_special_tokens", json!(true)),
            ("additional_special_tokens", json!("<new>")),
            ("extra_special_tokens", json!([3])),
            ("pad_token", json!(3)),
            ("bos_token", json!({"lstrip": false})),
            ("added_tokens_decoder", json!({"x": {"content": "a"}})),
        ] {
            let config = json!({field: value});
            assert!(matches!(read(&config), Err(Error::Config { field: found, .. }) if found == field), "{field}");
        }
    }

    #[test]
    fn special_tokens_map_overrides_unless_there_is_an_added_tokens_decoder() {
        let pad =
            |config: Value| TokenizerConfig::from_json(Some(&config), Some(&json!({"pad_token": "!"})), None).map(|config| config.pad);
        assert_eq!(pad(json!({"pad_token": "<|endoftext|>"})).ok().as_deref(), Some("!"));
        assert_eq!(pad(json!({"added_tokens_decoder": {}})).ok().as_deref(), Some("<|endoftext|>"));
    }
}
