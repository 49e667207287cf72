//! The tokenizer against transformers' `CLIPTokenizer` with OpenAI's vocabulary (golden: scripts/golden/tokenizer.py).

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use diffusion_core::{
    Error, Result,
    tokenizer::{ClipTokenizer, TokenizerConfig, Vocabulary},
    weights::{Component, TensorSource, WeightSource},
};
use serde_json::{Value, json};

/// A model with a tokenizer folder of these files, and nothing else.
struct Files(HashMap<String, Vec<u8>>);

impl WeightSource for Files {
    fn name(&self) -> String {
        "test model".into()
    }
    fn config(&self, component: Component) -> Result<Value> {
        Err(Error::file(component.folder(), "missing"))
    }
    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(file_name).filter(|_| component == Component::Tokenizer).cloned())
    }
    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        Err(Error::file(component.folder(), "missing"))
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/tokenizer/prompts.json")).unwrap()
}

/// vocab.json and merges.txt of OpenAI's vocabulary, created once.
static OPENAI: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let openai = Vocabulary::openai().unwrap();
    [openai.vocab_json().into_bytes(), openai.merges_txt().into_bytes()]
});

fn vocab_and_merges() -> HashMap<String, Vec<u8>> {
    let [vocab, merges] = &*OPENAI;
    HashMap::from([("vocab.json".to_owned(), vocab.clone()), ("merges.txt".to_owned(), merges.clone())])
}

fn tokenizer_json(golden: &Value, merges_as_text: bool) -> Vec<u8> {
    let files = vocab_and_merges();
    let mut json = golden["tokenizer_json"]["without_vocabulary"].clone();
    json["model"]["vocab"] = serde_json::from_slice(&files["vocab.json"]).unwrap();
    let merges = std::str::from_utf8(&files["merges.txt"]).unwrap().lines().skip(1);
    json["model"]["merges"] = match merges_as_text {
        true => merges.collect(),
        false => merges.map(|line| json!(line.split(' ').collect::<Vec<_>>())).collect(),
    };
    serde_json::to_vec(&json).unwrap()
}

/// Encodes every prompt of the golden with this tokenizer, and compares with this configuration's golden. Returns the number of prompts.
fn assert_golden(tokenizer: &ClipTokenizer, golden: &Value, config: &str) -> usize {
    let ids_of = |entry: &Value| -> Vec<u32> { serde_json::from_value(entry[0].clone()).unwrap() };
    let prompts = golden["prompts"].as_array().unwrap();
    let pad_id = u32::try_from(golden["configs"][config]["pad_id"].as_u64().unwrap()).unwrap();
    assert_eq!((tokenizer.pad_id(), tokenizer.max_length(), tokenizer.vocab_size()), (pad_id, 77, 49408), "{config}");
    for (i, prompt) in prompts.iter().enumerate() {
        let text = prompt.as_str().unwrap();
        let own = &golden["configs"][config]["expected"][i];
        let expected = if own.is_null() { &golden["configs"]["sd1"]["expected"][i] } else { own };
        let token_count = usize::try_from(expected[1].as_u64().unwrap()).unwrap();
        let mut ids = ids_of(expected);
        ids.resize(77, pad_id);
        let encoding = tokenizer.encode(text).unwrap();
        assert_eq!(encoding.ids, ids, "{config}: prompt {i}: {text:?}");
        assert_eq!((encoding.token_count, encoding.truncated), (token_count, token_count > 75), "{config}: prompt {i}: {text:?}");
    }
    prompts.len()
}

#[test]
fn built_in_merges_match_openais() {
    let merges = Vocabulary::openai().unwrap().merges_txt();
    let fnv1a64 =
        |data: &str| data.bytes().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let body = merges.strip_prefix("#version: 0.2\n").unwrap();
    assert_eq!(body.lines().count(), 48_894);
    assert_eq!(format!("{:016x}", fnv1a64(body)), golden()["merges_fnv1a64"].as_str().unwrap());
}

#[test]
fn vocab_and_merges_give_transformers_ids_under_every_configuration() {
    let golden = golden();
    let configs = golden["configs"].as_object().unwrap();
    assert_eq!(configs.len(), 6);
    for (name, config) in configs {
        let mut files = vocab_and_merges();
        for (file, content) in config["files"].as_object().unwrap() {
            files.insert(file.clone(), serde_json::to_vec(content).unwrap());
        }
        let tokenizer = ClipTokenizer::load(&Files(files)).unwrap();
        assert!(assert_golden(&tokenizer, &golden, name) >= 300);
    }
}

