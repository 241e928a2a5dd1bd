//! Every answer of ours with every answer of everybody else.

use std::collections::BTreeSet;

use countersign_tests::pam_stack::{Code, Dialect, Facility, Folder, Line, Transaction};

use super::modules::{Hook, any_but_one, code, constant, is_ours, refusal, says_root, vouches};
use super::outcomes::Row;
use super::programs::{Program, Way};

/// What one line says to a hook and to the one that follows.
pub(crate) type Pair = (Code, Code);

/// What was tried, and what should not have been.
#[derive(Default, Clone)]
pub(crate) struct Swept {
    /// Stacks that were run to their end, each with one set of answers.
    pub(crate) cells: u64,
    /// Ways through a whole program that these stand for.
    pub(crate) logins: u128,
    /// How many of those were let in.
    pub(crate) granted: u128,
    /// What is wrong, in words.
    pub(crate) holes: BTreeSet<String>,
}

/// How the `auth` lines ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Authenticated {
    /// Our answer, if we were asked.
    ours: Option<Code>,
    ours_setcred: Option<Code>,
    /// Somebody who was asked said who it is.
    vouched: bool,
    root: bool,
}

/// How the `account` lines ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Checked {
    ours: Option<Code>,
    root: bool,
}

/// Tries a program.
pub(crate) fn sweep(folder: &Folder, dialect: Dialect, program: Program, rows: &[Row]) -> Swept {
    let mut swept = Swept::default();
    let (ways_in, auths, let_in) = match program.way {
        Way::KnowsAlready => known(folder, dialect, program, rows, &mut swept),
        _ => authenticated(folder, dialect, program, rows, &mut swept),
    };
    let (checks, accounts, passed) = checked(folder, dialect, program, &mut swept);
    swept.logins = u128::from(auths) * u128::from(accounts);
    swept.granted = u128::from(let_in) * u128::from(passed);
    for way_in in &ways_in {
        for check in &checks {
            if let Some(hole) = hole(program, dialect, way_in, check) {
                swept.holes.insert(format!("{}: {hole} ({way_in:?}, {check:?})", program.name));
            }
        }
    }
    swept
}

/// Why somebody who came this way should not be in, if so.
fn hole(program: Program, dialect: Dialect, way_in: &Authenticated, check: &Checked) -> Option<&'static str> {
    let stands_aside = |code| code == Code::SUCCESS || code == Code::IGNORE;
    let unavailable = code("authinfo_unavail");
    match way_in.ours {
        // With `authinfo_unavail` root's file lets somebody in without a card: by whatever the stack takes from people
        // without one, a finger too where there is a reader.
        Some(code) if !stands_aside(code) && code != unavailable => {
            return Some("we said no, and they are in");
        }
        Some(code) if code != Code::SUCCESS && !way_in.vouched => {
            return Some("nobody said who it is, and they are in");
        }
        _ => {}
    }
    // Where jumps do not count nobody hears what we say to setcred; account has heard it before.
    let is_heard = dialect == Dialect::JumpsCount && way_in.ours == Some(Code::SUCCESS);
    if is_heard && way_in.ours_setcred.is_some_and(|code| !stands_aside(code)) {
        return Some("our setcred said no, and they are in");
    }
    match check.ours {
        Some(code) if !stands_aside(code) => Some("our account check said no, and they are in"),
        // The first process starts it, for who is in already. Fedora's file is content with pam_unix.
        None if program.service == "systemd-user" => None,
        None if way_in.ours.is_none() && !way_in.root && !check.root => {
            Some("nobody asked us, and they are in")
        }
        _ => None,
    }
}

/// All ends of authenticate and setcred that let in, how many sets of answers there were, and how many let in.
fn authenticated(
    folder: &Folder,
    dialect: Dialect,
    program: Program,
    rows: &[Row],
    swept: &mut Swept,
) -> (BTreeSet<Authenticated>, u64, u64) {
    let fresh = Transaction::start(folder, program.service, dialect);
    let stack = fresh.stack(Facility::Auth).to_vec();
    let ours = our_pairs(rows);
    let mut ends = BTreeSet::new();
    let (mut tried, mut let_in) = (0, 0);
    for_all(&stack, Hook::Authenticate, pairs(&stack), &mut |others| {
        for (our_auth, our_cred) in &ours {
            let mut transaction = fresh.clone();
            let mut asked = vec![false; stack.len()];
            let authenticate = transaction.authenticate(|at| {
                asked[at] = true;
                if is_ours(&stack[at]) { *our_auth } else { others[at].0 }
            });
            tried += 1;
            if authenticate != Code::SUCCESS {
                continue;
            }
            let of = if program.way == Way::AsksElsewhere { &fresh } else { &transaction };
            let mut asked_again = false;
            let setcred = match program.way {
                Way::Checks => Code::SUCCESS,
                _ => of.setcred(|at| {
                    asked_again |= is_ours(&stack[at]);
                    if is_ours(&stack[at]) { *our_cred } else { others[at].1 }
                }),
            };
            if setcred != Code::SUCCESS {
                continue;
            }
            let_in += 1;
            let who = |test: fn(&Line) -> bool| {
                (0..stack.len()).any(|at| asked[at] && test(&stack[at]) && others[at].0 == Code::SUCCESS)
            };
            let we_were = (0..stack.len()).any(|at| asked[at] && is_ours(&stack[at]));
            ends.insert(Authenticated {
                ours: we_were.then_some(*our_auth),
                ours_setcred: (we_were && asked_again).then_some(*our_cred),
                vouched: who(vouches),
                root: who(says_root),
            });
        }
    });
    swept.cells += tried;
    (ends, tried, let_in)
}

