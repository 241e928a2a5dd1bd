//! JSON in which nothing is said twice: of two fields with one name the receiver would take one, and whoever checked it
//! before perhaps the other.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads any value, but none with two fields of one name, or nested deeper than [`DEEPEST`].
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Distinct { left: DEEPEST }.deserialize(deserializer)
}

/// A body of ours nests six deep.
const DEEPEST: usize = 16;

#[derive(Clone, Copy)]
struct Distinct {
    left: usize,
}

impl Distinct {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(within)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let within = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a field is there twice"));
            }
            let value = fields.next_value_seed(within)?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = value(&mut reader)?;
        reader.end().map(|()| read)
    }

    #[test]
    fn what_is_said_once_reads_as_it_always_did() {
        for text in
            ["null", "[]", "{}", "[1,-1,1.5,true,\"\\u00e9\",[{}]]", "{\"a\":{\"a\":1},\"b\":[{\"a\":2}]}"]
        {
            assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_however_deep_and_however_spelt() {
        for text in ["{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}", "[{\"b\":{\"a\":1,\"c\":0,\"a\":1}}]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        assert!(read(&format!("{}{}", "[".repeat(16), "]".repeat(16))).is_ok());
        assert!(read(&format!("{}{}", "[".repeat(17), "]".repeat(17))).is_err());
    }
}
