//! The model beside the library: `pam_debug.so` says on every line what the model's module says.

use countersign_tests::pam_stack::{Call, Code, Dialect, Facility, Folder, Libpam, Line, Transaction};

use super::configurations;
use super::modules::{Hook, code, constant, honest, is_ours};
use super::outcomes;

/// What one line says to each hook.
#[derive(Clone, Copy)]
struct Answers {
    authenticate: Code,
    setcred: Code,
    account: Code,
    open: Code,
    close: Code,
    preliminary: Code,
    update: Code,
}

const CALLS: [Call; 6] =
    [Call::Authenticate, Call::Setcred, Call::Account, Call::Open, Call::Close, Call::ChangePassword];

const APART: [Call; 3] = [Call::Setcred, Call::Account, Call::Open];

impl Answers {
    fn all(code: Code) -> Self {
        Self {
            authenticate: code,
            setcred: code,
            account: code,
            open: code,
            close: code,
            preliminary: code,
            update: code,
        }
    }

    fn honest(line: &Line) -> Self {
        Self {
            authenticate: honest(line, Hook::Authenticate),
            setcred: honest(line, Hook::Setcred),
            account: honest(line, Hook::Account),
            open: honest(line, Hook::Session),
            close: honest(line, Hook::Session),
            preliminary: honest(line, Hook::Preliminary),
            update: honest(line, Hook::Update),
        }
    }

    fn drawn(dice: &mut Dice) -> Self {
        Self {
            authenticate: dice.code(),
            setcred: dice.code(),
            account: dice.code(),
            open: dice.code(),
            close: dice.code(),
            preliminary: dice.code(),
            update: dice.code(),
        }
    }

    fn of(&self, call: Call) -> Code {
        match call {
            Call::Authenticate => self.authenticate,
            Call::Setcred => self.setcred,
            Call::Account => self.account,
            Call::Open => self.open,
            Call::Close => self.close,
            Call::ChangePassword => self.update,
        }
    }

    fn line(&self) -> String {
        format!(
            "pam_debug.so auth={} cred={} acct={} open_session={} close_session={} prechauthtok={} chauthtok={}",
            self.authenticate.name(),
            self.setcred.name(),
            self.account.name(),
            self.open.name(),
            self.close.name(),
            self.preliminary.name(),
            self.update.name()
        )
    }
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn code(&mut self) -> Code {
        let usual = [Code::SUCCESS, Code::SUCCESS, Code::IGNORE, code("auth_err"), Code::NEW_AUTHTOK_REQD];
        match self.below(8) {
            at @ 0..5 => usual[at],
            _ => Code::all().nth(self.below(Code::COUNT)).unwrap(),
        }
    }
}

/// Both ways through one service, by the model and by the library.
struct Bench {
    libpam: Libpam,
    /// This machine's.
    dialect: Dialect,
    folder: tempfile::TempDir,
    cells: u64,
}

impl Bench {
    fn new() -> Self {
        // In memory: every cell is a folder of files.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut libpam = Libpam::start().unwrap();
        let probe = "auth [success=1] pam_debug.so cred=cred_err\nauth required pam_deny.so\nauth required pam_permit.so\n";
        std::fs::write(folder.path().join("probe"), probe).unwrap();
        std::fs::write(folder.path().join("other"), "auth required pam_deny.so\n").unwrap();
        let codes = libpam.run(folder.path(), "probe", &[Call::Authenticate, Call::Setcred]).unwrap();
        let counts = codes.get(1) != Some(&Code::SUCCESS);
        let dialect = if counts { Dialect::JumpsCount } else { Dialect::JumpsDoNotCount };
        Self { libpam, dialect, folder, cells: 0 }
    }

    fn compare(
        &mut self,
        folder: &Folder,
        service: &str,
        answers: &dyn Fn(&str, usize) -> Answers,
        what: &str,
    ) {
        let debugged = folder.replace_modules(|file, number| answers(file, number).line());
        debugged.rooted(self.folder.path()).write(self.folder.path()).unwrap();
        for calls in [CALLS.as_slice(), &APART] {
            let real = self.libpam.run(self.folder.path(), service, calls).unwrap();
            let model = modelled(folder, self.dialect, service, calls, answers);
            self.cells += u64::try_from(calls.len()).unwrap();
            if real != model {
                let said: Vec<String> = Facility::ALL
                    .iter()
                    .flat_map(|facility| folder.stack(service, *facility))
                    .map(|line| match &line {
                        Line::Module { place, module, .. } => {
                            format!("{module}: {}", answers(&place.0, place.1).line())
                        }
                        other => format!("{other:?}"),
                    })
                    .collect();
                panic!(
                    "{service}, {what}: {calls:?}\nlibpam {real:?}\nmodel  {model:?}\n{}",
                    said.join("\n")
                );
            }
        }
    }
}

fn modelled(
    folder: &Folder,
    dialect: Dialect,
    service: &str,
    calls: &[Call],
    answers: &dyn Fn(&str, usize) -> Answers,
) -> Vec<Code> {
    let mut transaction = Transaction::start(folder, service, dialect);
    let [auth, account, session, password] =
        Facility::ALL.map(|facility| transaction.stack(facility).to_vec());
    let say = |stack: &[Line], at: usize| match &stack[at] {
        Line::Module { place, .. } => answers(&place.0, place.1),
        _ => Answers::all(Code::PERM_DENIED),
    };
    let one = |transaction: &mut Transaction, call: Call| match call {
        Call::Authenticate => transaction.authenticate(|at| say(&auth, at).of(call)),
        Call::Setcred => transaction.setcred(|at| say(&auth, at).of(call)),
        Call::Account => transaction.account(|at| say(&account, at).of(call)),
        Call::Open => transaction.open(|at| say(&session, at).of(call)),
        Call::Close => transaction.close(|at| say(&session, at).of(call)),
        Call::ChangePassword => {
            transaction.change_password(|at| say(&password, at).preliminary, |at| say(&password, at).update)
        }
    };
    calls.iter().map(|call| one(&mut transaction, *call)).collect()
}

