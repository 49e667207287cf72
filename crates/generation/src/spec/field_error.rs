//! An invalid field of a request: its name, the value, the limit, and a sentence for users.
//!
//! Kinds, messages and the names in [`FieldErrorKind::type_name`] follow pydantic v2, which FastAPI's clients already understand. This
//! module knows no JSON and no HTTP: [`FieldErrorKind::context`] returns the limits as plain values.

use std::{borrow::Cow, fmt};

/// The maximum length of a caller's text that is repeated in an error.
pub const MAX_ECHO_CHARS: usize = 100;

/// The minimum similarity, from 0 to 1, at which one name may be a typo of another: one wrong letter in three.
const MIN_SIMILARITY: f64 = 0.66;

/// An error in one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// The field's name as in [`crate::ImageRequest`] and in the HTTP API.
    pub field: &'static str,
    /// The index of its scene, from 0; `None` for a field of the request itself.
    pub scene: Option<usize>,
    /// The index of the entry at fault, from 0, if the field is a list of objects, and the entry's field.
    pub entry: Option<(usize, &'static str)>,
    /// The object inside the request or the scene that it belongs to ("motion"); `None` for a field of the request or the scene itself.
    pub group: Option<&'static str>,
    /// The given value, shortened to [`MAX_ECHO_CHARS`] characters; empty if there was none.
    pub value: String,
    /// A sentence for users, which names the limit.
    pub message: String,
    /// The broken rule, with its limit.
    pub kind: FieldErrorKind,
}

/// The rule that a field breaks.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldErrorKind {
    /// The field is required and absent.
    Missing,
    /// A text has too few characters.
    StringTooShort {
        /// The minimum number of characters.
        min_length: usize,
    },
    /// A text has too many characters.
    StringTooLong {
        /// The maximum number of characters.
        max_length: usize,
    },
    /// A list has too few entries.
    TooShort {
        /// The minimum number of entries.
        min_length: usize,
    },
    /// A list has too many entries.
    TooLong {
        /// The maximum number of entries.
        max_length: usize,
    },
    /// A number is too small.
    GreaterThanEqual {
        /// The smallest number allowed.
        ge: Bound,
    },
    /// A number is too large.
    LessThanEqual {
        /// The largest number allowed.
        le: Bound,
    },
    /// A number is not a multiple of the required one.
    MultipleOf {
        /// The required divisor.
        multiple_of: u32,
    },
    /// A name is not one of the known ones.
    Enum {
        /// The known names.
        expected: Vec<String>,
        /// The most similar one, if any is similar enough.
        nearest: Option<String>,
    },
    /// A number is infinite or not a number.
    FiniteNumber,
    /// Anything else; the sentence explains it.
    Value {
        /// The sentence, without pydantic's prefix "Value error, ".
        error: String,
    },
}

/// A limit of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A whole number.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// A limit as a plain value, for serialization.
#[derive(Clone, Debug, PartialEq)]
pub enum ContextValue {
    /// A whole number.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Text(String),
}

impl From<Bound> for ContextValue {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Integer(value) => Self::Integer(value),
            Bound::Float(value) => Self::Float(value),
        }
    }
}

impl FieldErrorKind {
    /// The rule that an integer outside the (inclusive) bounds breaks.
    pub fn of_integer(value: i128, (min, max): (i128, i128)) -> Option<Self> {
        if value < min {
            Some(Self::GreaterThanEqual { ge: Bound::Integer(min) })
        } else {
            (value > max).then_some(Self::LessThanEqual { le: Bound::Integer(max) })
        }
    }

    /// The rule that a number breaks if it is outside the (inclusive) bounds or not finite.
    pub fn of_float(value: f64, (min, max): (f64, f64)) -> Option<Self> {
        if !value.is_finite() {
            Some(Self::FiniteNumber)
        } else if value < min {
            Some(Self::GreaterThanEqual { ge: Bound::Float(min) })
        } else {
            (value > max).then_some(Self::LessThanEqual { le: Bound::Float(max) })
        }
    }

    /// The error that `name` is not one of `known`.
    pub fn not_one_of(name: &str, known: &[&str]) -> Self {
        let nearest = nearest(name, known.iter().copied()).map(str::to_owned);
        Self::Enum { expected: known.iter().map(ToString::to_string).collect(), nearest }
    }

