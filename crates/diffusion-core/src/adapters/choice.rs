//! Which adapters a caller chose, by name and weight: as a list of its own, or as tags inside a prompt.
//!
//! This module must not depend on files. Invariant: the weights of a choice are numbers within the limit. Reference for tags:
//! AUTOMATIC1111's `extra_networks.py` and `extra_networks_lora.py`.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// The largest weight, and less 0 the smallest.
pub const MOST_WEIGHT: f64 = 100.0;

/// An adapter by its name, and its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterChoice {
    /// The adapter's name in its folder.
    pub name: String,
    /// Its weight in the noise predictor.
    pub unet_weight: f64,
    /// Its weight in the text encoder.
    pub text_weight: f64,
}

/// The names that weights may have in a tag.
const TAG_KEYS: [&str; 2] = ["te", "unet"];
const TAG_FORM: &str = "a tag is <lora:NAME:WEIGHT>, <lora:NAME:TEXT_WEIGHT:UNET_WEIGHT> or <lora:NAME:te=TEXT_WEIGHT:unet=UNET_WEIGHT>";

impl AdapterChoice {
    /// Takes the tags `<lora:NAME:WEIGHT>` out of a prompt (`<lyco:..>` too). With two weights, the first is the text encoder's, as in
    /// AUTOMATIC1111; `te=` and `unet=` name them.
    ///
    /// # Errors
    /// [`Error::Params`] for a tag whose weight is no number within the limit, and for words of a tag that are none of these.
    pub fn from_prompt(prompt: &str) -> Result<(String, Vec<Self>)> {
        let (mut rest, mut text, mut choices) = (prompt, String::with_capacity(prompt.len()), Vec::new());
        while let Some((before, tag, after)) = next_tag(rest) {
            text.push_str(before);
            choices.push(Self::of_tag(tag)?);
            rest = after;
        }
        text.push_str(rest);
        Ok((text, choices))
    }

    /// Takes the tags of networks that are not known here out of a prompt in AUTOMATIC1111's syntax, in which no tag is text: that program
    /// skips those that it does not know. Its names of kinds are in lower case, so `<LoRA:..>` is one of these.
    pub fn unknown_tags(prompt: &str) -> (String, Vec<String>) {
        let (mut rest, mut text, mut tags) = (prompt, String::with_capacity(prompt.len()), Vec::new());
        while let Some((before, from)) = rest.split_once('<') {
            text.push_str(before);
            let is_word = |character: char| character.is_alphanumeric() || character == '_';
            let after_kind = from.trim_start_matches(is_word);
            let kind = from.strip_suffix(after_kind).unwrap_or_default();
            let arguments = after_kind.strip_prefix(':').and_then(|arguments| arguments.split_once('>'));
            match arguments.filter(|(arguments, _)| !arguments.is_empty()) {
                Some((_, after)) if !["", "lora", "lyco"].contains(&kind) => {
                    tags.push(format!("<{}", from.strip_suffix(after).unwrap_or(from)));
                    rest = after;
                }
                Some(_) | None => {
                    text.push('<');
                    rest = from;
                }
            }
        }
        text.push_str(rest);
        (text, tags)
    }

    /// Whether a text has tags, malformed ones included.
    pub fn has_tags(text: &str) -> bool {
        next_tag(text).is_some()
    }

    /// Checks weights that were not read from text.
    ///
    /// # Errors
    /// [`Error::Params`] for a weight beyond the limit.
    pub fn check(&self) -> Result<()> {
        match [self.unet_weight, self.text_weight].into_iter().find(|weight| !is_weight(*weight)) {
            Some(weight) => Err(refused(format!("the weight {weight} of {:?} is not from -{MOST_WEIGHT} to {MOST_WEIGHT}", self.name))),
            None => Ok(()),
        }
    }

    /// The choice as a prompt's tag.
    pub fn tag(&self) -> String {
        let Self { name, unet_weight, text_weight } = self;
        if unet_weight == text_weight {
            format!("<lora:{name}:{unet_weight}>")
        } else {
            format!("<lora:{name}:{text_weight}:{unet_weight}>")
        }
    }

    fn of_tag(tag: &str) -> Result<Self> {
        let (named, plain): (Vec<&str>, Vec<&str>) = tag.split(':').partition(|word| word.contains('='));
        let keys = || named.iter().filter_map(|word| word.split_once('=')).map(|(key, _)| key.trim());
        if let Some(key) = keys().find(|key| !TAG_KEYS.contains(key)) {
            return Err(refused(format!("{key:?} in {tag:?} is unknown: {TAG_FORM}")));
        }
        if let Some(key) = TAG_KEYS.into_iter().find(|known| keys().filter(|key| key == known).count() > 1) {
            return Err(refused(format!("{key:?} occurs twice in {tag:?}: {TAG_FORM}")));
        }
        if plain.len() > 3 {
            return Err(refused(format!("{tag:?} has more than a name and two weights: {TAG_FORM}")));
        }
        let at = |index: usize| plain.get(index).map(|word| weight(tag, word)).transpose();
        let of = |name: &str| {
            let word = named.iter().find_map(|word| word.split_once('=').filter(|(key, _)| key.trim() == name).map(|(_, value)| value));
            word.map(|word| weight(tag, word)).transpose()
        };
        let text_weight = of("te")?.or(at(1)?).unwrap_or(1.0);
        let unet_weight = of("unet")?.or(at(2)?).unwrap_or(text_weight);
        Ok(Self { name: plain.first().map(|name| name.trim().to_owned()).unwrap_or_default(), unet_weight, text_weight })
    }
}

