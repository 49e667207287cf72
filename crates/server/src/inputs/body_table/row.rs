//! The rows of a table: a field's name, type and bounds, and the part of a request that it fills.
//!
//! It must not know any particular request. A row reads its field as pydantic does ([`Fields`]), and makes its property of the schema.

use diffusion_core::schedulers::SchedulerName;
use generation::{FieldErrorKind, limits::SIDE_MULTIPLE};
use serde_json::{Value, json};

use super::Facts;
use crate::inputs::{
    fields::{Fields, TypeFault, boolean, float, integer, string},
    request_fields::{random_seed, scheduler},
};

/// One field of an object that fills an `R`.
pub(crate) struct Row<R: 'static> {
    pub(super) name: &'static str,
    about: &'static str,
    kind: Kind<R>,
    pub(super) is_required: bool,
    is_checked: bool,
    length: Option<(usize, usize)>,
    default: Option<fn() -> Value>,
    choices: Option<fn() -> Vec<&'static str>>,
    pub(super) inside: Option<fn() -> &'static Facts>,
}

/// The part of a request that a row fills.
type Place<R, T> = fn(&mut R) -> &mut Option<T>;
/// Reads the field of this name, and whatever belongs to it.
type Reader<R> = fn(&mut R, &mut Fields<'_>, &'static str);

/// A field's type, with its bounds and the part of the request that it fills.
pub(crate) enum Kind<R: 'static> {
    /// A text.
    Text(Place<R, String>),
    /// A whole number.
    Whole((u32, u32), Place<R, i128>),
    /// A side in pixels: a multiple of 8.
    Side((u32, u32), Place<R, i128>),
    /// A seed up to a maximum; -1 means none, so that one is drawn later, as in AUTOMATIC1111's requests.
    Seed(u64, Place<R, i128>),
    /// The same, but -1 draws a seed at once: for seeds that are not drawn later.
    DrawnSeed(u64, Place<R, i128>),
    /// A number.
    Number((f64, f64), Place<R, f64>),
    /// A boolean, false if absent.
    Truth(Place<R, bool>),
    /// A scheduler's name; combined with `sampler`, which other programs send beside it.
    Scheduler(Place<R, String>),
    /// An object with its own table: see [`Row::inside`] and [`super::nested`].
    Object(Reader<R>),
    /// A field with its own reader and schema.
    Other(fn() -> Value, Reader<R>),
    /// The same without a schema: an undocumented field.
    Silent(Reader<R>),
}

impl<R> Row<R> {
    pub(crate) const fn new(name: &'static str, about: &'static str, kind: Kind<R>) -> Self {
        let (default, choices, inside) = (None, None, None);
        Self { name, about, kind, is_required: false, is_checked: false, length: None, default, choices, inside }
    }

    /// The bounds of a text's length, in characters.
    pub(crate) const fn length(self, min: usize, max: usize) -> Self {
        Self { length: Some((min, max)), ..self }
    }

    /// The default value, for the schema only: the user of the request applies it.
    pub(crate) const fn or(self, default: fn() -> Value) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The allowed texts, for the schema only.
    pub(crate) const fn one_of(self, choices: fn() -> Vec<&'static str>) -> Self {
        Self { choices: Some(choices), ..self }
    }

    /// The table of the object, or of a list's objects.
    pub(crate) const fn inside(self, table: fn() -> &'static Facts) -> Self {
        Self { inside: Some(table), ..self }
    }

    /// Marks the field as required and not null. The validation checks that it is present.
    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Checks presence and bounds when the field is read: for fields that the validation does not know.
    pub(crate) const fn checked(self) -> Self {
        Self { is_checked: true, ..self }
    }

