//! `/etc/pam.d`: files, lines, and what they include.

use std::collections::BTreeMap;
use std::path::Path;

use super::Control;
use crate::trouble::{Attempt as _, Trouble};

/// What a line is about: the first word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Facility {
    /// `auth`: authenticate and setcred.
    Auth,
    /// `account`
    Account,
    /// `session`: open and close.
    Session,
    /// `password`
    Password,
}

impl Facility {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Account, Self::Session, Self::Password];

    fn named(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "auth" => Self::Auth,
            "account" => Self::Account,
            "session" => Self::Session,
            "password" => Self::Password,
            _ => return None,
        })
    }
}

/// One step of a stack, after all includes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A module.
    Module {
        /// How deep in substacks.
        level: usize,
        /// What to do about its answers.
        control: Control,
        /// The file's name: `pam_unix.so`.
        module: String,
        /// What stands behind it.
        arguments: String,
        /// The file that it stands in, and its number there, from 0.
        place: (String, usize),
    },
    /// A substack begins; its lines follow, one level deeper.
    Substack {
        /// The level that it stands on.
        level: usize,
    },
    /// A line that libpam cannot read: always a no.
    Unreadable {
        /// How deep in substacks.
        level: usize,
    },
}

impl Line {
    /// How deep in substacks.
    #[must_use]
    pub const fn level(&self) -> usize {
        match self {
            Self::Module { level, .. } | Self::Substack { level } | Self::Unreadable { level } => *level,
        }
    }

    /// The module, of a line that has one.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Module { module, .. } => Some(module),
            _ => None,
        }
    }
}

/// A folder of PAM configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    files: BTreeMap<String, String>,
}

/// Includes within includes, as deep as libpam goes.
const DEPTH: usize = 16;

impl Folder {
    /// Reads every file of a folder.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        let what = || format!("read {}", path.display());
        let mut folder = Self::default();
        for entry in std::fs::read_dir(path).attempt(what)? {
            let entry = entry.attempt(what)?;
            let text = std::fs::read_to_string(entry.path()).attempt(what)?;
            folder.put(&entry.file_name().to_string_lossy(), &text);
        }
        Ok(folder)
    }

    /// Adds or replaces a file.
    pub fn put(&mut self, name: &str, text: &str) {
        self.files.insert(name.to_owned(), text.to_owned());
    }

    /// Adds or replaces all files of another folder.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.files.extend(other.files.clone());
        self
    }

    /// Writes all files into an empty folder.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Trouble> {
        for (name, text) in &self.files {
            std::fs::write(path.join(name), text)
                .attempt(|| format!("write {}", path.join(name).display()))?;
        }
        Ok(())
    }

    /// The same files for a folder that is not `/etc/pam.d`, where libpam looks for what is included if it is not
    /// told the whole path.
    #[must_use]
    pub fn rooted(&self, path: &Path) -> Self {
        let files = self.files.iter().map(|(name, text)| {
            let lines: Vec<String> = text
                .lines()
                .map(|line| {
                    let (first, rest) = word(line);
                    let (second, rest_of_rest) = word(rest);
                    match (first, second) {
                        ("@include", file) => format!("@include {}", path.join(file).display()),
                        (kind, "include" | "substack") => {
                            let file = path.join(word(rest_of_rest).0);
                            format!("{kind} {second} {}", file.display())
                        }
                        _ => line.to_owned(),
                    }
                })
                .collect();
            (name.clone(), lines.join("\n") + "\n")
        });
        Self { files: files.collect() }
    }

    /// The same files, each module's line with another module and arguments in its place.
    #[must_use]
    pub fn replace_modules(&self, by: impl Fn(&str, usize) -> String) -> Self {
        let files = self.files.iter().map(|(name, text)| {
            let lines: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(number, line)| match split(line) {
                    Some((kind, control)) => format!("{kind} {control} {}", by(name, number)),
                    None => line.to_owned(),
                })
                .collect();
            (name.clone(), lines.join("\n") + "\n")
        });
        Self { files: files.collect() }
    }

    /// The files, by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The stack of a service; that of `other` where it has none.
    #[must_use]
    pub fn stack(&self, service: &str, facility: Facility) -> Vec<Line> {
        let mut lines = Vec::new();
        self.collect(service, facility, 0, 0, &mut lines);
        if lines.is_empty() {
            self.collect("other", facility, 0, 0, &mut lines);
        }
        lines
    }

    /// False if there is no such file.
    fn collect(
        &self,
        name: &str,
        facility: Facility,
        depth: usize,
        level: usize,
        into: &mut Vec<Line>,
    ) -> bool {
        let Some(text) = self.files.get(name).filter(|_| depth < DEPTH) else { return false };
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (first, rest) = word(line);
            if first == "@include" {
                if !self.collect(word(rest).0, facility, depth + 1, level, into) {
                    into.push(Line::Unreadable { level });
                }
                continue;
            }
            match Facility::named(first.trim_start_matches('-')) {
                Some(found) if found != facility => continue,
                Some(_) => {}
                None => {
                    into.push(Line::Unreadable { level });
                    continue;
                }
            }
            let (control, rest) = word(rest);
            let (module, arguments) = word(rest);
            match control {
                "include" | "substack" => {
                    let deeper = usize::from(control == "substack");
                    if deeper == 1 {
                        into.push(Line::Substack { level });
                    }
                    if !self.collect(module, facility, depth + 1, level + deeper, into) {
                        into.push(Line::Unreadable { level });
                    }
                }
                control => into.push(match Control::parse(control) {
                    Some(control) if !module.is_empty() => Line::Module {
                        level,
                        control,
                        module: module.to_owned(),
                        arguments: arguments.trim().to_owned(),
                        place: (name.to_owned(), number),
                    },
                    _ => Line::Unreadable { level },
                }),
            }
        }
        true
    }
}

/// Kind and control of a line that names a module.
fn split(line: &str) -> Option<(&str, &str)> {
    let (kind, rest) = word(line.split('#').next().unwrap_or_default());
    let control = word(rest).0;
    let names_a_module = Facility::named(kind.trim_start_matches('-')).is_some()
        && !["include", "substack"].contains(&control);
    names_a_module.then_some((kind, control))
}

/// The first word of a line, which may be a list in brackets, and the rest.
fn word(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    let end = if line.starts_with('[') {
        line.find(']').map_or(line.len(), |at| at + 1)
    } else {
        line.find(char::is_whitespace).unwrap_or(line.len())
    };
    line.split_at_checked(end).unwrap_or((line, ""))
}
