//! A script: what the agent sends, and what the person answers. One line each, so that a fuzzer that moves,
//! doubles and drops pieces makes other scripts and not only noise.
//!
//! | line begins with | means |
//! |---|---|
//! | first line | `l` login, `d` through a dialog, `f` through a locker with one field, `a` account check alone, `p` password allowed, `t` login twice, `o` a session, `c` another PIN, `s` silent (any of them) |
//! | `{` | the agent sends this line as a frame of JSON |
//! | `<` | the agent sends the rest of the line as it is, 0x1E standing for a line's end |
//! | `>` | the person answers the rest of the line |
//! | `0` | the person's answer has no string |
//! | `-` | the program gives no answer, and says that all is well |
//! | `u` | the program puts the rest of the line in as PAM_USER, and answers nothing |
//! | anything else | the program's conversation fails |
//!
//! `@NONCE@` in what the agent sends stands for the nonce of the request.

use countersign_protocol::ids::Nonce;

/// What happens in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Which hooks are called, and for whom.
    pub flow: Flow,
    /// With `PAM_SILENT`.
    pub silent: bool,
    agent: Vec<Sent>,
    person: Vec<Said>,
}

/// Which hooks are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flow {
    /// authenticate, account, setcred, of somebody who needs a card.
    #[default]
    Login,
    /// The same through a dialog, where notes are put into prompts.
    Dialog,
    /// The same through a locker with one field.
    OneField,
    /// The same as [`Self::Login`] twice in one handle.
    Twice,
    /// The same, of somebody whose password will do while the agent is down.
    PasswordAllowed,
    /// account alone, by a service that authenticates otherwise.
    AccountAlone,
    /// open_session and close_session after a login.
    Session,
    /// chauthtok, which libpam calls twice.
    Pin,
}

#[derive(Debug, Clone)]
enum Sent {
    Json(Vec<u8>),
    Raw(Vec<u8>),
}

/// What the program's conversation does with one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A string, without zeros.
    Text(Vec<u8>),
    /// A response without a string.
    Nothing,
    /// No response at all.
    NoResponse,
    /// Another `PAM_USER`, and no string.
    User(String),
    /// `PAM_CONV_ERR`
    Fail,
}

impl Script {
    /// Any bytes are a script.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let mut script = Self::default();
        for word in lines.next().unwrap_or_default() {
            match word {
                b'a' => script.flow = Flow::AccountAlone,
                b'p' => script.flow = Flow::PasswordAllowed,
                b't' => script.flow = Flow::Twice,
                b'd' => script.flow = Flow::Dialog,
                b'f' => script.flow = Flow::OneField,
                b'o' => script.flow = Flow::Session,
                b'c' => script.flow = Flow::Pin,
                b's' => script.silent = true,
                _ => {}
            }
        }
        for line in lines {
            match line.split_first() {
                None => {}
                Some((b'{', _)) => script.agent.push(Sent::Json(line.to_owned())),
                Some((b'<', rest)) => script.agent.push(Sent::Raw(
                    rest.iter().map(|byte| if *byte == 0x1E { b'\n' } else { *byte }).collect(),
                )),
                Some((b'>', rest)) => script.person.push(Said::Text(without_zeros(rest))),
                Some((b'0', _)) => script.person.push(Said::Nothing),
                Some((b'-', _)) => script.person.push(Said::NoResponse),
                Some((b'u', rest)) => {
                    script
                        .person
                        .push(Said::User(String::from_utf8_lossy(&without_zeros(rest)).into_owned()));
                }
                Some(_) => script.person.push(Said::Fail),
            }
        }
        script
    }

    /// The agent's bytes, in answer to a request with this nonce.
    #[must_use]
    pub fn agent_bytes(&self, nonce: &Nonce) -> Vec<u8> {
        let nonce = serde_json::to_string(nonce).unwrap_or_default();
        let nonce = nonce.trim_matches('"').as_bytes();
        let mut bytes = Vec::new();
        for sent in &self.agent {
            match sent {
                Sent::Json(json) => {
                    let body = replaced(json, b"@NONCE@", nonce);
                    bytes.extend_from_slice(&[1, 1]);
                    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
                    bytes.extend_from_slice(&body);
                }
                Sent::Raw(raw) => bytes.extend_from_slice(&replaced(raw, b"@NONCE@", nonce)),
            }
        }
        bytes
    }

    /// Whether the program puts another `PAM_USER` in.
    #[must_use]
    pub fn changes_user(&self) -> bool {
        self.person.iter().any(|said| matches!(said, Said::User(_)))
    }

    /// The person's answers, in order. After the last one, the program's conversation fails.
    #[must_use]
    pub fn answers(&self) -> std::vec::IntoIter<Said> {
        self.person.clone().into_iter()
    }
}

/// Whether these bytes, read as frames, are a grant with this nonce, with nothing before it but what asks and tells:
/// without one, nothing may come of them. Otherwise it reads more generously than the module does.
#[must_use]
pub fn holds_grant(bytes: &[u8], nonce: &Nonce) -> bool {
    let nonce = serde_json::to_value(nonce).unwrap_or_default();
    for body in bodies(bytes) {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
        match value.get("reply").and_then(serde_json::Value::as_str) {
            Some("note" | "prompt") => {}
            Some("granted") => return value.get("nonce") == Some(&nonce),
            _ => return false,
        }
    }
    false
}

/// The bodies of these bytes read as frames, as far as those are whole.
pub fn bodies(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (header, after) = bytes.split_first_chunk::<6>()?;
        let [_, _, length @ ..] = *header;
        let (body, rest) = after.split_at_checked(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
        bytes = rest;
        Some(body)
    })
}

fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != 0).collect()
}

fn replaced(bytes: &[u8], token: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(token) {
            out.extend_from_slice(by);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_what_agent_and_person_say() {
        let script = Script::parse(b"ts\n{\"n\":\"@NONCE@\"}\n>12\x0034\n0\n-\nubob\n?\n<a\x1Eb");
        assert_eq!((script.flow, script.silent), (Flow::Twice, true));
        let answers: Vec<Said> = script.answers().collect();
        let bob = Said::User("bob".to_owned());
        assert_eq!(answers, [Said::Text(b"1234".to_vec()), Said::Nothing, Said::NoResponse, bob, Said::Fail]);
        let bytes = script.agent_bytes(&Nonce::from_bytes([0xA5; 32]));
        let json = format!("{{\"n\":\"{}\"}}", "a5".repeat(32));
        let expected =
            [&[1, 1, 0, 0, 0, u8::try_from(json.len()).unwrap()], json.as_bytes(), b"a\nb"].concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_grant_is_one_with_this_nonce() {
        let nonce = Nonce::from_bytes([0xA5; 32]);
        let bytes = |text: &[u8]| Script::parse(text).agent_bytes(&nonce);
        assert!(holds_grant(
            &bytes(b"l\n{\"reply\":\"note\"}\n{\"reply\":\"granted\",\"nonce\":\"@NONCE@\"}"),
            &nonce
        ));
        assert!(!holds_grant(&bytes(b"l\n{\"reply\":\"granted\",\"nonce\":\"00\"}"), &nonce));
        assert!(!holds_grant(&bytes(b"l\n{\"reply\":\"denied\",\"nonce\":\"@NONCE@\"}"), &nonce));
        let after_a_no = b"l\n{\"reply\":\"denied\"}\n{\"reply\":\"granted\",\"nonce\":\"@NONCE@\"}";
        assert!(!holds_grant(&bytes(after_a_no), &nonce));
        assert!(!holds_grant(b"\x01\x01\xff\xff\xff\xff", &nonce));
    }
}
