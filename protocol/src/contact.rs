//! Where a person can be reached: parsed strictly, once, so that no address can become a second header or a second
//! receiver.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

const MAIL: &str =
    "a mail address (NAME@HOST.EXAMPLE: letters, digits and . _ + - before the @, at most 254 characters)";
const PHONE: &str = "a telephone number with its country (+ and 8 to 15 digits)";

/// Longest part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL: usize = 64;

/// Longest address: the longest path of RFC 5321 (4.5.3.1.3) without its angle brackets.
const ADDRESS: usize = 254;

/// A mail address, in one spelling: lower case, the unquoted ASCII form that every mail system delivers to.
///
/// Narrower than RFC 5321: no quotes, comments, address literals, or characters that mean something to a shell, a header
/// or a list of receivers.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

/// What stands behind the `@`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailDomain(String);

/// A telephone number in the form of E.164: `+` and digits.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Address {
    /// By mail.
    Email(MailAddress),
    /// By short message.
    Sms(PhoneNumber),
}

/// The ways a message can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// By mail.
    Email,
    /// By short message.
    Sms,
}

impl Channel {
    /// The word in the store, the settings and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

impl Address {
    /// By which way.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(address) => &address.0,
            Self::Sms(number) => &number.0,
        }
    }

    /// Where it ends up: a mail address without the `+tag` behind which most mail systems deliver to one box.
    #[must_use]
    pub fn mailbox(&self) -> String {
        let Self::Email(MailAddress(address)) = self else { return self.as_str().to_owned() };
        let Some((local, domain)) = address.split_once('@') else { return address.clone() };
        match local.split_once('+') {
            Some((name, _)) if !name.is_empty() => format!("{name}@{domain}"),
            _ => address.clone(),
        }
    }

    /// As a person types it: a mail address, or a telephone number with spaces, dashes or brackets in it.
    ///
    /// # Errors
    /// Neither of the two.
    pub fn typed(text: &str) -> Result<Self, InvalidId> {
        let text = text.trim();
        if text.contains('@') {
            text.parse().map(Self::Email)
        } else {
            PhoneNumber::typed(text).map(Self::Sms)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl MailAddress {
    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> MailDomain {
        MailDomain(self.0.rsplit_once('@').map_or_else(String::new, |(_, domain)| domain.to_owned()))
    }
}

impl PhoneNumber {
    /// As a person types it: with spaces, dashes, dots or brackets between the digits.
    ///
    /// # Errors
    /// Not a number with its country.
    pub fn typed(text: &str) -> Result<Self, InvalidId> {
        text.chars().filter(|c| !" -./()".contains(*c)).collect::<String>().parse()
    }
}

impl FromStr for MailAddress {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { expected: MAIL };
        let (local, domain) = text.split_once('@').ok_or_else(|| invalid.clone())?;
        let word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
        };
        let fits = text.len() <= ADDRESS && (1..=LOCAL).contains(&local.len());
        // One that begins with a dash could be an option to whatever program the mail goes through.
        if !fits || local.starts_with('-') || !local.split('.').all(word) {
            return Err(invalid);
        }
        let MailDomain(domain) = domain.parse().map_err(|_| invalid)?;
        Ok(Self(format!("{}@{domain}", local.to_ascii_lowercase())))
    }
}

impl FromStr for MailDomain {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let ends_in_a_name = |name: &str| !name.bytes().all(|byte| byte.is_ascii_digit());
        let valid = text.len() <= 253
            && text.contains('.')
            && text.split('.').all(label)
            && text.rsplit('.').next().is_some_and(ends_in_a_name);
        if valid {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidId { expected: "a mail domain (HOST.EXAMPLE)" })
        }
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let valid = (8..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidId { expected: PHONE }) }
    }
}

macro_rules! text_forms {
    ($($name:ident),+) => {
        $(
            impl $name {
                /// As it is written.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl TryFrom<String> for $name {
                type Error = InvalidId;

                /// One spelling on the wire.
                fn try_from(text: String) -> Result<Self, InvalidId> {
                    let value: Self = text.parse()?;
                    if value.0 == text { Ok(value) } else { Err(InvalidId { expected: "its one spelling, in lower case" }) }
                }
            }

            impl From<$name> for String {
                fn from(value: $name) -> Self {
                    value.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )+
    };
}

text_forms!(MailAddress, MailDomain, PhoneNumber);

/// Personal data: in no log by accident.
impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber")
    }
}

impl fmt::Debug for MailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_is_one_receiver_and_nothing_else() {
        for good in ["ana@example.org", "a.b+c_d-e@mail.example.co", "1@2.example"] {
            assert_eq!(good.parse::<MailAddress>().unwrap().as_str(), good);
        }
        assert_eq!("Ana@Example.ORG".parse::<MailAddress>().unwrap().as_str(), "ana@example.org");
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@example",
            "ana@example.org\r\nBcc: x@y.example",
            "ana@example.org,bob@example.org",
            "ana@example.org bob@example.org",
            "Ana <ana@example.org>",
            "\"a b\"@example.org",
            "-oQ/tmp@example.org",
            ".ana@example.org",
            "ana.@example.org",
            "a..b@example.org",
            "ana@-example.org",
            "ana@example..org",
            "ana@[127.0.0.1]",
            "ana@127.0.0.1",
            "ana@exämple.org",
            "ana@b@example.org",
            &long,
        ] {
            assert!(bad.parse::<MailAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_number_has_its_country_and_digits_alone() {
        assert_eq!(PhoneNumber::typed("+49 (151) 234-5678").unwrap().as_str(), "+491512345678");
        for bad in [
            "",
            "+",
            "0151 2345678",
            "+0151234567",
            "+49",
            "+49151234567890123",
            "+4915a2345678",
            "+49\n1512345",
        ] {
            assert!(PhoneNumber::typed(bad).is_err(), "{bad:?}");
        }
        assert!("+49 1512345678".parse::<PhoneNumber>().is_err());
    }

    #[test]
    fn a_tag_is_no_other_mailbox() {
        for (address, mailbox) in [
            ("ana@example.org", "ana@example.org"),
            ("ana+1@example.org", "ana@example.org"),
            ("ana+1+2@example.org", "ana@example.org"),
            ("+1@example.org", "+1@example.org"),
            ("a.na@example.org", "a.na@example.org"),
            ("+491512345678", "+491512345678"),
        ] {
            assert_eq!(Address::typed(address).unwrap().mailbox(), mailbox);
        }
    }

    #[test]
    fn an_address_has_one_spelling_on_the_wire_and_shows_itself_in_no_log() {
        let address = Address::typed("Ana@Example.org").unwrap();
        let wire = serde_json::to_string(&address).unwrap();
        assert_eq!(wire, r#"{"email":"ana@example.org"}"#);
        assert_eq!(serde_json::from_str::<Address>(&wire).unwrap(), address);
        assert!(serde_json::from_str::<Address>(r#"{"email":"Ana@example.org"}"#).is_err());
        assert!(!format!("{address:?}").contains("ana"));
        assert_eq!(Address::typed(" +49 151 2345678 ").unwrap().channel(), Channel::Sms);
    }
}
