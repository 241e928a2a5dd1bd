//! JSON that is not the message it claims to be: each field left out, doubled, of another type, out of range.

use serde_json::Value;

/// What is done to one field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    /// It is not there.
    Without,
    /// It is there twice.
    Twice,
    /// It is there twice, spelt in another way.
    TwiceEscaped,
    /// It says this instead.
    Says(&'a [u8]),
    /// Beside it is one that nobody knows.
    Beside,
}

/// What a field can be made to say that no field of ours says.
pub(super) const SAYINGS: [(&str, &[u8]); 16] = [
    ("null", b"null"),
    ("yes", b"true"),
    ("0", b"0"),
    ("less than 0", b"-1"),
    ("a fraction", b"1.5"),
    ("a number out of range", b"18446744073709551616"),
    ("a number beyond all", b"1e999"),
    ("a word", b"\"x\""),
    ("no word", b"\"\""),
    ("a control character", b"\"a\\u0000b\""),
    ("half a character", b"\"\\ud800\""),
    ("no UTF-8", b"\"\xFF\xFE\""),
    ("a raw line break", b"\"a\nb\""),
    ("an empty list", b"[]"),
    ("a list", b"[[1]]"),
    ("an object", b"{\"a\":1}"),
];

/// The places of all fields, the outermost first.
pub(super) fn fields(value: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let Value::Object(map) = value else { return found };
    for (name, inner) in map {
        found.push(vec![name.clone()]);
        found.extend(fields(inner).into_iter().map(|mut path| {
            path.insert(0, name.clone());
            path
        }));
    }
    found
}

/// The text of `value` with `change` at `path`.
pub(super) fn changed(value: &Value, path: &[String], change: Change<'_>) -> Vec<u8> {
    let Value::Object(map) = value else { panic!("no such field") };
    let (here, deeper) = path.split_first().unwrap();
    let mut written: Vec<Vec<u8>> = Vec::new();
    let field = |name: &str, text: &[u8]| [format!("\"{name}\":").as_bytes(), text].concat();
    for (name, inner) in map {
        let text = serde_json::to_vec(inner).unwrap();
        if name != here {
            written.push(field(name, &text));
            continue;
        }
        if !deeper.is_empty() {
            written.push(field(name, &changed(inner, deeper, change)));
            continue;
        }
        match change {
            Change::Without => {}
            Change::Twice => written.extend([field(name, &text), field(name, &text)]),
            Change::TwiceEscaped => {
                let first = u32::from(name.chars().next().unwrap());
                let escaped = format!("\\u{first:04x}{}", &name[1..]);
                written.extend([field(name, &text), field(&escaped, &text)]);
            }
            Change::Says(text) => written.push(field(name, text)),
            Change::Beside => written.extend([field(name, &text), field(&format!("{name}-too"), b"1")]),
        }
    }
    [b"{", written.join(&b',').as_slice(), b"}"].concat()
}