    pub(super) fn read(&self, request: &mut R, fields: &mut Fields<'_>) {
        match self.kind {
            Kind::Text(place) => *place(request) = self.value(fields, string, |text| too_short_or_long(text, self.length?)),
            Kind::Whole((min, max), place) | Kind::Side((min, max), place) => {
                *place(request) = self.value(fields, integer, |value| FieldErrorKind::of_integer(*value, (min.into(), max.into())));
            }
            Kind::Seed(max, place) | Kind::DrawnSeed(max, place) => {
                let seed = self.value(fields, integer, |seed| FieldErrorKind::of_integer(*seed, (-1, max.into())));
                let drawn = matches!(self.kind, Kind::DrawnSeed(..)).then(|| random_seed().into());
                *place(request) = seed.and_then(|seed| if seed == -1 { drawn } else { Some(seed) });
            }
            Kind::Number(bounds, place) => *place(request) = self.value(fields, float, |value| FieldErrorKind::of_float(*value, bounds)),
            Kind::Truth(place) => *place(request) = self.value(fields, boolean, |_| None),
            Kind::Scheduler(place) => *place(request) = scheduler(fields),
            Kind::Object(read) | Kind::Other(_, read) | Kind::Silent(read) => read(request, fields, self.name),
        }
    }

    fn value<T>(
        &self,
        fields: &mut Fields<'_>,
        convert: fn(&Value) -> Result<T, TypeFault>,
        fault: impl Fn(&T) -> Option<FieldErrorKind>,
    ) -> Option<T> {
        let value = if self.is_required { fields.required(self.name, convert) } else { fields.read(self.name, convert) };
        let kind = match &value {
            _ if !self.is_checked => None,
            Some(value) => fault(value),
            None => (self.is_required && fields.get(self.name).is_none()).then_some(FieldErrorKind::Missing),
        };
        let Some(kind) = kind else { return value };
        fields.rule_fault(self.name, kind);
        None
    }

    /// Its property of the schema, if it is documented.
    pub(super) fn schema(&self) -> Option<Value> {
        let of = |kind: &str| if self.is_required { json!(kind) } else { json!([kind, "null"]) };
        let whole = |min: i64, max: u64| json!({"type": of("integer"), "format": "int64", "minimum": min, "maximum": max});
        let mut schema = match self.kind {
            Kind::Text(_) => json!({"type": of("string")}),
            Kind::Scheduler(_) => {
                let names = SchedulerName::all().into_iter().map(|name| name.to_string().into());
                json!({"type": of("string"), "enum": names.chain([Value::Null]).collect::<Vec<_>>()})
            }
            Kind::Whole((min, max), _) | Kind::Side((min, max), _) => whole(min.into(), max.into()),
            Kind::Seed(max, _) | Kind::DrawnSeed(max, _) => whole(-1, max),
            Kind::Number((min, max), _) => json!({"type": of("number"), "format": "double", "minimum": min, "maximum": max}),
            Kind::Truth(_) => json!({"type": of("boolean"), "default": false}),
            Kind::Object(_) => json!({"oneOf": [{"type": "null"}, {"$ref": self.inside?().reference()}]}),
            Kind::Other(schema, _) => schema(),
            Kind::Silent(_) => return None,
        };
        let more = [
            ("description", Some(self.about.trim_start().into()).filter(|about| *about != "")),
            ("default", self.default.map(|default| default())),
            ("enum", self.choices.map(|choices| choices().into_iter().map(Value::from).chain([Value::Null]).collect())),
            ("minLength", self.length.filter(|(min, _)| *min > 0).map(|(min, _)| min.into())),
            ("maxLength", self.length.map(|(_, max)| max.into())),
            ("multipleOf", matches!(self.kind, Kind::Side(..)).then(|| SIDE_MULTIPLE.into())),
        ];
        for (key, value) in more.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            schema[key] = value;
        }
        Some(schema)
    }
}

/// The violated length rule, if any; a blank text counts as empty.
fn too_short_or_long(text: &str, (min, max): (usize, usize)) -> Option<FieldErrorKind> {
    if min > 0 && text.trim().is_empty() {
        return Some(FieldErrorKind::StringTooShort { min_length: min });
    }
    text.chars().nth(max).map(|_| FieldErrorKind::StringTooLong { max_length: max })
}