    /// The rule's name in pydantic's vocabulary.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::StringTooShort { .. } => "string_too_short",
            Self::StringTooLong { .. } => "string_too_long",
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::GreaterThanEqual { .. } => "greater_than_equal",
            Self::LessThanEqual { .. } => "less_than_equal",
            Self::MultipleOf { .. } => "multiple_of",
            Self::Enum { .. } => "enum",
            Self::FiniteNumber => "finite_number",
            Self::Value { .. } => "value_error",
        }
    }

    /// The rule's limits under pydantic's names (`ge`, `max_length`, ..).
    pub fn context(&self) -> Vec<(&'static str, ContextValue)> {
        let count = |name, value: usize| vec![(name, ContextValue::Integer(i128::try_from(value).unwrap_or(i128::MAX)))];
        match self {
            Self::Missing | Self::FiniteNumber => Vec::new(),
            Self::StringTooShort { min_length } | Self::TooShort { min_length } => count("min_length", *min_length),
            Self::StringTooLong { max_length } | Self::TooLong { max_length } => count("max_length", *max_length),
            Self::GreaterThanEqual { ge } => vec![("ge", (*ge).into())],
            Self::LessThanEqual { le } => vec![("le", (*le).into())],
            Self::MultipleOf { multiple_of } => vec![("multiple_of", ContextValue::Integer((*multiple_of).into()))],
            Self::Enum { expected, nearest } => {
                let nearest = nearest.iter().map(|name| ("nearest", ContextValue::Text(name.clone())));
                [("expected", ContextValue::Text(quoted_list(expected)))].into_iter().chain(nearest).collect()
            }
            Self::Value { error } => vec![("error", ContextValue::Text(error.clone()))],
        }
    }

    /// The sentence for users.
    fn message(&self) -> String {
        let items = |count: usize| if count == 1 { "1 item".to_owned() } else { format!("{count} items") };
        let characters = |count: usize| if count == 1 { "1 character".to_owned() } else { format!("{count} characters") };
        match self {
            Self::Missing => "Field required".into(),
            Self::StringTooShort { min_length } => format!("String should have at least {}", characters(*min_length)),
            Self::StringTooLong { max_length } => format!("String should have at most {}", characters(*max_length)),
            Self::TooShort { min_length } => format!("List should have at least {}", items(*min_length)),
            Self::TooLong { max_length } => format!("List should have at most {}", items(*max_length)),
            Self::GreaterThanEqual { ge } => format!("Input should be greater than or equal to {ge}"),
            Self::LessThanEqual { le } => format!("Input should be less than or equal to {le}"),
            Self::MultipleOf { multiple_of } => format!("Input should be a multiple of {multiple_of}"),
            Self::Enum { expected, nearest } => {
                let nearest = nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
                format!("Input should be {}{nearest}", quoted_list(expected))
            }
            Self::FiniteNumber => "Input should be a finite number".into(),
            Self::Value { error } => format!("Value error, {error}"),
        }
    }
}

impl FieldError {
    /// An error about a field; the message follows from the kind.
    pub fn new(field: &'static str, value: impl fmt::Display, kind: FieldErrorKind) -> Self {
        Self {
            field,
            entry: None,
            scene: None,
            group: None,
            value: shortened(&value.to_string()).into_owned(),
            message: kind.message(),
            kind,
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scene) = self.scene {
            write!(f, "scenes.{scene}.")?;
        }
        if let Some(group) = self.group {
            write!(f, "{group}.")?;
        }
        write!(f, "{}", self.field)?;
        if let Some((index, field)) = self.entry {
            write!(f, ".{index}.{field}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.value.is_empty() { Ok(()) } else { write!(f, " (given: {})", self.value) }
    }
}

impl std::error::Error for FieldError {}

/// A caller's text, cut to [`MAX_ECHO_CHARS`] characters followed by "...".
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_ECHO_CHARS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default())),
    }
}

/// The name most similar to a misspelt one; `None` if none is similar enough.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long text is similar to none, and the comparison would take long.
    if text.len() > MAX_ECHO_CHARS {
        return None;
    }
    let text = text.to_lowercase();
    let similar = names.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(&text, name), name));
    similar.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// "'a', 'b' or 'c'".
fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(shortened("short"), "short");
        let long = "é".repeat(MAX_ECHO_CHARS + 1);
        assert_eq!(shortened(&long), format!("{}...", "é".repeat(MAX_ECHO_CHARS)));
    }

    #[test]
    fn the_nearest_name_is_suggested_for_a_misspelt_one() {
        let names = ["cut", "crossfade", "slerp", "negative_prompt", "num_inference_steps", "prompt", "seed"];
        for (text, expected) in [
            ("crosfade", Some("crossfade")),
            ("Crossfade", Some("crossfade")),
            ("negative_promt", Some("negative_prompt")),
            ("num_inference_step", Some("num_inference_steps")),
            ("promt", Some("prompt")),
            ("sede", Some("seed")),
            ("wipe", None),
            ("model", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names), expected, "{text}");
        }
        assert_eq!(nearest(&"seed".repeat(1_000_000), names), None);
        let fault = FieldError::new("join", "crosfade", FieldErrorKind::not_one_of("crosfade", &["cut", "crossfade"]));
        assert_eq!(fault.message, "Input should be 'cut' or 'crossfade'; did you mean 'crossfade'?");
        assert_eq!(fault.kind.context().last(), Some(&("nearest", ContextValue::Text("crossfade".into()))));
    }

    #[test]
    fn names_are_listed_as_pydantic_lists_them() {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(quoted_list(&names(&["a", "b", "c"])), "'a', 'b' or 'c'");
        assert_eq!(quoted_list(&names(&["a"])), "'a'");
    }

    #[test]
    fn the_display_form_names_field_limit_and_value() {
        let error = FieldError::new("num_inference_steps", 151, FieldErrorKind::LessThanEqual { le: Bound::Integer(150) });
        assert_eq!(error.to_string(), "num_inference_steps: Input should be less than or equal to 150 (given: 151)");
    }
}
