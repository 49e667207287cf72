//! Converts one JSON value, or one text of a query or header, as pydantic 2 does in its lax mode: FastAPI's clients rely on it.
//!
//! It must not know fields. `tests/golden/scalars.json` has pydantic's results for 167 values, which this is tested against: "5.0", " 5 ",
//! "1_000", "+5", 5.0 and true are whole numbers, and so are a few surprising texts. The differences are deliberate: a number that is not
//! finite is refused as such for every type, and a whole number beyond 128 bits saturates, which is beyond every limit.

use serde_json::{Number, Value};

/// A pydantic rule's name and its sentence.
pub(crate) type TypeFault = (&'static str, &'static str);

/// The fault of a number that is infinite or NaN.
pub(crate) const NOT_FINITE: TypeFault = ("finite_number", "Input should be a finite number");

/// The maximum number of digits that Python converts to an integer.
const MOST_DIGITS: usize = 4300;

pub(crate) fn string(value: &Value) -> Result<String, TypeFault> {
    value.as_str().map(str::to_owned).ok_or(("string_type", "Input should be a valid string"))
}

pub(crate) fn integer(value: &Value) -> Result<i128, TypeFault> {
    match value {
        Value::Bool(truth) => Ok((*truth).into()),
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            // A cast from float saturates.
            (None, Some(float)) if float.fract() == 0.0 => Ok(float as i128),
            (None, _) => Err(("int_from_float", "Input should be a valid integer, got a number with a fractional part")),
        },
        Value::String(text) => match digits(text.trim()) {
            None => Err(("int_parsing", "Input should be a valid integer, unable to parse string as an integer")),
            Some((_, digits)) if digits.len() > MOST_DIGITS => {
                Err(("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"))
            }
            // Digits fail to parse only if there are too many.
            Some((true, digits)) => Ok(format!("-{digits}").parse().unwrap_or(i128::MIN)),
            Some((false, digits)) => Ok(digits.parse().unwrap_or(i128::MAX)),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(("int_type", "Input should be a valid integer")),
    }
}

/// The sign and the digits of a text with a whole number. A decimal point may be followed by zeros, and single underscores may separate
/// digits; among leading zeros there may be several in a row.
fn digits(text: &str) -> Option<(bool, String)> {
    let (is_negative, unsigned) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => (false, text),
    };
    let whole = match unsigned.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => unsigned,
    };
    let significant = match whole.trim_start_matches(['0', '_']) {
        "" if whole.ends_with('0') => "0",
        significant if whole.starts_with('0') => significant,
        _ => whole,
    };
    let mut groups = significant.split('_');
    let is_number = groups.all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    (is_number && !whole.starts_with('_')).then(|| (is_negative, significant.replace('_', "")))
}

pub(crate) fn float(value: &Value) -> Result<f64, TypeFault> {
    let float = match value {
        Value::Bool(truth) => f64::from(*truth),
        Value::Number(number) => number.as_f64().unwrap_or(f64::INFINITY),
        Value::String(text) => text
            .trim()
            .parse()
            .ok()
            .or_else(|| text.split('_').all(|group| !group.is_empty()).then(|| text.replace('_', "").parse().ok())?)
            .ok_or(("float_parsing", "Input should be a valid number, unable to parse string as a number"))?,
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(("float_type", "Input should be a valid number")),
    };
    if float.is_finite() { Ok(float) } else { Err(NOT_FINITE) }
}

pub(crate) fn boolean(value: &Value) -> Result<bool, TypeFault> {
    let unreadable = Err(("bool_parsing", "Input should be a valid boolean, unable to interpret input"));
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => match whole(number) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => unreadable,
            None => Err(NOT_BOOLEAN),
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" | "t" | "y" => Ok(true),
            "false" | "0" | "off" | "no" | "f" | "n" => Ok(false),
            _ => unreadable,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(NOT_BOOLEAN),
    }
}

const NOT_BOOLEAN: TypeFault = ("bool_type", "Input should be a valid boolean");

