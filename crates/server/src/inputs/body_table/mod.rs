//! One table per body: its fields in the order in which faults are reported, each a [`Row`] with its name, type, bounds, description, and
//! the part of the request that it fills. The parser, the known names and the schema in /openapi.json all come from the rows.
//!
//! It must not know any particular body. The invariant: a field without a row is neither read nor documented, and the bounds in a schema
//! are the constants that are checked.

mod row;

use std::sync::OnceLock;

use generation::FieldError;
use serde_json::{Map, Value, json};

pub(crate) use self::row::{Kind, Row};
use crate::{
    http::{Problem, ValidationErrorDetail},
    inputs::{
        faults::value_error,
        field_names::{NamedBody, Shape},
        fields::{Fields, or_problem, parse_object},
    },
};

/// The fields of a JSON object that fill an `R`.
pub(crate) struct Table<R: 'static> {
    name: &'static str,
    about: &'static str,
    example: fn() -> Value,
    /// In groups, so that tables can share rows.
    rows: &'static [&'static [Row<R>]],
    facts: OnceLock<Facts>,
}

/// A table's metadata, independent of the type that it fills.
pub(crate) struct Facts {
    name: &'static str,
    shape: Shape,
    /// The schema.
    pub(crate) schema: Value,
    /// The tables of its object fields.
    inside: Vec<&'static Facts>,
}

impl Facts {
    /// The reference to the schema.
    pub(crate) fn reference(&self) -> String {
        format!("#/components/schemas/{}", self.name)
    }

    /// Whether an object has a field of exactly this name.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.shape.fields().contains(&key)
    }

    /// The schemas that this one refers to, directly or indirectly.
    pub(crate) fn referred(&self) -> Vec<(&'static str, &Value)> {
        self.inside.iter().flat_map(|table| [vec![(table.name, &table.schema)], table.referred()].concat()).collect()
    }
}

/// A request that contains another with rows of its own, so that tables can share those rows.
pub(crate) trait Holds<T> {
    fn held(&mut self) -> &mut T;
}

impl<T> Holds<T> for T {
    fn held(&mut self) -> &mut T {
        self
    }
}

impl<R> Table<R> {
    /// A table with a schema's name and description, an example that is accepted unchanged (or null), and its rows.
    pub(crate) const fn new(name: &'static str, about: &'static str, example: fn() -> Value, rows: &'static [&'static [Row<R>]]) -> Self {
        Self { name, about, example, rows, facts: OnceLock::new() }
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row<R>> + use<R> {
        self.rows.iter().copied().flatten()
    }

    /// The table's metadata.
    pub(crate) fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| {
            let inside: Vec<_> = self.rows().filter_map(|row| Some((row.name, row.inside?()))).collect();
            let shapes = inside.iter().map(|(name, table)| (*name, &table.shape)).collect();
            let properties: Map<_, _> = self.rows().filter_map(|row| Some((row.name.to_owned(), row.schema()?))).collect();
            let required: Vec<_> = self.rows().filter(|row| row.is_required).map(|row| row.name).collect();
            let mut schema =
                json!({"type": "object", "description": self.about.trim_start(), "required": required, "properties": properties});
            let example = (self.example)();
            if !example.is_null() {
                schema["example"] = example;
            }
            let shape = Shape::new(self.rows().map(|row| row.name).collect(), shapes);
            Facts { name: self.name, shape, schema, inside: inside.into_iter().map(|(_, table)| table).collect() }
        })
    }
}

impl<R: Default> Table<R> {
    /// Fills a request from an object's fields; faults are added to `fields`.
    pub(crate) fn fill(&self, fields: &mut Fields<'_>) -> R {
        let mut request = R::default();
        self.rows().for_each(|row| row.read(&mut request, fields));
        request
    }

    /// Reads a parsed body.
    pub(crate) fn read(&'static self, json: Map<String, Value>) -> Body<R> {
        let shape = &self.facts().shape;
        let named = NamedBody::new(json, shape);
        let mut fields = Fields::new(&named.json);
        let request = self.fill(&mut fields);
        Body { request, faults: fields.faults, named, shape }
    }

    /// Parses and reads a body.
    ///
    /// # Errors
    /// If it is not a JSON object.
    pub(crate) fn parse(&'static self, body: &[u8]) -> Result<Body<R>, Problem> {
        Ok(self.read(parse_object(body)?))
    }
}

