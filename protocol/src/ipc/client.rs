//! The client's side of a conversation, the same for the PAM module and the command line.

use std::io::{Read, Write};

use secrecy::{ExposeSecret, SecretString};

use super::flat::Writer;
use super::{
    Frame, FrameError, FrameKind, LoginReply, LoginRequest, Prompt, PromptKind, Reply, Request, read_frame,
    write_frame,
};
use crate::limits;
use crate::message::MessageError;

/// Where notes are shown and questions answered: a terminal, or a PAM conversation.
pub trait Conversation {
    /// Shows a note. A person who cannot be shown one misses nothing that is needed.
    fn note(&mut self, kind: super::NoteKind, text: &str);

    /// Asks without echo. `None`: the person gave up.
    fn hidden(&mut self, question: &str) -> Option<SecretString>;

    /// Asks with echo. `None`: the person gave up.
    fn shown(&mut self, question: &str) -> Option<String>;
}

/// Why a conversation broke.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Reading or writing failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The agent sent what this client does not expect here.
    #[error(
        "the agent sent {0}, which this program does not expect; install agent and client of one release"
    )]
    Unexpected(&'static str),
}

impl From<MessageError> for ClientError {
    fn from(error: MessageError) -> Self {
        Self::Frame(FrameError::Malformed(error.to_string()))
    }
}

/// One connection to the agent, for one request.
pub struct Client<S> {
    stream: S,
}

impl<S: Read + Write> Client<S> {
    /// Over a connected stream, whose timeouts the caller has set.
    pub const fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The stream, for a body that came beside it.
    pub const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Asks, holds the conversation, and returns the agent's last word. A [`Reply::JobDone`] with
    /// `has_result` is followed by a body frame that the caller reads next.
    ///
    /// # Errors
    /// [`ClientError`]. End of file is an error at once.
    pub fn ask(&mut self, request: &Request, person: &mut dyn Conversation) -> Result<Reply, ClientError> {
        self.say(request)?;
        self.hear(person)
    }

    /// The first half of [`Self::ask`], for a request whose body the caller sends next.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn say(&mut self, request: &Request) -> Result<(), ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| FrameError::Malformed(error.to_string()))?;
        self.send(&zeroize::Zeroizing::new(body))
    }

    /// The second half.
    ///
    /// # Errors
    /// [`ClientError`]. End of file is an error at once.
    pub fn hear(&mut self, person: &mut dyn Conversation) -> Result<Reply, ClientError> {
        loop {
            let frame = self.receive()?;
            let reply = serde_json::from_slice(&frame.body)
                .map_err(|error| FrameError::Malformed(error.to_string()))?;
            match reply {
                Reply::Note { kind, text } => person.note(kind, &text),
                Reply::Prompt(prompt) => self.answer(&prompt, person)?,
                last => return Ok(last),
            }
        }
    }

    /// As [`Self::ask`], for the PAM module: a reply that is not one to a login is an error.
    ///
    /// # Errors
    /// [`ClientError`]. End of file is an error at once.
    pub fn ask_login(
        &mut self,
        request: &LoginRequest,
        person: &mut dyn Conversation,
    ) -> Result<LoginReply, ClientError> {
        self.send(&request.to_json())?;
        loop {
            let frame = self.receive()?;
            let reply = LoginReply::from_json(&frame.body)
                .ok_or_else(|| FrameError::Malformed("not a reply to a login".to_owned()))?;
            match reply {
                LoginReply::Note { kind, text } => person.note(kind, &text),
                LoginReply::Prompt(prompt) => self.answer(&prompt, person)?,
                last => return Ok(last),
            }
        }
    }

    fn answer(&mut self, prompt: &Prompt, person: &mut dyn Conversation) -> Result<(), ClientError> {
        match prompt.kind {
            PromptKind::Hidden => match person.hidden(&prompt.text) {
                // Too long for any card: sent as a cancellation it would look like the person's choice.
                Some(secret) if secret.expose_secret().len() > limits::PIN => {
                    person.note(super::NoteKind::Error, "That is longer than any PIN.");
                    self.send(CANCEL)
                }
                Some(secret) => {
                    Ok(write_frame(&mut self.stream, FrameKind::Secret, secret.expose_secret().as_bytes())?)
                }
                None => self.send(CANCEL),
            },
            PromptKind::Shown => match person.shown(&prompt.text) {
                Some(text) => self.send(&Writer::new("answer", "text").text("text", &text).finish()),
                None => self.send(CANCEL),
            },
        }
    }

    fn receive(&mut self) -> Result<Frame, ClientError> {
        let frame = read_frame(&mut self.stream)?;
        if frame.kind == FrameKind::Json {
            Ok(frame)
        } else {
            Err(ClientError::Unexpected("a frame of another kind"))
        }
    }

    fn send(&mut self, body: &[u8]) -> Result<(), ClientError> {
        Ok(write_frame(&mut self.stream, FrameKind::Json, body)?)
    }
}

/// The person gave up.
const CANCEL: &[u8] = br#"{"answer":"cancel"}"#;
