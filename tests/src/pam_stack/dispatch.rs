//! How answers become one.

use super::{Action, Code, Line};

/// What each line answered when its stack ran first: `setcred` goes the way that `authenticate` went, and
/// `close_session` that of `open_session`, whatever the modules answer this time.
pub type Frozen = Vec<Option<Code>>;

/// Where libraries differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// A line that jumps counts when `setcred` and `close_session` go a frozen way: upstream's libpam.
    JumpsCount,
    /// It does not, as in `authenticate`: Debian 12's libpam.
    JumpsDoNotCount,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::JumpsCount, Self::JumpsDoNotCount];
}

/// Of the lines so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Impression {
    None,
    Positive,
    Negative,
}

#[derive(Clone, Copy)]
struct State {
    impression: Impression,
    status: Code,
}

/// Runs a stack. `answer` is asked by a line's place in it; `frozen` is what an earlier run left, where this one goes
/// its way. Returns libpam's answer and what each line answered.
pub fn dispatch(
    stack: &[Line],
    mut answer: impl FnMut(usize) -> Code,
    frozen: Option<(Dialect, &Frozen)>,
) -> (Code, Frozen) {
    let mut answers: Frozen = vec![None; stack.len()];
    let mut state = State { impression: Impression::None, status: Code::PERM_DENIED };
    // What was so when the substack of this level began.
    let mut before = vec![state];
    let mut previous = 0;
    let mut at = 0;
    while let Some(line) = stack.get(at) {
        let level = line.level();
        if previous < level {
            before.truncate(level);
            before.resize(level + 1, state);
        }
        previous = level;
        let (control, said) = match line {
            Line::Substack { .. } => {
                at += 1;
                continue;
            }
            Line::Unreadable { .. } => (None, Code::PERM_DENIED),
            Line::Module { control, .. } => (Some(control), answer(at)),
        };
        if let Some(place) = answers.get_mut(at) {
            *place = Some(said);
        }
        let way = frozen.and_then(|(_, way)| way.get(at).copied().flatten()).unwrap_or(said);
        let action = control.map_or(Action::Bad, |control| control.of(way));
        let open = state.impression == Impression::None
            || (state.impression == Impression::Positive && state.status == Code::SUCCESS);
        // On a frozen way a module may stand aside that did not before: it is not what libpam answers.
        let counts = said != Code::IGNORE || way == said;
        match action {
            Action::Ignore => {}
            Action::Reset => {
                if let Some(earlier) = before.get(level) {
                    state = *earlier;
                }
            }
            Action::Ok | Action::Done => {
                if open && counts {
                    state = State { impression: Impression::Positive, status: said };
                }
                if action == Action::Done && state.impression == Impression::Positive {
                    at = end_of_level(stack, at);
                }
            }
            Action::Bad | Action::Die => {
                if state.impression != Impression::Negative {
                    let status = if said == Code::IGNORE { Code::PERM_DENIED } else { said };
                    state = State { impression: Impression::Negative, status };
                }
                if action == Action::Die {
                    at = end_of_level(stack, at);
                }
            }
            Action::Jump(lines) => {
                if matches!(frozen, Some((Dialect::JumpsCount, _))) && open && counts {
                    state = State { impression: Impression::Positive, status: said };
                }
                match jump(stack, at, lines.into()) {
                    Some(landed) => at = landed,
                    None => {
                        state = State { impression: Impression::Negative, status: Code::PERM_DENIED };
                        at = end_of_level(stack, at);
                    }
                }
            }
        }
        at += 1;
    }
    let unearned = state.status == Code::SUCCESS && state.impression != Impression::Positive;
    (if unearned { Code::PERM_DENIED } else { state.status }, answers)
}

/// The last line of the substack that `at` is in.
fn end_of_level(stack: &[Line], at: usize) -> usize {
    let level = stack.get(at).map_or(0, Line::level);
    let below = stack.iter().enumerate().skip(at + 1);
    below.take_while(|(_, line)| line.level() >= level).last().map_or(at, |(last, _)| last)
}

/// The last line that is left out; a whole substack is one. `None` if there are not so many.
fn jump(stack: &[Line], mut at: usize, lines: usize) -> Option<usize> {
    let level = stack.get(at).map_or(0, Line::level);
    for _ in 0..lines {
        stack.get(at + 1).filter(|next| next.level() >= level)?;
        at += 1;
        while stack.get(at + 1).is_some_and(|next| next.level() > level) {
            at += 1;
        }
    }
    Some(at)
}
