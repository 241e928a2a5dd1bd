//! `[sms]`: the gateway that takes short messages, by HTTP.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Unfit;
use super::mail::is_this_machine;

/// The gateway that takes short messages, by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Where it listens.
    pub url: String,
    /// How it is asked.
    #[serde(default)]
    pub method: HttpMethod,
    /// What the body is: JSON, or a form.
    #[serde(default)]
    pub format: Format,
    /// The body, with `{number}` and `{text}` where they belong, which are escaped as the format wants it.
    pub body: String,
    /// A file with more headers, `Name: value` on each line, such as the gateway's key. A name without a slash is a
    /// credential of systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_file: Option<PathBuf>,
    /// Who signs the gateway's certificate (PEM), in place of the usual authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How the gateway is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// As most are.
    #[default]
    Post,
    /// As few are.
    Put,
}

/// What the body is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `application/json`
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

impl Sms {
    /// The number and the words go under TLS or stay here, and have a place in the body.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        let host = self.url.strip_prefix("http://").map(|rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority
                .rsplit_once(':')
                .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
                .map_or(authority, |(host, _)| host)
        });
        let graphic = self.url.chars().all(|c| c.is_ascii_graphic());
        if !(graphic && (self.url.starts_with("https://") || host.is_some_and(is_this_machine))) {
            return Err(Unfit::new(
                "sms.url",
                "is no https address; http is for a gateway on this machine alone",
            ));
        }
        if !self.body.contains("{number}") || !self.body.contains("{text}") {
            return Err(Unfit::new("sms.body", "has no place for {number} or for {text}"));
        }
        Ok(())
    }

    /// The body of one message.
    #[must_use]
    pub fn filled(&self, number: &str, text: &str) -> String {
        let escaped = |value: &str| match self.format {
            Format::Json => in_json(value),
            Format::Form => in_form(value),
        };
        // The number first: it holds no place for a text, and what is in the text is not looked at again.
        self.body.replace("{number}", &escaped(number)).replace("{text}", &escaped(text))
    }
}

/// What stands between the quotes of a JSON string.
fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn in_form(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;

    const JSON: &str = r#"[sms]
url = "https://sms.example/v1"
body = '{"to":"{number}","text":"{text}"}'
"#;

    #[test]
    fn what_is_sent_stays_inside_its_place() {
        let sms = read_with(JSON).unwrap().sms.unwrap();
        let text = "Code \"7K3M\", {number}\n\\ & more";
        let filled: serde_json::Value = serde_json::from_str(&sms.filled("+491512345678", text)).unwrap();
        assert_eq!(filled, serde_json::json!({"to": "+491512345678", "text": text}));
        let form = read_with(
            &JSON
                .replace("body =", "format = \"form\"\nbody =")
                .replace(r#"'{"to":"{number}","text":"{text}"}'"#, "\"to={number}&text={text}\""),
        );
        assert_eq!(form.unwrap().sms.unwrap().filled("+49", "a&b=c d"), "to=%2B49&text=a%26b%3Dc%20d");
    }

    #[test]
    fn a_gateway_elsewhere_is_reached_by_tls_alone() {
        for (url, fine) in [
            ("https://sms.example/v1", true),
            ("http://localhost:8080/v1", true),
            ("http://127.0.0.1/v1", true),
            ("http://sms.example/v1", false),
            ("http://localhost.evil.example/", false),
            ("http://localhost@evil.example/", false),
            ("ftp://localhost/", false),
            ("https://sms.example/a b", false),
        ] {
            let read = read_with(&JSON.replace("https://sms.example/v1", url));
            assert_eq!(read.is_ok(), fine, "{url}: {read:?}");
        }
        assert!(read_with(&JSON.replace("{text}", "text")).is_err());
        assert!(read_with(&format!("{JSON}method = \"GET\"\n")).is_err());
    }
}