/// NAME:WEIGHT:TEXT_WEIGHT, which reads back as the same choice.
impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unet_weight, text_weight } = self;
        write!(f, "{name}:{unet_weight}:{text_weight}")
    }
}

impl FromStr for AdapterChoice {
    type Err = Error;

    /// Reads `NAME[:WEIGHT[:TEXT_WEIGHT]]`; the weights are 1, and the same for the text encoder.
    ///
    /// # Errors
    /// [`Error::Params`] for a weight that is no number within the limit.
    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default().trim().to_owned();
        let mut next = || words.next().map(|word| weight(text, word)).transpose();
        let (first, second) = (next()?, next()?);
        if words.next().is_some() {
            return Err(refused(format!("{text:?} has more than a name and two weights")));
        }
        let unet_weight = first.unwrap_or(1.0);
        Ok(Self { name, unet_weight, text_weight: second.unwrap_or(unet_weight) })
    }
}

/// The text before the next tag, the tag without its brackets and kind, and the text after it.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let (start, kind) = ["<lora:", "<lyco:"].into_iter().filter_map(|kind| Some((text.find(kind)?, kind))).min()?;
    let (before, from) = text.split_at_checked(start)?;
    let (tag, after) = from.strip_prefix(kind)?.split_once('>')?;
    Some((before, tag, after))
}

fn is_weight(weight: f64) -> bool {
    weight.abs() <= MOST_WEIGHT
}

fn weight(text: &str, word: &str) -> Result<f64> {
    match word.trim().parse::<f64>() {
        Ok(weight) if is_weight(weight) => Ok(weight),
        _ => Err(refused(format!("{word:?} in {text:?} is no weight: give a number from -{MOST_WEIGHT} to {MOST_WEIGHT}"))),
    }
}

fn refused(reason: String) -> Error {
    Error::Params { field: "loras", reason }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn choice(name: &str, unet_weight: f64, text_weight: f64) -> AdapterChoice {
        AdapterChoice { name: name.into(), unet_weight, text_weight }
    }

    #[test]
    fn a_choice_is_a_name_and_up_to_two_weights() {
        for (text, expected) in
            [("ink", choice("ink", 1.0, 1.0)), ("ink:0.5", choice("ink", 0.5, 0.5)), ("two words:-1.5:0", choice("two words", -1.5, 0.0))]
        {
            assert_eq!(text.parse::<AdapterChoice>().unwrap(), expected);
            assert_eq!(expected.to_string().parse::<AdapterChoice>().unwrap(), expected);
            assert_eq!(AdapterChoice::from_prompt(&expected.tag()).unwrap(), (String::new(), vec![expected]));
        }
        for text in ["ink:", "ink:x", "ink:NaN", "ink:inf", "ink:101", "ink:1:2:3"] {
            assert!(matches!(text.parse::<AdapterChoice>(), Err(Error::Params { field: "loras", .. })), "{text}");
        }
    }

    /// As `re_extra_net` of AUTOMATIC1111's `extra_networks.py`, `<(\w+):([^>]+)>`, finds them.
    #[test]
    fn tags_of_unknown_networks_leave_the_prompt() {
        let (text, tags) = AdapterChoice::unknown_tags("a <fox> <LoRA:ink:1>, 1 < 2 <hypernet:x> <b:>c <:d> <Ünet_2:e\nf> <g:h");
        assert_eq!(text, "a <fox> , 1 < 2  <b:>c <:d>  <g:h");
        assert_eq!(tags, ["<LoRA:ink:1>", "<hypernet:x>", "<Ünet_2:e\nf>"]);
        assert_eq!(AdapterChoice::unknown_tags("<<b:x>> <lora:x>"), ("<> <lora:x>".into(), vec!["<b:x>".into()]));
    }

    #[test]
    fn tags_leave_the_prompt() {
        let (text, choices) =
            AdapterChoice::from_prompt("a fox <lora:ink:0.8>, <b> <lyco:wash:0.2:0.9><lora:x:unet=0.3:te=2> <lora:y>").unwrap();
        assert_eq!(text, "a fox , <b>  ");
        assert_eq!(choices, [choice("ink", 0.8, 0.8), choice("wash", 0.9, 0.2), choice("x", 0.3, 2.0), choice("y", 1.0, 1.0)]);
        assert_eq!(AdapterChoice::from_prompt("<lora:open").unwrap(), ("<lora:open".into(), vec![]));
        for (tag, part) in [
            ("<lora:ink:strong>", "\"strong\" in \"ink:strong\" is no weight"),
            ("<lora:ink:strength=3>", "\"strength\" in \"ink:strength=3\" is unknown: a tag is <lora:NAME:WEIGHT>"),
            ("<lora:ink:1:1:7>", "has more than a name and two weights: a tag is"),
            ("<lora:ink:te=1:te=2>", "\"te\" occurs twice"),
        ] {
            let message = AdapterChoice::from_prompt(tag).unwrap_err().to_string();
            assert!(message.contains(part), "{tag}: {message}");
        }
    }
}