#[test]
fn tokenizer_json_gives_transformers_ids() {
    let golden = golden();
    let config = serde_json::to_vec(&golden["tokenizer_json"]["tokenizer_config.json"]).unwrap();
    for merges_as_text in [false, true] {
        let json = tokenizer_json(&golden, merges_as_text);
        let files = HashMap::from([("tokenizer.json".to_owned(), json), ("tokenizer_config.json".to_owned(), config.clone())]);
        assert!(assert_golden(&ClipTokenizer::load(&Files(files)).unwrap(), &golden, "sd1") >= 300);
    }
}

#[test]
fn tokenizer_json_takes_precedence_over_vocab_and_merges() {
    let golden = golden();
    let mut files = vocab_and_merges();
    files.insert("tokenizer.json".into(), tokenizer_json(&golden, false));
    files.insert("vocab.json".into(), b"broken".to_vec());
    ClipTokenizer::load(&Files(files)).unwrap();
}

#[test]
fn a_text_that_multi_vector_tokens_make_too_long_is_refused() {
    let added: serde_json::Map<_, _> =
        (0..200).map(|index| (if index == 0 { "<x>".into() } else { format!("<x>_{index}") }, (49_408 + index).into())).collect();
    let config = TokenizerConfig::from_json(None, None, Some(&added.into())).unwrap();
    let tokenizer = ClipTokenizer::from_parts(Vocabulary::openai().unwrap(), config).unwrap();
    assert_eq!(tokenizer.encode("<x>").unwrap().token_count, 200);
    let message = tokenizer.encode(&"<x> ".repeat(1000)).unwrap_err().to_string();
    assert!(message.contains("multi-vector tokens make the text longer than 1048576 bytes"), "{message}");
}

#[test]
fn without_files_the_built_in_vocabulary_is_used() {
    let golden = golden();
    assert_golden(&ClipTokenizer::load(&Files(HashMap::new())).unwrap(), &golden, "no_config");
    let config = TokenizerConfig::from_json(Some(&golden["configs"]["sd2"]["files"]["special_tokens_map.json"]), None, None).unwrap();
    assert_golden(&ClipTokenizer::from_parts(Vocabulary::openai().unwrap(), config).unwrap(), &golden, "sd2");
}

#[test]
fn broken_tokenizer_files_give_clear_errors() {
    let message = |changes: &[(&str, &[u8])], without: &[&str]| {
        let mut files = vocab_and_merges();
        files.extend(changes.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
        without.iter().for_each(|name| drop(files.remove(*name)));
        ClipTokenizer::load(&Files(files)).err().unwrap().to_string()
    };
    for (changes, without, words) in [
        (vec![], vec!["merges.txt"], "merges.txt"),
        (vec![], vec!["vocab.json"], "vocab.json"),
        (vec![("tokenizer_config.json", b"{}" as &[u8])], vec!["vocab.json", "merges.txt"], "vocab.json and merges.txt"),
        (vec![("vocab.json", b"{\"a\":0")], vec![], "vocab.json"),
        (vec![("vocab.json", b"{\"a\":0,\"b\":0}")], vec![], "twice"),
        (vec![("vocab.json", b"{\"a\":7}")], vec![], "only 1 tokens"),
        (vec![("vocab.json", b"{\"a\":-1}")], vec![], "no id"),
        (vec![("merges.txt", b"#version: 0.2\na b c\n")], vec![], "line 2"),
        (vec![("merges.txt", b"\xff")], vec![], "UTF-8"),
        // The library would index past its buffer here.
        (
            vec![("vocab.json", b"{\"a\":0,\"b\":1,\"<|endoftext|>\":2}"), ("merges.txt", b"a b\n")],
            vec![],
            "\"ab\" is not in the vocabulary",
        ),
        (vec![("vocab.json", b"{\"a\":0}"), ("merges.txt", b"")], vec![], "unknown token"),
        (vec![("tokenizer.json", b"{}")], vec![], "no model"),
        (vec![("tokenizer.json", br#"{"model":{"type":"Unigram","vocab":[]}}"#)], vec![], "not BPE"),
        (vec![("tokenizer.json", br#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#)], vec![], "end_of_word_suffix"),
        (vec![("tokenizer_config.json", b"[]")], vec![], "no JSON object"),
        (vec![("tokenizer_config.json", br#"{"added_tokens_decoder":{"7":{"content":"cat</w>"}}}"#)], vec![], "has id 7"),
    ] {
        let found = message(&changes, &without);
        assert!(found.contains(words), "expected {words:?} in {found:?}");
    }
}