/// Reads an object in a field.
pub(crate) fn nested<R: Default>(fields: &mut Fields<'_>, name: &'static str, table: &Table<R>) -> Option<R> {
    let value = fields.get(name).filter(|value| !value.is_null())?;
    let Value::Object(object) = value else {
        fields.fault(&[name.into()], ("dict_type", "Input should be a valid dictionary"), value);
        return None;
    };
    let mut inner = fields.inside(object, &[name.into()]);
    let request = table.fill(&mut inner);
    // Faults inside the object come first.
    fields.faults.splice(0..0, inner.faults);
    Some(request)
}

/// A parsed body.
pub(crate) struct Body<R> {
    /// The request that its fields filled.
    pub(crate) request: R,
    /// The faults found so far.
    pub(crate) faults: Vec<ValidationErrorDetail>,
    /// Its fields as sent.
    pub(crate) named: NamedBody,
    shape: &'static Shape,
}

impl<R> Body<R> {
    /// The validated value, or all faults of the body.
    ///
    /// # Errors
    /// 422 with every fault, in the order of the table.
    pub(crate) fn or_problem<T>(&self, validated: Result<T, Vec<FieldError>>) -> Result<T, Problem> {
        or_problem(validated, self.faults.clone(), &self.named, self.shape.fields())
    }

