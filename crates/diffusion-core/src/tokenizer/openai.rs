//! OpenAI's vocabulary and merges, reconstructed from the crate that contains them.
//!
//! `instant-clip-tokenizer` holds OpenAI's list of merges but exposes only the decoding of ids to text, which is enough. The text of an id
//! gives the id's bytes: a token that is part of a character is surrounded by other bytes that complete it. And the bytes of all tokens in
//! order give the merges: token k is the result of merge k, so splitting its bytes with the merges before k leaves exactly the two parts of
//! merge k. A golden hash of the merges in OpenAI's file verifies the result.

use std::collections::HashMap;

use instant_clip_tokenizer::{Token, Tokenizer};

use super::END_OF_WORD;
use crate::{Error, Result};

/// The single-byte tokens; the next as many end a word; then come the merges and the two special tokens.
const BYTES: u16 = 256;

/// Byte tokens that complete the end of a character: leads of two, three and four bytes that accept any continuation.
const LEADS: [&[u8]; 4] = [b"", b"\xc2", b"\xe1", b"\xf1"];

/// Byte tokens that complete the beginning of a character: continuations of a lead (after 0xe0 only 0xa0 and up, after 0xf0 only 0x90 and
/// up) or of a later byte.
const TAILS: [&[u8]; 7] = [b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0\x80", b"\x90\x80\x80", b"\xa0"];

/// A token: its bytes, and whether it ends a word.
type Bytes = (Vec<u8>, bool);

/// Tokens with their ids, and merges in order.
type VocabularyAndMerges = (HashMap<String, u32>, Vec<(String, String)>);

/// The 49,408 tokens with their ids, and the 48,894 merges in order.
pub(super) fn vocabulary_and_merges() -> Result<VocabularyAndMerges> {
    let broken = |id: u16| Error::Tokenizer(format!("the built-in vocabulary: token {id} cannot be read"));
    let tokenizer = Tokenizer::new();
    let (start, end) = (tokenizer.start_of_text().to_u16(), tokenizer.end_of_text().to_u16());
    let alphabet = alphabet();
    let mut id_of_byte = [0; 256];
    for (id, (byte, _)) in (0..BYTES).zip(&alphabet) {
        if let Some(slot) = id_of_byte.get_mut(usize::from(*byte)) {
            *slot = id;
        }
    }

    let mut tokens: Vec<Bytes> = [false, true].iter().flat_map(|last| alphabet.iter().map(|(byte, _)| (vec![*byte], *last))).collect();
    for id in 2 * BYTES..start {
        tokens.push(bytes_of(&tokenizer, &id_of_byte, id).ok_or_else(|| broken(id))?);
    }

    // Split each token with the merges before it.
    let mut merge_ids = HashMap::<(u16, u16), u16>::with_capacity(tokens.len());
    let mut merges = Vec::with_capacity(tokens.len());
    for (id, (bytes, last)) in (0..start).zip(&tokens).skip(2 * usize::from(BYTES)) {
        let mut parts: Vec<u16> = bytes.iter().filter_map(|byte| id_of_byte.get(usize::from(*byte)).copied()).collect();
        if let Some(part) = parts.last_mut().filter(|_| *last) {
            *part += BYTES;
        }
        let merge = loop {
            match parts.as_slice() {
                [first, second] => break (*first, *second),
                _ => merge_once(&mut parts, &merge_ids).ok_or_else(|| broken(id))?,
            }
        };
        merge_ids.insert(merge, id);
        merges.push(merge);
    }

    let letters: HashMap<u8, char> = alphabet.into_iter().collect();
    let names: Vec<String> = tokens
        .iter()
        .map(|(bytes, last)| {
            let name: String = bytes.iter().filter_map(|byte| letters.get(byte)).collect();
            if *last { name + END_OF_WORD } else { name }
        })
        .collect();
    let name = |id: u16| names.get(usize::from(id)).cloned().ok_or_else(|| broken(id));
    let merges = merges.into_iter().map(|(first, second)| Ok((name(first)?, name(second)?))).collect::<Result<Vec<_>>>()?;
    let mut ids: HashMap<String, u32> = (0..).zip(&names).map(|(id, name)| (name.clone(), id)).collect();
    ids.insert("<|startoftext|>".into(), start.into());
    ids.insert("<|endoftext|>".into(), end.into());
    Ok((ids, merges))
}

/// GPT-2's byte alphabet in the order of CLIP's ids: printable bytes map to themselves, then the others to U+0100 and up.
fn alphabet() -> Vec<(u8, char)> {
    let prints = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    let themselves = (0..=u8::MAX).filter(prints).map(|byte| (byte, char::from(byte)));
    themselves.chain((0..=u8::MAX).filter(|byte| !prints(byte)).zip('\u{100}'..)).collect()
}

/// The bytes of a merged token: its text if it is valid alone, else its part of the completed text.
fn bytes_of(tokenizer: &Tokenizer, id_of_byte: &[u16; 256], id: u16) -> Option<Bytes> {
    let token = |id| Token::from_u16(id, tokenizer);
    let byte_tokens =
        |bytes: &[u8]| bytes.iter().map(|byte| id_of_byte.get(usize::from(*byte)).and_then(|id| token(*id))).collect::<Option<Vec<_>>>();
    for tail in TAILS {
        for lead in LEADS {
            let ids = byte_tokens(lead)?.into_iter().chain([token(id)?]).chain(byte_tokens(tail)?);
            let text = tokenizer.decode(ids);
            if !text.contains(char::REPLACEMENT_CHARACTER) {
                return word(text.as_bytes().get(lead.len()..text.len().checked_sub(tail.len())?)?);
            }
        }
    }
    // No completion removes the replacement character, so the token is one itself: OpenAI's text contained some.
    word(tokenizer.decode([token(id)?]).as_bytes())
}

/// The token's bytes without the space that marks the end of a word; no word contains a space.
fn word(text: &[u8]) -> Option<Bytes> {
    let (word, last) = match text.strip_suffix(b" ") {
        Some(word) => (word, true),
        None => (text, false),
    };
    (!word.is_empty() && !word.contains(&b' ')).then(|| (word.to_vec(), last))
}

/// Applies the lowest applicable merge at every position, from the left; `None` if none applies.
fn merge_once(parts: &mut Vec<u16>, merge_ids: &HashMap<(u16, u16), u16>) -> Option<()> {
    let pair = |window: &[u16]| match window {
        [first, second] => merge_ids.get(&(*first, *second)).copied(),
        _ => None,
    };
    let lowest = parts.windows(2).filter_map(pair).min()?;
    let mut merged = Vec::with_capacity(parts.len());
    let mut rest = parts.as_slice();
    while let [first, after @ ..] = rest {
        match after {
            [second, after @ ..] if merge_ids.get(&(*first, *second)) == Some(&lowest) => {
                merged.push(lowest);
                rest = after;
            }
            _ => {
                merged.push(*first);
                rest = after;
            }
        }
    }
    *parts = merged;
    Some(())
}
