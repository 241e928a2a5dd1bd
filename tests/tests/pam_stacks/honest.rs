//! Who should get in does; who needs no card notices nothing.

use countersign_tests::pam_stack::{Code, Dialect, Facility, Folder, Line, Transaction};

use super::configurations::{self, Configuration};
use super::modules::{
    Hook, any_but_one, code, honest, is_for_the_console, is_ours, refusal, says_root, vouches,
};
use super::programs::{PROGRAMS, Program, Way};
use super::sweep::for_all;

/// What we say to each hook, and whether the person knows their password.
struct Person {
    authenticate: Code,
    account: Code,
    setcred: Code,
    password: bool,
    /// It is root who starts the program.
    root: bool,
}

impl Person {
    fn unmanaged() -> Self {
        let [authenticate, account, setcred] = [Code::IGNORE; 3];
        Self { authenticate, account, setcred, password: true, root: false }
    }

    fn with_card() -> Self {
        let [authenticate, account, setcred] = [Code::SUCCESS; 3];
        Self { authenticate, account, setcred, password: false, root: false }
    }

    /// `card-or-password`, and the agent does not run.
    fn with_password_instead() -> Self {
        Self { authenticate: code("authinfo_unavail"), password: true, ..Self::with_card() }
    }

    /// Root, who becomes somebody with a card, and has none.
    fn root(account: Code) -> Self {
        let authenticate = code("auth_err");
        Self { authenticate, account, setcred: Code::SUCCESS, password: false, root: true }
    }

    fn says(&self, line: &Line, hook: Hook) -> Code {
        match (is_ours(line), hook) {
            (true, Hook::Authenticate) => self.authenticate,
            (true, Hook::Account) => self.account,
            (true, Hook::Setcred) => self.setcred,
            (true, _) => Code::SUCCESS,
            (false, Hook::Authenticate | Hook::Account)
                if self.root && says_root(line) && !is_for_the_console(line) =>
            {
                Code::SUCCESS
            }
            (false, Hook::Authenticate) if !self.password && line.module() == Some("pam_unix.so") => {
                code("auth_err")
            }
            (false, hook) => honest(line, hook),
        }
    }

    /// Whether the program lets this person in, and whether a password was asked on the way.
    fn uses(&self, folder: &Folder, dialect: Dialect, program: Program) -> (bool, bool) {
        let mut transaction = Transaction::start(folder, program.service, dialect);
        let [auth, account, session] = [Facility::Auth, Facility::Account, Facility::Session]
            .map(|facility| transaction.stack(facility).to_vec());
        let mut asked = false;
        let mut yes = true;
        if program.way != Way::KnowsAlready {
            yes &= transaction.authenticate(|at| {
                asked |= auth[at].module() == Some("pam_unix.so");
                self.says(&auth[at], Hook::Authenticate)
            }) == Code::SUCCESS;
        }
        yes &= transaction.account(|at| self.says(&account[at], Hook::Account)) == Code::SUCCESS;
        if program.way != Way::Checks {
            if program.way == Way::AsksElsewhere {
                transaction = Transaction::start(folder, program.service, dialect);
            }
            yes &= transaction.setcred(|at| self.says(&auth[at], Hook::Setcred)) == Code::SUCCESS;
            yes &= transaction.open(|at| self.says(&session[at], Hook::Session)) == Code::SUCCESS;
        }
        (yes, asked)
    }
}

/// Programs that a configuration leaves to `other`, where that lets nobody in, and those that only know fingers or
/// nobody at all.
fn works_without_us(folder: &Folder, dialect: Dialect, program: Program) -> bool {
    Person::unmanaged().uses(folder, dialect, program).0
}

#[test]
fn who_should_get_in_gets_in_through_every_shipped_stack() {
    let mut ways_in = 0;
    for configuration in configurations::all() {
        for program in configuration
            .programs()
            .filter(|program| works_without_us(&configuration.without, configuration.dialect, *program))
        {
            let at = format!("{} in {}", program.name, configuration.name);
            let Configuration { with, dialect, .. } = configuration;
            let dialect = *dialect;
            assert!(Person::unmanaged().uses(with, dialect, program).0, "unmanaged, {at}");
            assert_eq!(Person::with_card().uses(with, dialect, program), (true, false), "by card, {at}");
            assert!(
                Person::with_password_instead().uses(with, dialect, program).0,
                "by password instead, {at}"
            );
            ways_in += 3;
        }
    }
    println!("{ways_in} honest logins, none locked out");
    assert!(ways_in > 250, "{ways_in}");
}

