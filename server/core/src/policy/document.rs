//! A text of policies under its name, and what can be wrong with it.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use cedar_policy::ffi::DetailedError;
use countersign_protocol::ids::PolicyName;

/// One text of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: PolicyName,
    /// In Cedar.
    pub text: String,
}

/// Why policies are refused: everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PolicyError(pub Vec<Fault>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In which document; none where it is about all of them.
    pub document: Option<PolicyName>,
    /// Line and column, counted from 1.
    pub at: Option<(usize, usize)>,
    /// What, and what to do about it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(document) = &self.document {
            write!(f, "{document}")?;
            if let Some((line, column)) = self.at {
                write!(f, ", line {line}, column {column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

impl PolicyError {
    /// The first thing that is wrong, and how many more are: for the one sentence of a denial.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let first = self.0.first().map(ToString::to_string).unwrap_or_default();
        match self.0.len() {
            0 | 1 => first,
            all => format!("{first} (and {} more)", all - 1),
        }
    }

    /// Something that is wrong with no one text.
    pub(super) fn general(what: impl Into<String>) -> Self {
        Self(vec![Fault { document: None, at: None, what: what.into() }])
    }
}

impl Document {
    /// A text from a file, which names the document: `default.cedar` holds `default`.
    ///
    /// # Errors
    /// The file's name is none for a document.
    pub fn of_file(path: &Path, text: String) -> Result<Self, String> {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let name = stem.parse().map_err(|error| {
            format!(
                "{}: {stem:?} is {error}. A document is called like its file, without .cedar",
                path.display()
            )
        })?;
        Ok(Self { name, text })
    }

    /// Something that is wrong with the text as a whole, or at this byte of it.
    pub(super) fn fault(&self, at: Option<usize>, what: impl Into<String>) -> Fault {
        let at = at.map(|byte| place(&self.text, byte));
        Fault { document: Some(self.name.clone()), at, what: what.into() }
    }

    /// What Cedar found, with what it says that helps.
    pub(super) fn found(&self, error: &DetailedError, next: &str) -> Fault {
        let DetailedError { message, help, source_locations, .. } = error;
        let first = source_locations.first();
        let expected = first.and_then(|label| label.label.as_deref()).filter(|label| !label.is_empty());
        let said: Vec<&str> = [Some(message.as_str()), expected, help.as_deref(), Some(next)]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        self.fault(first.map(|label| label.loc.start), said.join("; "))
    }
}

/// Line and column of a byte, from 1; columns are characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before: String = text.char_indices().take_while(|(at, _)| *at < byte).map(|(_, c)| c).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_begin_with_one_and_columns_are_characters() {
        for (byte, expected) in [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (6, (2, 3)), (99, (3, 2))] {
            assert_eq!(place("ab\nüb\nx", byte), expected, "{byte}");
        }
    }
}
