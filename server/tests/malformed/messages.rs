//! The message around the body: fields, spellings, JSON that is none.

use serde_json::Value;

use super::json::{Change, SAYINGS, changed};
use super::{Kind, kind};

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = whole_messages();
    kinds.extend(words());
    kinds
}

/// The message around the body.
fn whole_messages() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for name in ["v", "type", "id", "time", "audience", "body"] {
        let path = || vec![name.to_owned()];
        let mut add = |what: String, classes: &'static [&'static str], change: Change<'static>| {
            let path = path();
            kinds.push(kind(format!("a message {what}"), classes, move |stage| {
                let message = serde_json::to_value(stage.message()).unwrap();
                stage.carrying(&changed(&message, &path, change))
            }));
        };
        add(format!("without {name}"), &["Malformed"], Change::Without);
        add(format!("with {name} twice"), &["Malformed"], Change::Twice);
        add(format!("with {name} twice, once escaped"), &["Malformed"], Change::TwiceEscaped);
        add(format!("with another {name} beside it"), &["Malformed"], Change::Beside);
        for (what, text) in SAYINGS {
            let class: &'static [&'static str] = match name {
                "body" if serde_json::from_slice::<Value>(text).is_ok() => &["Body"],
                _ => &["Malformed"],
            };
            add(format!("with {name} saying {what}"), class, Change::Says(text));
        }
    }
    type Made = fn(&[u8]) -> Vec<u8>;
    let texts: [(&str, Made); 22] = [
        ("after a byte order mark", |text| [b"\xEF\xBB\xBF", text].concat()),
        ("after a space", |text| [b" ", text].concat()),
        ("before a zero", |text| [text, b"\0"].concat()),
        ("before another", |text| [text, text].concat()),
        ("before a word", |text| [text, b" x"].concat()),
        ("in a list", |text| [b"[", text, b"]"].concat()),
        ("in a string", |text| serde_json::to_vec(&String::from_utf8_lossy(text)).unwrap()),
        ("without its end", |text| text[..text.len() - 1].to_vec()),
        ("without its beginning", |text| text[1..].to_vec()),
        ("half of it", |text| text[..text.len() / 2].to_vec()),
        ("with a comma too many", |text| [&text[..text.len() - 1], b",}"].concat()),
        ("with a comment", |text| [&text[..text.len() - 1], b"/**/}"].concat()),
        ("in single quotes", |text| String::from_utf8_lossy(text).replace('"', "'").into_bytes()),
        ("in UTF-16", |text| text.iter().flat_map(|byte| [*byte, 0]).collect()),
        ("as a list of its values", |text| {
            let value: Value = serde_json::from_slice(text).unwrap();
            let in_order = ["v", "type", "id", "time", "audience"];
            let mut list: Vec<Value> = in_order.iter().map(|name| value[name].clone()).collect();
            list.extend([Value::Null, Value::Null, value["body"].clone()]);
            serde_json::to_vec(&list).unwrap()
        }),
        ("nothing at all", |_| Vec::new()),
        ("null", |_| b"null".to_vec()),
        ("a number", |_| b"1".to_vec()),
        ("an empty object", |_| b"{}".to_vec()),
        ("an empty list", |_| b"[]".to_vec()),
        ("deep lists", |_| [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("deep objects", |_| [b"{\"a\":".repeat(50_000), b"1".to_vec(), b"}".repeat(50_000)].concat()),
    ];
    for (what, made) in texts {
        kinds.push(kind(format!("a message {what}"), &["Malformed"], move |stage| {
            stage.carrying(&made(&stage.literal()))
        }));
    }
    for depth in [14, 16, 17, 100, 127, 128, 1000] {
        kinds.push(kind(format!("a body {depth} lists deep"), &["Malformed", "Body"], move |stage| {
            let mut text = stage.literal();
            let deep = format!(",\"body\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let body = String::from_utf8(text.clone()).unwrap().find(",\"body\"").unwrap();
            text.truncate(body);
            stage.carrying(&[text, deep.into_bytes()].concat())
        }));
    }
    kinds.push(kind("a body as a list of its values".into(), &["Body"], |stage| {
        let mut message = serde_json::to_value(stage.message()).unwrap();
        message["body"] = serde_json::json!([1_u64 << 40, 0, [], []]);
        stage.carrying(&serde_json::to_vec(&message).unwrap())
    }));
    kinds
}

/// Times, ids and names in a spelling that is not theirs.
fn words() -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |name: &'static str, text: String, classes: &'static [&'static str]| {
        kinds.push(kind(format!("{name} as {text:?}"), classes, move |stage| {
            let mut message = serde_json::to_value(stage.message()).unwrap();
            message[name] = text.clone().into();
            stage.carrying(&serde_json::to_vec(&message).unwrap())
        }));
    };
    for time in [
        "2026-11-22T17:30:00",
        "2026-11-22T17:30:00.0Z",
        "2026-11-22T17:30:00+00:00",
        "2026-11-22T17:30:00z",
        "2026-11-22t17:30:00Z",
        "2026-11-22 17:30:00Z",
        "2026-11-22T17:30:60Z",
        "2026-11-22T24:00:00Z",
        "2026-13-22T17:30:00Z",
        "2026-11-31T17:30:00Z",
        "2026-02-29T00:00:00Z",
        "+2026-11-22T17:30:00Z",
        "99999-11-22T17:30:00Z",
        "2026-11-22T17:30Z",
        "2026-1-2T17:30:00Z",
        "1795000000",
        "now",
        "2026-W47-7T17:30:00Z",
    ] {
        add("time", time.into(), &["Malformed"]);
    }
    for time in
        ["0000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2106-02-07T06:28:15Z", "9999-12-31T23:59:59Z"]
    {
        add("time", time.into(), &["Malformed", "Skew"]);
    }
    for id in [
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0x23456789abcdef0123456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef 123456789abcdef",
        "\u{0660}123456789abcdef0123456789abcde",
        "g123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdeF",
    ] {
        add("id", id.into(), &["Malformed"]);
    }
    for audience in ["0", "0123", "0123456789ABCDEF0123456789ABCDEF0123456G", "XYZ"] {
        add("audience", audience.into(), &["Malformed"]);
    }
    for length in [40, 64] {
        add("audience", "0".repeat(length), &["Audience"]);
        add("audience", "F".repeat(length), &["Audience"]);
    }
    for length in [39, 41, 42, 62, 63, 65, 66, 128, 5000] {
        add("audience", "A".repeat(length), &["Malformed"]);
    }
    for word in [
        "",
        "hello ",
        "Hello",
        "HELLO",
        "check-in",
        "instance_check_in",
        "InstanceCheckIn",
        "job",
        "refusal-reply",
        "\u{0}",
    ] {
        add("type", word.into(), &["Malformed"]);
    }
    for version in ["0", "2", "3", "255", "256", "1.0", "\"1\"", "[1]", "1e0", "-1"] {
        kinds.push(kind(format!("version {version}"), &["Malformed"], move |stage| {
            let message = serde_json::to_value(stage.message()).unwrap();
            stage.carrying(&changed(&message, &["v".to_owned()], Change::Says(version.as_bytes())))
        }));
    }
    kinds
}
