//! A value inside a stored spec as text, by its `Display` and `FromStr`, for fields with `#[serde(with = "stored_text")]`, or
//! `stored_text::option` for an optional value, `stored_text::list` for a list, `stored_text::option_list` for an optional one.
//!
//! It must not know the values. Invariant: reading accepts the same texts as user input; any other text is an error.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize as _, Deserializer, Serializer, de};

pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// For a field of type [`Option`].
pub(crate) mod option {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

/// For a field of type [`Vec`].
pub(crate) mod list {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}

/// For a field of type [`Option`] of a [`Vec`].
pub(crate) mod option_list {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &Option<Vec<T>>, serializer: S) -> Result<S::Ok, S::Error> {
        match values {
            Some(values) => super::list::serialize(values, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(deserializer)?;
        texts.map(|texts| texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()).transpose()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde::{Deserialize, Serialize};
    use video_encode::FrameRate;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Rates {
        #[serde(with = "super")]
        fps: FrameRate,
        #[serde(with = "super::option")]
        other: Option<FrameRate>,
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::list")]
        more: Vec<FrameRate>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "super::option_list")]
        some: Option<Vec<FrameRate>>,
    }

    #[test]
    fn values_round_trip_as_text() {
        let fps = FrameRate::new(30_000, 1001).unwrap();
        for (other, text) in [
            (None, r#"{"fps":"30000/1001","other":null}"#),
            (Some(fps), r#"{"fps":"30000/1001","other":"30000/1001","more":["30000/1001"],"some":["30000/1001"]}"#),
        ] {
            let rates = Rates { fps, other, more: other.into_iter().collect(), some: other.map(|rate| vec![rate]) };
            assert_eq!(serde_json::to_string(&rates).unwrap(), text);
            assert_eq!(serde_json::from_str::<Rates>(text).unwrap(), rates);
        }
        assert!(serde_json::from_str::<Rates>(r#"{"fps":"fast","other":null}"#).is_err());
        assert!(serde_json::from_str::<Rates>(r#"{"fps":"24","other":"0/0"}"#).is_err());
    }
}
