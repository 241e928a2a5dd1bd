//! One flat JSON object of texts and whole numbers: everything that is said to and by the PAM module.
//!
//! The module is loaded into every program that calls PAM. A parser for all of JSON, with the code that is derived
//! for each struct, is a sixth of its size; this is the part of JSON that a login needs, and the rest is refused.

use std::str::Chars;

use zeroize::Zeroizing;

/// The fields of an object that came in, to be taken out one by one.
pub(super) struct Flat {
    fields: Vec<(String, Value)>,
}

enum Value {
    Text(String),
    Number(u64),
}

impl Flat {
    /// Reads an object; `None` if it is anything else, holds anything else, or a field twice.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: std::str::from_utf8(bytes).ok()?.chars() };
        let fields = reader.object()?;
        reader.skip_space();
        reader.rest.next().is_none().then_some(Self { fields })
    }

    /// Takes a text out. What is not a text stays, and is then one field too many.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at =
            self.fields.iter().position(|(field, value)| field == name && matches!(value, Value::Text(_)))?;
        match self.fields.swap_remove(at) {
            (_, Value::Text(text)) => Some(text),
            (_, Value::Number(_)) => None,
        }
    }

    /// Takes a number out. What is not a number stays.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        let is_it = |(field, value): &(String, Value)| field == name && matches!(value, Value::Number(_));
        let at = self.fields.iter().position(is_it)?;
        match self.fields.swap_remove(at) {
            (_, Value::Number(number)) => Some(number),
            (_, Value::Text(_)) => None,
        }
    }

    /// Takes a text out and reads it. One that cannot be read stays.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        let parsed = match self.fields.get(at) {
            Some((_, Value::Text(text))) => text.parse().ok()?,
            _ => return None,
        };
        self.fields.swap_remove(at);
        Some(parsed)
    }

    /// Whether everything was taken out.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

struct Reader<'a> {
    rest: Chars<'a>,
}

impl Reader<'_> {
    fn object(&mut self) -> Option<Vec<(String, Value)>> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        self.skip_space();
        self.take('{')?;
        self.skip_space();
        if self.take('}').is_some() {
            return Some(fields);
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            if fields.iter().any(|(field, _)| *field == name) {
                return None;
            }
            self.skip_space();
            self.take(':')?;
            self.skip_space();
            let value = if self.is_next('"') { Value::Text(self.text()?) } else { self.number()? };
            fields.push((name, value));
            self.skip_space();
            match self.rest.next()? {
                ',' => {}
                '}' => return Some(fields),
                _ => return None,
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            let c = match self.rest.next()? {
                '"' => return Some(text),
                '\\' => self.escaped()?,
                c if c < ' ' => return None,
                c => c,
            };
            text.push(c);
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.rest.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => match self.unit()? {
                // Beyond the first 65,536 characters two units make one (RFC 8259, section 7).
                first @ 0xD800..=0xDBFF => {
                    self.take('\\')?;
                    self.take('u')?;
                    let second = self.unit().filter(|second| (0xDC00..=0xDFFF).contains(second))?;
                    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?
                }
                unit => char::from_u32(unit)?,
            },
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.rest.next()?.to_digit(16)?;
        }
        Some(unit)
    }

    /// As JSON writes it: no sign, no leading zero; a fraction or an exponent is refused by what must follow.
    fn number(&mut self) -> Option<Value> {
        if self.take('0').is_some() {
            return Some(Value::Number(0));
        }
        let mut number = u64::from(self.digit()?);
        while let Some(digit) = self.digit() {
            number = number.checked_mul(10)?.checked_add(digit.into())?;
        }
        Some(Value::Number(number))
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.rest.clone().next()?.to_digit(10)?;
        self.rest.next();
        Some(digit)
    }

    fn skip_space(&mut self) {
        while self.rest.clone().next().is_some_and(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            self.rest.next();
        }
    }

    fn is_next(&self, wanted: char) -> bool {
        self.rest.clone().next() == Some(wanted)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.is_next(wanted).then(|| self.rest.next()).map(drop)
    }
}

/// An object to be sent.
pub(super) struct Writer(String);

impl Writer {
    /// Its first field, which names what it is.
    pub(super) fn new(name: &str, value: &str) -> Self {
        let mut writer = Self(String::with_capacity(256));
        writer.field('{', name, value);
        writer
    }