    /// Examines the fields again, and keeps the faults that `at` finds.
    pub(crate) fn look(&mut self, at: impl FnOnce(&mut Fields<'_>)) {
        let mut fields = Fields::new(&self.named.json);
        at(&mut fields);
        self.faults.extend(fields.faults);
    }

    /// The fault of a field that shows only outside the body.
    pub(crate) fn fault(&self, field: &str, error: String) -> Problem {
        let faults = vec![value_error(field, error, self.named.json.get(field).unwrap_or(&Value::Null))];
        Problem::invalid(self.named.at_sent_keys(faults))
    }

    /// The same in a field of an entry of the list `list`.
    pub(crate) fn fault_in(&self, list: &str, (index, field): (usize, &str), error: String) -> Problem {
        let value = self.named.json.get(list).and_then(|list| list.get(index)?.get(field)).unwrap_or(&Value::Null);
        let faults = vec![value_error(&format!("{list}.{index}.{field}"), error, value)];
        Problem::invalid(self.named.at_sent_keys(faults))
    }
}

/// Declares a table, and a type that represents it where a route's documentation names its body. The rows are those of [`rows`], or groups
/// of such rows in brackets.
macro_rules! body_table {
    ($(#[doc = $about:literal])+ $vis:vis $table:ident: $request:ty, $body:ident as $name:literal, example $example:tt, {$($rows:tt)+}) => {
        $crate::inputs::body_table::body_table! {
            $(#[doc = $about])+
            $vis $table: $request, $body as $name, example $example, [&$crate::inputs::body_table::rows! { $request; $($rows)+ }]
        }
    };
    ($(#[doc = $about:literal])+ $vis:vis $table:ident: $request:ty, $body:ident as $name:literal, example $example:tt, [$($rows:tt)+]) => {
        $(#[doc = $about])+
        $vis static $table: $crate::inputs::body_table::Table<$request> =
            $crate::inputs::body_table::Table::new($name, concat!($($about),+), || serde_json::json!($example), &[$($rows)+]);

        #[doc = concat!("[`", stringify!($table), "`] in /openapi.json.")]
        pub(crate) enum $body {}

        impl utoipa::PartialSchema for $body {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                serde_json::from_value($table.facts().schema.clone()).unwrap_or_default()
            }
        }

        impl utoipa::ToSchema for $body {
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                let schema = |schema: &serde_json::Value| serde_json::from_value(schema.clone()).unwrap_or_default();
                schemas.extend($table.facts().referred().into_iter().map(|(name, value)| (name.to_owned(), schema(value))));
            }
        }
    };
}
pub(crate) use body_table;

/// Rows for a request type: each has a description, the field's name, its [`Kind`], and calls of further [`Row`] methods.
macro_rules! rows {
    ($request:ty; $($(#[doc = $about:literal])* $name:ident: $kind:ident($($value:tt)*) $(.$method:ident($($argument:tt)*))*),+ $(,)?) => {
        [$($crate::inputs::body_table::Row::<$request>::new(
            stringify!($name),
            concat!($($about),*),
            $crate::inputs::body_table::Kind::$kind($($value)*),
        )$(.$method($($argument)*))*),+]
    };
}
pub(crate) use rows;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Order {
        name: Option<String>,
        count: Option<i128>,
        gift: Option<bool>,
        inner: Option<Inner>,
    }

    #[derive(Default)]
    struct Inner {
        weight: Option<f64>,
        seed: Option<i128>,
    }

    static INNER: Table<Inner> = Table::new(
        "Inner",
        "What is inside.",
        || Value::Null,
        &[&rows! { Inner;
            /// How heavy it is.
            weight: Number((0.0, 1.5), |r| &mut r.weight).checked(),
            seed: Seed(9, |r| &mut r.seed),
        }],
    );

    body_table! {
        /// What is ordered, and
        /// how.
        ORDER: Order, OrderBody as "Order",
        example {"name": "a"},
        {
            /// Its name.
            name: Text(|r| &mut r.name).required().checked().length(1, 3),
            /// How many.
            count: Whole((1, 5), |r| &mut r.count).or(|| 2.into()),
            gift: Truth(|r| &mut r.gift),
            inner: Object(|r, fields, name| r.inner = nested(fields, name, &INNER)).inside(|| INNER.facts()),
            sampler: Silent(|_, _, _| {}),
        }
    }

    fn read(json: Value) -> Body<Order> {
        ORDER.read(json.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn rows_fill_a_request() {
        let Body { request, faults, named, .. } =
            read(json!({"name": "abc", "count": "7", "gift": "yes", "inner": {"weight": 1.5, "seed": -1}, "sampler": 1, "colour": 1}));
        assert_eq!((request.name.as_deref(), request.count, request.gift, faults.len()), (Some("abc"), Some(7), Some(true), 0));
        assert_eq!(request.inner.map(|inner| (inner.weight, inner.seed)), Some((Some(1.5), None)), "a seed of -1 is none yet");
        assert_eq!(named.ignored.into_iter().map(|ignored| ignored.field).collect::<Vec<_>>(), ["colour"]);
    }

    #[test]
    fn faults_come_from_types_and_from_checked_rows() {
        for (json, kinds) in [
            (json!({}), &[("name", "missing")] as &[_]),
            (json!({"name": null}), &[("name", "string_type")]),
            (json!({"name": " "}), &[("name", "string_too_short")]),
            (json!({"name": "abcd", "count": 6}), &[("name", "string_too_long")]),
            (json!({"count": [], "name": "a"}), &[("count", "int_type")]),
            (json!({"name": "a", "inner": 5}), &[("inner", "dict_type")]),
            (
                json!({"name": 5, "inner": {"weight": 2, "seed": "x"}}),
                &[("weight", "less_than_equal"), ("seed", "int_parsing"), ("name", "string_type")],
            ),
        ] {
            let found = read(json.clone()).faults;
            let found: Vec<_> =
                found.iter().map(|fault| (fault.loc.last().and_then(Value::as_str).unwrap_or_default(), fault.kind.as_str())).collect();
            assert_eq!(found, kinds, "{json}");
        }
    }

    #[test]
    fn rows_are_the_schema() {
        let properties = json!({
            "name": {"type": "string", "description": "Its name.", "minLength": 1, "maxLength": 3},
            "count": {"type": ["integer", "null"], "format": "int64", "description": "How many.", "minimum": 1, "maximum": 5, "default": 2},
            "gift": {"type": ["boolean", "null"], "default": false},
            "inner": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Inner"}]},
        });
        let expected = json!({
            "type": "object", "description": "What is ordered, and how.", "required": ["name"], "properties": properties,
            "example": {"name": "a"},
        });
        assert_eq!(ORDER.facts().schema, expected);
        // utoipa parses it to the same schema, except for the format of numbers.
        let schema = serde_json::to_value(<OrderBody as utoipa::PartialSchema>::schema()).unwrap_or_default();
        assert_eq!(schema, expected);
        let referred: Vec<_> = ORDER.facts().referred().into_iter().map(|(name, _)| name).collect();
        assert_eq!((<OrderBody as utoipa::ToSchema>::name().as_ref(), referred), ("Order", vec!["Inner"]));
    }
}
