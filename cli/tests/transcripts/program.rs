//! Running `countersign`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program with `words` and nothing on standard input.
pub(crate) fn countersign(words: &[&str]) -> Ended {
    answering(words, "")
}

/// The same with the agent's socket at `socket`.
pub(crate) fn countersign_at(socket: &Path, words: &[&str], input: &str) -> Ended {
    let socket = socket.to_str().unwrap();
    answering(&[&["--socket", socket], words].concat(), input)
}

/// Runs the program with `input` on standard input.
pub(crate) fn answering(words: &[&str], input: &str) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends without reading is none of our business.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ended {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Ended {
    /// It failed with `code`, said `what` on standard error, and nothing on standard output.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, what: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        for words in what {
            assert!(self.err.contains(words), "{words:?} is missing: {}", self.err);
        }
    }

    /// The error as a program reads it.
    #[track_caller]
    pub(crate) fn error(&self) -> serde_json::Value {
        let mut value: serde_json::Value =
            serde_json::from_str(self.err.lines().last().unwrap_or_default()).unwrap();
        value["error"].take()
    }
}
