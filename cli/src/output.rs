//! Where results and failures go: one value, shown as text or as JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failure, LocalKind};

/// A command's result, ready for either form.
pub(crate) struct Report {
    text: String,
    json: serde_json::Value,
    exit: Exit,
    tone: Option<Tone>,
}

/// How the first line of a report is meant; a terminal shows it in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Attention,
}

impl Report {
    /// From one value that knows both its forms.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub(crate) fn of(value: &(impl Serialize + Display)) -> Result<Self, Failure> {
        let json = serde_json::to_value(value).map_err(|error| {
            Failure::local(LocalKind::Output, format!("the result could not be written as JSON: {error}"))
        })?;
        Ok(Self { text: value.to_string(), json, exit: Exit::Done, tone: None })
    }

    /// The same with another end than "done", and how it is meant.
    pub(crate) fn ending(self, exit: Exit, tone: Tone) -> Self {
        Self { exit, tone: Some(tone), ..self }
    }

    /// How the program ends once this is shown.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    fn shown(&self) -> String {
        let text = match plain(self.text.trim_end()) {
            text if text.is_empty() => text,
            text => text + "\n",
        };
        match self.tone.filter(|_| is_coloured()) {
            Some(tone) => coloured(&text, tone),
            None => text,
        }
    }
}

/// Standard output and standard error, in the form that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn human() -> Self {
        Self { json: false }
    }

    /// Shows a result on standard output.
    pub(crate) fn report(self, report: &Report) -> Result<(), Failure> {
        let text = if self.json { format!("{}\n", report.json) } else { report.shown() };
        write(&mut io::stdout().lock(), &text)
    }

    /// Shows help or the version.
    pub(crate) fn text(self, text: &impl Display) -> Exit {
        match write(&mut io::stdout().lock(), &text.to_string()) {
            Ok(()) => Exit::Done,
            Err(failure) => self.failure(&failure),
        }
    }

    /// Shows what is wrong with the command line.
    pub(crate) fn usage(self, mistake: &clap::Error) -> Exit {
        if self.json {
            let text = mistake.render().to_string();
            return self.failure(&Failure::usage(text.trim_start_matches("error: ").trim_end()));
        }
        let _ = write(&mut io::stderr().lock(), &mistake.render().to_string());
        Exit::Usage
    }

    /// Shows what went wrong on standard error, and says how to end.
    pub(crate) fn failure(self, failure: &Failure) -> Exit {
        let text = if self.json {
            format!("{}\n", json!({ "error": failure }))
        } else {
            let next = failure.next.iter().map(|next| format!("{}\n", plain(next)));
            let quote = failure.correlation.iter().map(|id| format!("To an administrator, quote {id}.\n"));
            let rest: String = next.chain(quote).collect();
            format!("countersign: {}\n{rest}", plain(&failure.message))
        };
        // Nobody is left to tell if this fails; the exit code still does.
        let _ = write(&mut io::stderr().lock(), &text);
        failure.kind.into()
    }
}

/// Only a person at a terminal who did not ask for none (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "terminals speak through the environment")]
fn is_coloured() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

fn coloured(text: &str, tone: Tone) -> String {
    let colour = match tone {
        Tone::Good => "\u{1b}[1;32m",
        Tone::Attention => "\u{1b}[1;33m",
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!("{colour}{first}\u{1b}[0m\n{rest}")
}

fn write(to: &mut impl Write, text: &str) -> Result<(), Failure> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        // Whoever read us has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(Failure::local(LocalKind::Output, format!("the result could not be written: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

/// Text with everything that could command a terminal or reorder a line made visible: host names, command
/// lines and reasons come from other machines.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |c: char| c == '\n' || !(c.is_control() || is_invisible(c));
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Marks that change the order or the look of what stands around them (Unicode `Bidi_Control` and kin).
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_command_the_terminal() {
        assert_eq!(plain("pc\u{1b}[2Jx"), "pc\\u{1b}[2Jx");
        assert_eq!(plain("a\u{202e}b\r"), "a\\u{202e}b\\u{d}");
        assert_eq!(plain("Ünal …AAAA\nnext"), "Ünal …AAAA\nnext");
    }
}
