//! Somebody at the system's console.

use std::time::Duration;

use crate::dialogue::Dialogue;
use crate::trouble::Trouble;

/// Long enough for whatever does not wait for a person.
const SOON: Duration = Duration::from_secs(60);

/// Programs throw away what was typed before they hid it, and some show their question before.
const REACTION: Duration = Duration::from_millis(100);

/// Ctrl-U: readline forgets what is typed in this line.
const CLEAR_LINE: &[u8] = b"\x15";

/// How a question ends.
const END: &str = ": ";

/// What somebody types where the terminal shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// What a transcript calls it: `the PIN`.
    pub called: &'static str,
    /// The word itself.
    pub word: &'static str,
}

impl Key {
    /// A word and what a transcript calls it.
    #[must_use]
    pub const fn new(called: &'static str, word: &'static str) -> Self {
        Self { called, word }
    }
}

/// The console, and what was seen there since the scene began.
pub struct Console {
    dialogue: Dialogue,
    host: &'static str,
    /// Whose shell it shows; none: a login prompt.
    shell_of: Option<String>,
    seen: String,
}

impl Console {
    pub(super) fn new(dialogue: Dialogue, host: &'static str) -> Self {
        Self { dialogue, host, shell_of: None, seen: String::new() }
    }

    /// Waits for getty's first word, after which nothing of the boot is shown any more.
    pub(super) fn wait_for_getty(&mut self) -> Result<(), Trouble> {
        self.dialogue.expect("GNU/Linux", SOON).map(drop)
    }

    /// Everything the console showed, as it is.
    #[must_use]
    pub fn screen(&self) -> String {
        self.dialogue.transcript()
    }

    /// What was seen since the last call.
    pub fn take_transcript(&mut self) -> String {
        std::mem::take(&mut self.seen)
    }

    /// Waits for a text.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] with all that the console showed.
    pub fn expect(&mut self, text: &str) -> Result<(), Trouble> {
        let before = self.dialogue.expect(text, SOON)?;
        self.seen.push_str(&before);
        self.seen.push_str(text);
        Ok(())
    }

    /// Types a line that the terminal shows.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn line(&mut self, text: &str) -> Result<(), Trouble> {
        self.dialogue.send_line(text)
    }

    /// Types a line that the terminal does not show.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn hidden(&mut self, key: Key) -> Result<(), Trouble> {
        self.hidden_word(key.called, key.word)
    }

    /// The same for a word that is known only now.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn hidden_word(&mut self, called: &str, word: &str) -> Result<(), Trouble> {
        self.seen.push_str(&format!("{{{called}}}"));
        std::thread::sleep(REACTION);
        self.dialogue.send_line(word)
    }

    /// Types these very bytes: a control key.
    ///
    /// # Errors
    /// If the terminal is closed.
    pub fn press(&mut self, called: &str, bytes: &[u8]) -> Result<(), Trouble> {
        self.seen.push_str(&format!("{{{called}}}"));
        self.dialogue.send(bytes)
    }

    /// A note in the transcript about what happens away from the terminal: `pulls the card`.
    pub fn note(&mut self, what: &str) {
        self.seen.push_str(&format!("{{{what}}}"));
    }

    /// Waits for the login prompt and gives a name.
    ///
    /// # Errors
    /// If it does not come.
    pub fn name(&mut self, login: &str) -> Result<(), Trouble> {
        self.expect(&format!("{} login: ", self.host))?;
        self.line(login)
    }

    /// Waits for the shell of somebody who was let in.
    ///
    /// # Errors
    /// If it does not come.
    pub fn let_in(&mut self, login: &str) -> Result<(), Trouble> {
        self.shell_of = Some(login.to_owned());
        self.expect(&self.prompt())
    }

    /// Logs in with answers to what is asked.
    ///
    /// # Errors
    /// If a question or the shell does not come.
    pub fn login(&mut self, login: &str, answers: &[(&str, Key)]) -> Result<(), Trouble> {
        self.name(login)?;
        self.answer(answers)?;
        self.let_in(login)
    }

    /// Runs a command in the shell, with answers to what it asks, up to the next prompt. Returns what it showed.
    ///
    /// # Errors
    /// If a question or the prompt does not come.
    pub fn run(&mut self, command: &str, answers: &[(&str, Key)]) -> Result<String, Trouble> {
        let from = self.seen.len();
        self.command(command)?;
        self.answer(answers)?;
        self.prompt_again()?;
        Ok(self.seen.get(from..).unwrap_or_default().replace('\r', ""))
    }

    /// Waits for the shell's prompt.
    ///
    /// # Errors
    /// If it does not come.
    pub fn prompt_again(&mut self) -> Result<(), Trouble> {
        self.expect(&self.prompt())
    }

    /// Waits for a question, of which this is a part.
    ///
    /// # Errors
    /// If it does not come.
    pub fn question(&mut self, part: &str) -> Result<(), Trouble> {
        self.expect(part)?;
        if part.ends_with(':') || part.ends_with(END) { Ok(()) } else { self.expect(END) }
    }

    /// Answers questions.
    ///
    /// # Errors
    /// If one does not come.
    pub fn answer(&mut self, answers: &[(&str, Key)]) -> Result<(), Trouble> {
        for (question, key) in answers {
            self.question(question)?;
            self.hidden(*key)?;
        }
        Ok(())
    }

    /// Leaves the shell. The next prompt is getty's.
    ///
    /// # Errors
    /// If the shell does not end.
    pub fn logout(&mut self) -> Result<(), Trouble> {
        self.command("exit")?;
        self.shell_of = None;
        self.expect("logout")
    }

    /// Leaves a shell that says this.
    ///
    /// # Errors
    /// If the shell does not end.
    pub fn leave_quietly(&mut self, words: &str) -> Result<(), Trouble> {
        self.command("exit")?;
        self.shell_of = None;
        self.expect(words)
    }

    /// Types a command, and looks whether the shell shows it: seldom, nspawn's forwarder does not notice that somebody
    /// typed, or the terminal loses it. A person would see that too and type again.
    fn command(&mut self, text: &str) -> Result<(), Trouble> {
        const LOOK: Duration = Duration::from_secs(5);
        self.line(text)?;
        for again in [CLEAR_LINE.to_owned(), format!("{text}\n").into_bytes()] {
            if let Ok(before) = self.dialogue.expect(text, LOOK) {
                self.seen.push_str(&before);
                self.seen.push_str(text);
                return Ok(());
            }
            self.dialogue.send(&again)?;
        }
        self.expect(text)
    }

    /// The shell's prompt, as Debian's bash has it.
    fn prompt(&self) -> String {
        match self.shell_of.as_deref() {
            Some("root") => format!("root@{}:~# ", self.host),
            Some(login) => format!("{login}@{}:~$ ", self.host),
            None => format!("{} login: ", self.host),
        }
    }
}