/// By the example, and by Fedora's own file, which ends the account check for root. By Debian's own file only if root's
/// file says that `su` may authenticate otherwise: our account check was not told of any card.
#[test]
fn root_becomes_who_needs_a_card_by_su_where_the_stack_or_the_managed_file_says_so() {
    let (not_asked, other_auth) = (Person::root(code("perm_denied")), Person::root(Code::SUCCESS));
    for configuration in configurations::all() {
        let Configuration { with, dialect, .. } = configuration;
        for program in configuration.programs().filter(|program| ["su", "su-l"].contains(&program.service)) {
            let at = format!("{} in {}", program.name, configuration.name);
            let is_there = with.files().any(|(name, _)| name == program.service);
            let by_stack = is_there && !configuration.name.starts_with("Debian");
            assert_eq!(not_asked.uses(with, *dialect, program), (by_stack, false), "{at}");
            assert_eq!(other_auth.uses(with, *dialect, program), (is_there, false), "{at}, other-auth");
        }
    }
}

#[test]
fn a_finger_is_asked_for_only_where_a_password_would_do() {
    let mut fingers = 0;
    for Configuration { with, dialect, .. } in configurations::all() {
        for program in PROGRAMS {
            let fresh = Transaction::start(with, program.service, *dialect);
            let stack = fresh.stack(Facility::Auth).to_vec();
            let is_finger = |line: &Line| line.module() == Some("pam_fprintd.so");
            if !stack.iter().any(is_ours) || !stack.iter().any(is_finger) {
                continue;
            }
            for ours in any_but_one() {
                let mut asked = false;
                let mut transaction = fresh.clone();
                let result = transaction.authenticate(|at| match &stack[at] {
                    line if is_ours(line) => ours,
                    line if is_finger(line) => {
                        asked = true;
                        Code::SUCCESS
                    }
                    line if vouches(line) => code("auth_err"),
                    line => honest(line, Hook::Authenticate),
                });
                let would_do = ours == Code::IGNORE || ours == code("authinfo_unavail");
                assert_eq!(asked, would_do, "{ours:?}: {}", program.name);
                assert!(
                    ours == Code::SUCCESS || (result == Code::SUCCESS) == would_do,
                    "{ours:?}: {}",
                    program.name
                );
                fingers += u32::from(asked);
            }
        }
    }
    assert!(fingers > 0);
}

#[test]
fn a_wrong_pin_or_a_denial_never_leads_to_a_password() {
    for configuration in configurations::all() {
        for program in configuration.programs().filter(|program| program.way != Way::KnowsAlready) {
            for refusal in ["auth_err", "perm_denied", "maxtries", "module_unknown", "system_err", "abort"] {
                let person = Person { authenticate: code(refusal), ..Person::unmanaged() };
                let asks_us = configuration.with.stack(program.service, Facility::Auth).iter().any(is_ours);
                let (yes, asked) = person.uses(&configuration.with, configuration.dialect, program);
                let at = format!("{refusal}: {} in {}", program.name, configuration.name);
                assert!(!asks_us || (!yes && !asked), "{at}");
            }
        }
    }
}

#[test]
fn who_needs_no_card_gets_the_same_answer_as_without_us_whatever_others_say() {
    let mut cells = 0_u64;
    for configuration in configurations::all() {
        for program in configuration.programs() {
            cells += same_for_unmanaged(configuration, program);
        }
    }
    println!("{cells} answers for people without a card, each as without us");
}

