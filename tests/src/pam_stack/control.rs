//! The second word of a line: what to do about each answer.

use super::Code;

/// What to do about an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// As if the line were not there.
    Ignore,
    /// Counts as a no; the lines below still run.
    Bad,
    /// Counts as a no; nothing below runs.
    Die,
    /// Counts, if there is no no yet.
    Ok,
    /// Counts; nothing below runs if there is no no yet.
    Done,
    /// Forgets what was decided so far.
    Reset,
    /// Leaves out so many lines.
    Jump(u8),
}

/// An action for each answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control([Action; Code::COUNT]);

impl Control {
    /// Reads a word (`required`) or a list (`[success=ok default=die]`); `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let list = match text.to_ascii_lowercase().as_str() {
            "required" => "success=ok new_authtok_reqd=ok ignore=ignore default=bad".to_owned(),
            "requisite" => "success=ok new_authtok_reqd=ok ignore=ignore default=die".to_owned(),
            "optional" => "success=ok new_authtok_reqd=ok default=ignore".to_owned(),
            "sufficient" => "success=done new_authtok_reqd=done default=ignore".to_owned(),
            list => list.strip_prefix('[')?.strip_suffix(']')?.to_owned(),
        };
        let mut actions = [None; Code::COUNT];
        let mut default = Action::Bad;
        for pair in list.split_whitespace() {
            let (name, action) = pair.split_once('=')?;
            let action = action_named(action)?;
            match name {
                "default" => default = action,
                name => *actions.get_mut(Code::named(name)?.index())? = Some(action),
            }
        }
        Some(Self(actions.map(|action| action.unwrap_or(default))))
    }

    /// What to do about this answer.
    #[must_use]
    pub fn of(&self, code: Code) -> Action {
        self.0.get(code.index()).copied().unwrap_or(Action::Bad)
    }
}

fn action_named(name: &str) -> Option<Action> {
    Some(match name {
        "ignore" => Action::Ignore,
        "bad" => Action::Bad,
        "die" => Action::Die,
        "ok" => Action::Ok,
        "done" => Action::Done,
        "reset" => Action::Reset,
        number => Action::Jump(number.parse().ok().filter(|lines| *lines > 0)?),
    })
}
