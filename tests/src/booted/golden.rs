//! Transcripts as files that people read, beside the test that makes them.

use std::path::PathBuf;

use regex::Regex;

use crate::trouble::{Attempt as _, Trouble};

/// What differs from run to run and a reader needs no more of than its name, by order of replacement.
#[derive(Debug, Default)]
pub struct Names(Vec<(String, &'static str)>);

impl Names {
    /// From now on transcripts show `name` for this value.
    pub fn call(&mut self, value: impl Into<String>, name: &'static str) {
        self.0.push((value.into(), name));
    }
}

/// A folder of transcripts.
#[derive(Debug)]
pub struct Golden {
    folder: PathBuf,
    rules: Rules,
    different: Vec<String>,
}

impl Golden {
    /// The folder; `UPDATE_GOLDEN=1` writes what it should hold.
    ///
    /// # Errors
    /// If a pattern of this file is none.
    pub fn folder(folder: impl Into<PathBuf>) -> Result<Self, Trouble> {
        Ok(Self { folder: folder.into(), rules: Rules::compile()?, different: Vec::new() })
    }

    /// Compares a scene's transcript with its file. A difference is remembered for [`Self::verdict`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn compare(&mut self, scene: &str, transcript: &str, names: &Names) -> Result<(), Trouble> {
        let path = self.folder.join(format!("{scene}.txt"));
        let seen = self.rules.settle(transcript, names);
        if is_to_be_updated() {
            return std::fs::create_dir_all(&self.folder)
                .and_then(|()| std::fs::write(&path, &seen))
                .attempt(|| format!("write {}", path.display()));
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if kept != seen {
            self.different.push(format!("{}:\n{}", path.display(), difference(&kept, &seen)));
        }
        Ok(())
    }

    /// Every difference, as an error.
    ///
    /// # Errors
    /// If there is one.
    pub fn verdict(self) -> Result<(), Trouble> {
        if self.different.is_empty() {
            return Ok(());
        }
        Err(Trouble::Transcripts(self.different.join("\n")))
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so")]
fn is_to_be_updated() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// How a transcript loses what is different every time.
#[derive(Debug)]
struct Rules {
    escapes: Regex,
    blanks: Regex,
    varying: Vec<(Regex, &'static str)>,
}

/// Colours, titles, keypad modes (ECMA-48), and bytes that a terminal does not show.
const ESCAPES: &str =
    r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-B0]|\x1b[=>78cMDEH]|[\x00\x07\x0f]";

/// With an example each, so that a transcript reads as what a person would see.
const VARYING: &[(&str, &str)] = &[
    (r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d UTC 20\d\d", "Mon Nov 23 12:00:00 UTC 2026"),
    (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?( UTC|Z)?", "2026-11-23 12:00 UTC"),
    (r"\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b", "7K3M-Q2ZD"),
    (r"\b([0-9A-F]{4}\s+){9}[0-9A-F]{4}\b", FINGERPRINT),
    (r"\b[0-9A-F]{40}\b", "0123456789ABCDEF0123456789ABCDEF01234567"),
    (r"\b[a-z]{3,8}(-[a-z]{3,8}){5}\b", "wine-observe-game-creek-slim-flash"),
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", "+af607268+AWvt6YemIz8QSJ0nCMDVix9C71qC69UjR0SPNmol44mZ"),
    (r"\b\d+ seconds? (ago|old)\b", "2 seconds $1"),
    (r"\b2[34] hours more\b", "23 hours more"),
    // logind's numbers are the kernel's, which counts for the host as well.
    (r"(?m)^ *\d+( 1\d{3} [a-z]+ +seat0)", "      7$1"),
    // Of two processes, one of which says what the other says as well, in either order.
    (r"(?m)^polkit-agent-helper-1: pam_authenticate failed: .*\n", ""),
    (r"\bprocess \d+", "process 4711"),
    (r"\[\d+\]", "[4711]"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:8443"),
    (r"(-p|port) \d{5}\b", "$1 2222"),
    (r"\b\d+ ms\b", "12 ms"),
];

const FINGERPRINT: &str = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567";

impl Rules {
    fn compile() -> Result<Self, Trouble> {
        let pattern = |text: &str| Regex::new(text).map_err(|error| Trouble::Machine(error.to_string()));
        let varying = VARYING.iter().map(|(text, name)| Ok((pattern(text)?, *name)));
        let varying = varying.collect::<Result<_, Trouble>>()?;
        Ok(Self { escapes: pattern(ESCAPES)?, blanks: pattern(r"\n{3,}")?, varying })
    }

    fn settle(&self, transcript: &str, names: &Names) -> String {
        let mut text = self.escapes.replace_all(transcript, "").replace('\r', "");
        for (value, name) in &names.0 {
            text = text.replace(value.as_str(), name);
        }
        for (pattern, name) in &self.varying {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = lines.join("\n");
        format!("{}\n", self.blanks.replace_all(text.trim(), "\n\n"))
    }
}

/// The lines around the first difference, and the number of lines that differ by position.
fn difference(kept: &str, seen: &str) -> String {
    if kept.is_empty() {
        return format!("(no file yet)\n{seen}");
    }
    let (kept, seen): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), seen.lines().collect());
    let first = kept.iter().zip(&seen).take_while(|(kept, seen)| kept == seen).count();
    let last = kept.iter().rev().zip(seen.iter().rev()).take_while(|(kept, seen)| kept == seen).count();
    let part = |lines: &[&str], sign: &str| -> String {
        let end = lines.len().saturating_sub(last).max(first);
        let lines = lines.get(first..end).unwrap_or_default();
        lines.iter().map(|line| format!("{sign}{line}\n")).collect()
    };
    format!("from line {}:\n{}{}", first + 1, part(&kept, "-"), part(&seen, "+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_settled_and_what_matters_stays() {
        let mut names = Names::default();
        names.call("ABCD-1234-EFGH", "CODE");
        let shown = "\x1b[?2004hana@debian:~$ date\r\n\x1b[1;31mDenied\x1b[0m (Reference: 0A1B-2C3D)  \r\n\r\n\r\n\r\nABCD-1234-EFGH\r\n";
        let rules = Rules::compile().unwrap();
        assert_eq!(
            rules.settle(shown, &names),
            "ana@debian:~$ date\nDenied (Reference: 7K3M-Q2ZD)\n\nCODE\n"
        );
    }

    #[test]
    fn a_difference_shows_only_the_lines_that_differ() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "from line 2:\n-b\n+x\n+y\n");
    }
}