fn same_for_unmanaged(configuration: &Configuration, program: Program) -> u64 {
    let Configuration { with, without, dialect, .. } = configuration;
    let [ours, theirs] = [with, without].map(|folder| Transaction::start(folder, program.service, *dialect));
    let mut cells = 0;
    for (facility, hook) in [(Facility::Auth, Hook::Authenticate), (Facility::Account, Hook::Account)] {
        let stack = ours.stack(facility).to_vec();
        let shipped = |line: &Line| is_ours(line) || is_for_the_console(line);
        // Our lines are between theirs: without them, the places are the same in order.
        let places: Vec<usize> = (0..stack.len()).filter(|at| !shipped(&stack[*at])).collect();
        let names = |stack: &[Line]| -> Vec<Option<String>> {
            let others = stack.iter().filter(|line| !shipped(line));
            others.map(|line| line.module().map(str::to_owned)).collect()
        };
        assert_eq!(names(&stack), names(theirs.stack(facility)), "{}", program.name);
        let answers = ["success", "auth_err", "ignore", "new_authtok_reqd"];
        let answers: Vec<(Code, Code)> = answers.map(|name| (code(name), code(name))).into();
        for_all(&stack, hook, answers, &mut |others| {
            let (mut one, mut two) = (ours.clone(), theirs.clone());
            let us = |at: usize| match &stack[at] {
                line if is_ours(line) => Some(Code::IGNORE),
                line if is_for_the_console(line) => Some(honest(line, hook)),
                _ => None,
            };
            let say = |at: usize| us(at).unwrap_or(others[at].0);
            let then = |at: usize| us(at).unwrap_or(others[at].1);
            let (before, after) = match hook {
                Hook::Account => (two.account(|at| others[places[at]].0), one.account(say)),
                _ => {
                    let before =
                        (two.authenticate(|at| others[places[at]].0), two.setcred(|at| others[places[at]].1));
                    let after = (one.authenticate(say), one.setcred(then));
                    assert_eq!(before.1, after.1, "setcred of {} for {others:?}", program.name);
                    (before.0, after.0)
                }
            };
            assert_eq!(before, after, "{facility:?} of {} for {others:?}", program.name);
            cells += 1;
        });
    }
    cells
}

#[test]
fn our_yes_never_outweighs_anothers_no_about_an_account() {
    for configuration in configurations::all() {
        for program in configuration.programs() {
            let fresh = Transaction::start(&configuration.with, program.service, configuration.dialect);
            let stack = fresh.stack(Facility::Account).to_vec();
            let directory = |line: &Line| vouches(line) && line.module() != Some("pam_rootok.so");
            for bad in ["acct_expired", "perm_denied", "auth_err", "user_unknown"] {
                let result = fresh.account(|at| match &stack[at] {
                    line if is_ours(line) => Code::SUCCESS,
                    line if directory(line) => code(bad),
                    line => honest(line, Hook::Account),
                });
                let knows = stack.iter().any(directory);
                assert!(
                    !knows || result != Code::SUCCESS,
                    "{bad}: {} in {}",
                    program.name,
                    configuration.name
                );
            }
        }
    }
}

#[test]
fn what_we_say_about_a_session_changes_nothing() {
    for configuration in configurations::all() {
        for program in configuration.programs() {
            let mut fresh = Transaction::start(&configuration.with, program.service, configuration.dialect);
            let stack = fresh.stack(Facility::Session).to_vec();
            for failing in 0..=stack.len() {
                let mut results = any_but_one().map(|ours| {
                    let mut say = |at: usize| match &stack[at] {
                        line if is_ours(line) => ours,
                        _ if at == failing => refusal(Hook::Session),
                        line => honest(line, Hook::Session),
                    };
                    (fresh.open(&mut say), fresh.close(&mut say))
                });
                let first = results.next().unwrap();
                assert!(results.all(|result| result == first), "{} in {}", program.name, configuration.name);
            }
        }
    }
}

/// Who should get in and does not, in words.
pub(crate) fn locked_out(with: &Folder, without: &Folder, dialect: Dialect) -> Vec<String> {
    let people = [
        ("who needs no card", Person::unmanaged()),
        ("who has a card", Person::with_card()),
        ("who may use a password instead", Person::with_password_instead()),
    ];
    let mut out = Vec::new();
    for program in PROGRAMS.into_iter().filter(|program| works_without_us(without, dialect, *program)) {
        for (who, person) in &people {
            if !person.uses(with, dialect, program).0 {
                out.push(format!("locked out: {who}, by {}", program.name));
            }
        }
        if Person::with_card().uses(with, dialect, program).1 {
            out.push(format!("locked out: who has a card is asked for a password by {}", program.name));
        }
    }
    out
}
