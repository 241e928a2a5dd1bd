//! `[log]`: what is written to stderr.

use serde::{Deserialize, Serialize};

use crate::log::Level;

/// What is written to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is not worth a line.
    pub level: LogLevel,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people, in a terminal or the journal.
    #[default]
    Text,
    /// One JSON object in each line, for programs.
    Json,
}

/// The least that is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Every message.
    #[default]
    Info,
    /// What somebody should look at: refusals, limits, what ends soon.
    Warning,
    /// What the server could not do.
    Error,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Info => Self::Info,
            LogLevel::Warning => Self::Warning,
            LogLevel::Error => Self::Error,
        }
    }
}
