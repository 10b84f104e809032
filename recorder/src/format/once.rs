//! JSON objects whose members are there once, at every depth: a second one would be read by one verifier and
//! not by the next.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON object on one line with nothing around it (FORMAT.md 4): members that nobody names are judged by
/// the same rules as those that somebody does. Returns nothing where a rule does not hold.
pub fn line<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let json = std::str::from_utf8(bytes).ok()?;
    if json.bytes().any(|b| b < 0x20) || !json.starts_with('{') || !json.ends_with('}') {
        return None;
    }
    serde_json::from_str::<Once>(json).ok()?;
    serde_json::from_str(json).ok()
}

/// Reads a member that must be there, and may be null.
///
/// # Errors
/// When it is of another type.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Reads a member that may be absent, but not null.
///
/// # Errors
/// When it is null or of another type.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads an object.
///
/// # Errors
/// When a member is there twice.
pub fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    match Once::deserialize(deserializer)?.0 {
        Value::Object(map) => Ok(map),
        _ => Err(de::Error::custom("not an object")),
    }
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Once(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((name, Once(value))) = map.next_entry::<String, Once>()? {
            if values.insert(name, value).is_some() {
                return Err(de::Error::custom("a member is there twice"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_with_nothing_around_it() {
        let read = |text: &str| line::<Map<String, Value>>(text.as_bytes()).is_some();
        let deep = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        for good in ["{}", r#"{ "a" : 1 }"#, r#"{"a":1e308,"b":"\ud83d\ude00"}"#, &deep(127)] {
            assert!(read(good), "{good}");
        }
        for bad in [
            " {}",
            "{} ",
            "{}\n",
            "{\"a\":\t1}",
            "[]",
            r#"{"a":1e999}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":"\ud800"}"#,
            &deep(128),
        ] {
            assert!(!read(bad), "{bad}");
        }
        assert!(line::<Map<String, Value>>(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn a_member_is_there_once_at_every_depth() {
        let read = |text: &str| map(&mut serde_json::Deserializer::from_str(text));
        let text = r#"{"a":[{"b":null,"c":-1.5}],"b":{"b":"x"}}"#;
        assert_eq!(Value::Object(read(text).unwrap()).to_string(), text);
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":[{"b":1,"b":2}]}"#, "[]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