/// By other files alone: no program's service.
fn is_included(name: &str) -> bool {
    name.starts_with("common-")
        || ["system-auth", "password-auth", "fingerprint-auth", "postlogin"].contains(&name)
}

#[test]
fn libpam_answers_as_the_model_does_on_every_shipped_stack() {
    const DRAWN: usize = 4;
    let rows = outcomes::distinct();
    let mut bench = Bench::new();
    let mut dice = Dice(4);
    let mut logins = 0;
    let dialect = bench.dialect;
    // Those of another dialect are the same files, or Fedora's, which this library reads in its own.
    for configuration in
        configurations::all().iter().filter(|one| one.dialect == dialect || one.is_fedora_s())
    {
        let services: Vec<&str> = configuration.with.files().map(|(name, _)| name).collect();
        for service in services.into_iter().filter(|name| !is_included(name)) {
            let lines: Vec<Line> = Facility::ALL
                .iter()
                .flat_map(|facility| configuration.with.stack(service, *facility))
                .filter(|line| line.module().is_some())
                .collect();
            for row in &rows {
                let ours = Answers {
                    authenticate: row.authenticate,
                    setcred: row.setcred,
                    account: row.account,
                    open: row.session,
                    close: row.session,
                    preliminary: row.password,
                    update: row.password,
                };
                for number in 0..=DRAWN {
                    // Everybody else honest, and then anything.
                    let drawn: Vec<Answers> = lines.iter().map(|_| Answers::drawn(&mut dice)).collect();
                    let answers = |file: &str, at: usize| {
                        let found = lines.iter().position(|line| {
                            matches!(line, Line::Module { place, .. } if place.0 == file && place.1 == at)
                        });
                        match found.map(|index| (&lines[index], drawn[index])) {
                            Some((line, _)) if is_ours(line) => ours,
                            Some((line, _)) if number == 0 || constant(line, Hook::Account).is_some() => {
                                Answers::honest(line)
                            }
                            Some((_, drawn)) => drawn,
                            None => Answers::all(Code::SUCCESS),
                        }
                    };
                    let what = format!("{} in {}", row.name, configuration.name);
                    bench.compare(&configuration.with, service, &answers, &what);
                    logins += 1;
                }
            }
        }
    }
    println!(
        "{logins} sets of answers on shipped stacks, {} answers of libpam, each as the model's",
        bench.cells
    );
}

#[test]
fn libpam_answers_as_the_model_does_on_stacks_that_nobody_would_ship() {
    const STACKS: usize = 3000;
    let mut bench = Bench::new();
    let mut dice = Dice(1);
    for number in 0..STACKS {
        let mut folder = Folder::default();
        for name in ["one", "two", "three", "other"] {
            folder.put(name, &any_file(name, &mut dice));
        }
        let seed = dice.below(usize::MAX);
        let answers = |file: &str, at: usize| {
            let place =
                file.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
            Answers::drawn(&mut Dice(u64::try_from(place.wrapping_mul(1009).wrapping_add(at)).unwrap()))
        };
        let text: Vec<String> = folder.files().map(|(name, text)| format!("{name}:\n{text}")).collect();
        bench.compare(&folder, "one", &answers, &format!("stack {number}\n{}", text.join("\n")));
    }
    println!("{STACKS} drawn stacks, {} answers of libpam, each as the model's", bench.cells);
}

/// A file of one to seven lines of each kind, with everything that a line can be. `one` may include `two`, and so on.
fn any_file(name: &str, dice: &mut Dice) -> String {
    const ACTIONS: [&str; 9] = ["ignore", "bad", "die", "ok", "done", "reset", "1", "2", "3"];
    const CODES: [&str; 6] = ["success", "ignore", "auth_err", "new_authtok_reqd", "cred_err", "default"];
    let next = match name {
        "one" => Some("two"),
        "two" => Some("three"),
        _ => None,
    };
    let mut text = String::new();
    for kind in ["auth", "account", "session", "password"] {
        for _ in 0..=dice.below(6) {
            let word = match (dice.below(10), next) {
                (0, Some(next)) => {
                    text += &format!("{kind} include {next}\n");
                    continue;
                }
                (1, Some(next)) => {
                    text += &format!("{kind} substack {next}\n");
                    continue;
                }
                (2, Some(next)) if dice.below(4) == 0 => {
                    text += &format!("@include {next}\n");
                    continue;
                }
                (2 | 3, _) => ["required", "requisite", "sufficient", "optional"][dice.below(4)].to_owned(),
                _ => {
                    let pairs: Vec<String> = CODES
                        .iter()
                        .filter_map(|code| {
                            let action = ACTIONS[dice.below(ACTIONS.len())];
                            (dice.below(3) > 0).then(|| format!("{code}={action}"))
                        })
                        .collect();
                    if pairs.is_empty() { "required".to_owned() } else { format!("[{}]", pairs.join(" ")) }
                }
            };
            text += &format!("{kind} {word} pam_any.so\n");
        }
    }
    text
}