/// A program that knows already calls setcred alone: here it is only counted that it can.
fn known(
    folder: &Folder,
    dialect: Dialect,
    program: Program,
    rows: &[Row],
    swept: &mut Swept,
) -> (BTreeSet<Authenticated>, u64, u64) {
    let fresh = Transaction::start(folder, program.service, dialect);
    let stack = fresh.stack(Facility::Auth).to_vec();
    let ours: BTreeSet<Code> = rows.iter().map(|row| row.setcred).collect();
    let (mut tried, mut let_in) = (0, 0);
    for_all(&stack, Hook::Setcred, pairs(&stack), &mut |others| {
        for ours in &ours {
            let setcred = fresh.setcred(|at| if is_ours(&stack[at]) { *ours } else { others[at].1 });
            tried += 1;
            let_in += u64::from(setcred == Code::SUCCESS);
        }
    });
    swept.cells += tried;
    let end = Authenticated { ours: None, ours_setcred: None, vouched: true, root: false };
    (BTreeSet::from([end]), tried, let_in)
}

/// The same for the account check. That the password must be changed first is a way in too.
fn checked(
    folder: &Folder,
    dialect: Dialect,
    program: Program,
    swept: &mut Swept,
) -> (BTreeSet<Checked>, u64, u64) {
    const ANSWERS: [&str; 7] = [
        "success",
        "ignore",
        "perm_denied",
        "acct_expired",
        "new_authtok_reqd",
        "user_unknown",
        "module_unknown",
    ];
    let fresh = Transaction::start(folder, program.service, dialect);
    let stack = fresh.stack(Facility::Account).to_vec();
    let answers: Vec<Pair> = ANSWERS.iter().map(|name| (code(name), Code::SUCCESS)).collect();
    let mut ends = BTreeSet::new();
    let (mut tried, mut passed) = (0, 0);
    for_all(&stack, Hook::Account, answers, &mut |others| {
        // Whether the frozen table has it or not.
        for ours in any_but_one() {
            let (mut we_were, mut root) = (false, false);
            let result = fresh.account(|at| {
                we_were |= is_ours(&stack[at]);
                root |= says_root(&stack[at]) && others[at].0 == Code::SUCCESS;
                if is_ours(&stack[at]) { ours } else { others[at].0 }
            });
            tried += 1;
            if result == Code::SUCCESS || result == Code::NEW_AUTHTOK_REQD {
                passed += 1;
                ends.insert(Checked { ours: we_were.then_some(ours), root });
            }
        }
    });
    swept.cells += tried;
    (ends, tried, passed)
}

/// What we may say to authenticate and then to setcred: any two of the table, whether they belong together or not, and
/// what libpam says where our module cannot be loaded.
fn our_pairs(rows: &[Row]) -> BTreeSet<Pair> {
    let table = rows.iter().flat_map(|row| rows.iter().map(|other| (row.authenticate, other.setcred)));
    table.chain([(Code::MODULE_UNKNOWN, Code::MODULE_UNKNOWN)]).collect()
}

/// What others say to authenticate and then to setcred. In the longest stacks, what is missing counts as a no.
fn pairs(stack: &[Line]) -> Vec<Pair> {
    const LONG: usize = 6;
    let yes = Code::SUCCESS;
    let mut pairs = vec![
        (yes, yes),
        (refusal(Hook::Authenticate), refusal(Hook::Setcred)),
        (Code::IGNORE, Code::IGNORE),
        (yes, refusal(Hook::Setcred)),
    ];
    if free(stack, Hook::Authenticate).len() < LONG {
        pairs.push((Code::MODULE_UNKNOWN, Code::MODULE_UNKNOWN));
        pairs.push((code("user_unknown"), yes));
    }
    pairs
}

/// The lines whose answer is not always the same and not ours.
pub(crate) fn free(stack: &[Line], hook: Hook) -> Vec<usize> {
    (0..stack.len())
        .filter(|at| {
            stack[*at].module().is_some() && !is_ours(&stack[*at]) && constant(&stack[*at], hook).is_none()
        })
        .collect()
}

/// Calls `each` with every combination of these answers on the free lines.
pub(crate) fn for_all(stack: &[Line], hook: Hook, answers: Vec<Pair>, each: &mut dyn FnMut(&[Pair])) {
    let free = free(stack, hook);
    let second = if hook == Hook::Authenticate { Hook::Setcred } else { hook };
    let mut others: Vec<Pair> = stack
        .iter()
        .map(|line| {
            (constant(line, hook).unwrap_or(Code::SUCCESS), constant(line, second).unwrap_or(Code::SUCCESS))
        })
        .collect();
    let mut digits = vec![0; free.len()];
    loop {
        for (at, digit) in free.iter().zip(&digits) {
            others[*at] = answers[*digit];
        }
        each(&others);
        // The next number in this base.
        let Some(place) = digits.iter().position(|digit| *digit + 1 < answers.len()) else { return };
        digits[..place].fill(0);
        digits[place] += 1;
    }
}