/// The number as a 64-bit integer, if it is whole.
fn whole(number: &Number) -> Option<i64> {
    let of_float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2_f64.powi(63)).map(|float| float as i64);
    number.as_i64().or_else(of_float)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Map, json};

    use super::*;
    use crate::inputs::{fields::Fields, non_finite};

    /// The result for a value: its text as Python writes it, or a rule and its sentence.
    type Outcome = Result<String, (String, String)>;

    fn ours<T>(value: &Value, read: fn(&Value) -> Result<T, TypeFault>, written: fn(T) -> String) -> Outcome {
        let object = Map::from_iter([("x".to_owned(), value.clone())]);
        let mut fields = Fields::of(&object, "query");
        fields.required("x", read).map(written).ok_or_else(|| (fields.faults[0].kind.clone(), fields.faults[0].msg.clone()))
    }

    fn pydantics(row: &Value, name: &str) -> Outcome {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        if row[name].is_string() { Ok(text(&row[name])) } else { Err((text(&row[name][0]), text(&row[name][1]))) }
    }

    /// Rust writes exponents differently than Python, and serde_json reads the integer -0 as a float.
    fn written(float: f64) -> String {
        format!("{:?}", float + 0.0)
    }

    fn not_finite() -> Outcome {
        Err((NOT_FINITE.0.into(), NOT_FINITE.1.into()))
    }

    #[test]
    fn values_are_read_as_pydantic_reads_them() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/scalars.json")).unwrap();
        let rows = golden["rows"].as_array().unwrap();
        assert!(rows.len() > 160);
        let (mut differ, mut deliberate) = (Vec::new(), 0);
        for row in rows {
            let text = row["input"].as_str().unwrap();
            let value = match row["from"].as_str().unwrap() {
                "query" => json!(text),
                _ => serde_json::from_str(text).unwrap_or_else(|_| non_finite::parse_with_markers(text.as_bytes()).unwrap()),
            };
            for (name, found) in [
                ("int", ours(&value, integer, |integer| integer.to_string())),
                ("float", ours(&value, float, written)),
                ("bool", ours(&value, boolean, |truth| if truth { "True" } else { "False" }.to_owned())),
                ("str", ours(&value, string, |text| text)),
            ] {
                let mut expected = pydantics(row, name);
                if let (Ok(float), "float") = (&expected, name) {
                    expected = Ok(written(float.parse().unwrap()));
                }
                let is_beyond = |outcome: &Outcome| outcome.as_ref().is_ok_and(|digits| digits.trim_start_matches('-').len() > 19);
                let is_deliberate = match name {
                    _ if found == not_finite() => {
                        non_finite::literal(&value).is_some()
                            || expected.as_ref().is_ok_and(|text| !text.parse::<f64>().unwrap().is_finite())
                    }
                    // Whole numbers beyond every limit in both: serde_json reads those beyond 64 bits as floats.
                    "int" => {
                        is_beyond(&found) && (is_beyond(&expected) || expected.as_ref().is_err_and(|(kind, _)| kind == "int_parsing_size"))
                    }
                    _ => false,
                };
                deliberate += usize::from(found != expected && is_deliberate);
                if found != expected && !is_deliberate {
                    differ.push(format!("{name} of {value}: {found:?}, pydantic {expected:?}"));
                }
            }
        }
        assert!(differ.is_empty(), "{}", differ.join("\n"));
        assert_eq!(deliberate, 26, "values");
    }

    #[test]
    fn a_text_of_too_many_digits_is_no_number() {
        let of = |digits: usize| integer(&"9".repeat(digits).into());
        assert_eq!((of(MOST_DIGITS), of(MOST_DIGITS + 1).unwrap_err().0), (Ok(i128::MAX), "int_parsing_size"));
        assert_eq!(integer(&format!("-{}", "9".repeat(41)).into()), Ok(i128::MIN));
        assert_eq!(integer(&format!("{}5", "0".repeat(2 * MOST_DIGITS)).into()), Ok(5));
    }
}
