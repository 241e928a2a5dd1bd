//! The agent's prompts and notes, shown by the program that called PAM.

use countersign_protocol::ipc::{Conversation, NoteKind};
use pam::constants::{
    PAM_ERROR_MSG, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PamMessageStyle,
};
use pam::conv::Conv;
use pam::secret::SecretBytes;
use secrecy::SecretString;

use crate::handle::Handle;
use crate::programs::{Manner, Notes, Questions};

/// The person at the other end of the PAM conversation.
pub(crate) struct Person<'a, 'h> {
    handle: &'a Handle<'h>,
    manner: Manner,
    /// The program asked for no messages (`PAM_SILENT`); questions are still asked.
    mute: bool,
    /// Notes that wait for the next prompt.
    waiting: Vec<(NoteKind, String)>,
    asked: bool,
}

impl<'a, 'h> Person<'a, 'h> {
    /// Behind a program that is spoken to in this manner; `mute` if it wants to hear questions alone.
    pub(crate) const fn new(handle: &'a Handle<'h>, manner: Manner, mute: bool) -> Self {
        Self { handle, manner, mute, waiting: Vec::new(), asked: false }
    }

    /// Shows the notes that no prompt followed.
    pub(crate) fn tell_the_rest(&mut self) {
        for (kind, text) in std::mem::take(&mut self.waiting) {
            self.show(kind, &text);
        }
    }

    fn show(&self, kind: NoteKind, text: &str) {
        let style = match kind {
            NoteKind::Info | NoteKind::Authenticator => PAM_TEXT_INFO,
            NoteKind::Error => PAM_ERROR_MSG,
        };
        // A program that cannot show it may say so: the note is then lost, the login is not.
        drop(self.send(style, &printable(text, Lines::Kept)));
    }

    /// The question, behind the notes that wait for it. It is never cut short for them.
    fn prompt(&mut self, question: &str) -> String {
        let question = printable(question, Lines::Joined);
        let notes: Vec<String> = self.waiting.drain(..).map(|(_, text)| text).collect();
        if notes.is_empty() || question.len() >= LONGEST {
            return question;
        }
        let mut prompt = printable(&notes.join(" "), Lines::Joined);
        prompt.truncate(prompt.floor_char_boundary(LONGEST.saturating_sub(question.len() + 1)));
        prompt.push(' ');
        prompt.push_str(&question);
        prompt
    }

    /// Takes the conversation anew each time: the program may replace it while it shows a prompt. The crate's
    /// `Conv::send` checks for null, copies the answer into memory that is wiped, and wipes and frees libpam's.
    fn send(&self, style: PamMessageStyle, text: &str) -> Option<SecretBytes> {
        let conversation = self.handle.item::<Conv<'_>>().ok()??;
        conversation.send(style, text).ok()?
    }
}

impl Conversation for Person<'_, '_> {
    fn note(&mut self, kind: NoteKind, text: &str) {
        match self.manner.notes {
            _ if self.mute => {}
            Notes::Shown => self.show(kind, text),
            Notes::InPrompt => self.waiting.push((kind, text.to_owned())),
        }
    }

    /// An empty answer is how people give up at a prompt; no card has an empty PIN.
    fn hidden(&mut self, question: &str) -> Option<SecretString> {
        let again = std::mem::replace(&mut self.asked, true);
        match self.manner.questions {
            Questions::None => return None,
            // It would give the same answer again, and cost the card a try.
            Questions::OnePin if again => return None,
            Questions::OnePin | Questions::All => {}
        }
        let prompt = self.prompt(question);
        let answer = self.send(PAM_PROMPT_ECHO_OFF, &prompt)?;
        match answer.as_str() {
            Ok("") => None,
            Ok(secret) => Some(SecretString::from(secret)),
            Err(_) => {
                self.note(NoteKind::Error, "That is not UTF-8 text; a PIN is.");
                None
            }
        }
    }

    fn shown(&mut self, question: &str) -> Option<String> {
        if self.manner.questions != Questions::All {
            // Nobody can answer, but whoever looks at the screen learns what it was about.
            self.waiting.push((NoteKind::Error, format!("This program cannot ask: {question}")));
            return None;
        }
        let prompt = self.prompt(question);
        let answer = self.send(PAM_PROMPT_ECHO_ON, &prompt)?;
        answer.as_str().ok().filter(|text| text.len() <= LONGEST).map(str::to_owned)
    }
}

/// Whether line breaks may stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Kept,
    Joined,
}

/// Text as a terminal may have it: some of it began on a server or in a card, and an escape sequence or a
/// right-to-left mark could make a prompt say something else.
fn printable(text: &str, lines: Lines) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        let c = match c {
            '\n' if lines == Lines::Kept => '\n',
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
            c if c.is_control() => ' ',
            c => c,
        };
        if shown.len() + c.len_utf8() > LONGEST {
            break;
        }
        shown.push(c);
    }
    shown
}

/// `PAM_MAX_MSG_SIZE` and `PAM_MAX_RESP_SIZE` are 512, with the final zero.
const LONGEST: usize = 511;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_reaches_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\0c\u{202E}d\ne", Lines::Joined), "a [2Jb c\u{FFFD}d e");
        assert_eq!(printable("two\nlines\r", Lines::Kept), "two\nlines ");
    }

    #[test]
    fn a_text_longer_than_pam_allows_is_cut_between_characters() {
        let shown = printable(&"…".repeat(400), Lines::Kept);
        assert_eq!(shown.len(), 510);
        assert!(shown.chars().all(|c| c == '…'));
    }
}