    /// One more.
    #[must_use]
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.field(',', name, value);
        self
    }

    /// One more, if there is one.
    #[must_use]
    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// The whole object. A person may have typed what is in it: it is wiped when it goes.
    pub(super) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        self.0.push('}');
        Zeroizing::new(self.0.into_bytes())
    }

    fn field(&mut self, before: char, name: &str, value: &str) {
        self.0.push(before);
        self.quoted(name);
        self.0.push(':');
        self.quoted(value);
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            let short = match c {
                '"' | '\\' => c,
                '\u{8}' => 'b',
                '\u{C}' => 'f',
                '\n' => 'n',
                '\r' => 'r',
                '\t' => 't',
                c if c < ' ' => {
                    self.0.push_str(if c < '\u{10}' { "\\u000" } else { "\\u001" });
                    self.0.extend(char::from_digit(u32::from(c) % 16, 16));
                    continue;
                }
                c => {
                    self.0.push(c);
                    continue;
                }
            };
            self.0.push('\\');
            self.0.push(short);
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What a parser for all of JSON takes for the same.
    fn everybody(bytes: &[u8]) -> Option<BTreeMap<String, serde_json::Value>> {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
        Some(fields.into_iter().collect())
    }

    fn ours(bytes: &[u8]) -> Option<BTreeMap<String, serde_json::Value>> {
        let fields = Flat::read(bytes)?.fields;
        let value = |value| match value {
            Value::Text(text) => text.into(),
            Value::Number(number) => number.into(),
        };
        Some(fields.into_iter().map(|(name, field)| (name, value(field))).collect())
    }

    fn is_flat(fields: &BTreeMap<String, serde_json::Value>) -> bool {
        fields.values().all(|value| value.is_string() || value.is_u64())
    }

    proptest! {
        #[test]
        fn a_flat_object_is_read_as_everybody_reads_it(
            fields in proptest::collection::btree_map(
                any::<String>(),
                prop_oneof![
                    any::<String>().prop_map(serde_json::Value::from),
                    any::<u64>().prop_map(serde_json::Value::from),
                ],
                0..6,
            ),
            is_pretty in any::<bool>(),
        ) {
            let bytes = if is_pretty { serde_json::to_vec_pretty(&fields) } else { serde_json::to_vec(&fields) };
            prop_assert_eq!(ours(&bytes.unwrap()), Some(fields));
        }

        #[test]
        fn what_is_read_at_all_is_read_as_everybody_reads_it(text in "[\\{\\}\\[\\]\",:\\\\ntu0-9a-dD.e+ \n-]{0,40}") {
            if let Some(read) = ours(text.as_bytes()) {
                prop_assert_eq!(everybody(text.as_bytes()), Some(read));
            }
        }

        #[test]
        fn a_flat_object_with_a_byte_changed_is_read_the_same_or_not_at_all(at in 0_usize..60, byte in any::<u8>()) {
            let mut bytes = br#" {"reply":"note","n\u00e9\ud83d\ude00" : 18446744073709551615}"#.to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let (ours, everybody) = (ours(&bytes), everybody(&bytes));
            match ours {
                Some(read) => prop_assert_eq!(everybody, Some(read)),
                None => prop_assert!(!everybody.is_some_and(|fields| is_flat(&fields))),
            }
        }

        #[test]
        fn what_is_written_is_written_as_everybody_writes_it(name in any::<String>(), value in any::<String>()) {
            let written = Writer::new(&name, &value).finish();
            let fields = BTreeMap::from([(name, value)]);
            prop_assert_eq!(written.as_slice(), serde_json::to_vec(&fields).unwrap());
        }
    }

    #[test]
    fn what_is_not_a_flat_object_is_refused() {
        for text in [
            "",
            "{",
            "{}}",
            "{} {}",
            "null",
            "[]",
            "\"a\"",
            "7",
            r#"{"a":null}"#,
            r#"{"a":true}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":-1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e3}"#,
            r#"{"a":01}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":"b}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\ud800\u0041"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\u12"}"#,
            "{\"a\":\"\n\"}",
            r#"{a:1}"#,
        ] {
            assert!(Flat::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Flat::read(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn a_field_of_another_kind_stays_and_is_one_too_many() {
        let mut flat = Flat::read(br#"{"a":"1","b":2}"#).unwrap();
        assert_eq!((flat.number("a"), flat.text("b"), flat.parsed::<u64>("b")), (None, None, None));
        assert!(!flat.is_empty());
        assert_eq!((flat.parsed::<u64>("a"), flat.number("b")), (Some(1), Some(2)));
        assert!(flat.is_empty());
    }
}
