//! The built module through libpam, before an agent on a socket that sends what a script says.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, thread};

use countersign_protocol::ids::Nonce;
use countersign_protocol::ipc::{Request, read_frame};

use crate::libpam::{self, Program, Say, Transaction};
use crate::script::{Flow, Said, Script, holds_grant};

/// ana and root need their cards; bob may use his password while the agent is down; cron authenticates otherwise.
const MANAGED: &str = "user root card\nuser ana card\nuser bob card-or-password\nservice cron other-auth\n";

/// A folder with stacks, and an agent.
pub struct Stage {
    folder: tempfile::TempDir,
    agent: Arc<Mutex<Agent>>,
}

/// What the agent does with its next call, and what came of the last ones.
#[derive(Default)]
struct Agent {
    script: Script,
    /// To how many requests a grant bound to the request was among what it sent.
    grants: usize,
}

/// What the hooks answered, in the order of the calls.
pub type Codes = Vec<i32>;

impl Stage {
    /// With this module, which stays loaded: libFuzzer counts what it runs for as long as it lives.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(module: &Path) -> std::io::Result<Self> {
        keep_loaded(module);
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("managed-logins"), MANAGED)?;
        let module = module.display();
        let (managed, socket) = (at("managed-logins"), at("pam.sock"));
        let (rescue, user_socket) = (at("rescue"), at("user.sock"));
        let arguments = format!(
            "managed={} socket={} rescue={} user-socket={}",
            managed.display(),
            socket.display(),
            rescue.display(),
            user_socket.display()
        );
        // The module's own code is the stack's; IGNORE becomes the next line's PAM_CRED_EXPIRED.
        let control = "[ignore=ignore success=done default=die]";
        let stack = format!(
            "auth {control} {module} {arguments}\n\
             auth [default=die] pam_debug.so auth=cred_expired cred=cred_expired\n\
             account {control} {module} {arguments}\n\
             account [default=die] pam_debug.so acct=cred_expired\n\
             session {control} {module} {arguments}\n\
             session [default=die] pam_debug.so open_session=cred_expired close_session=cred_expired\n\
             password {control} {module} {arguments}\n\
             password [default=die] pam_debug.so prechauthtok=cred_expired chauthtok=cred_expired\n"
        );
        for service in ["login", "polkit-1", "swaylock", "cron"] {
            fs::write(at(service), &stack)?;
        }
        let agent = Arc::new(Mutex::new(Agent::default()));
        let listener = UnixListener::bind(socket)?;
        let behind = agent.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                take_call(stream, &behind);
            }
        });
        Ok(Self { folder, agent })
    }

    /// Plays one script.
    ///
    /// # Panics
    /// What must hold did not: a yes without a grant for this very request, IGNORE for somebody who needs a card, a
    /// control character on the person's terminal.
    pub fn play(&self, bytes: &[u8]) -> Codes {
        let script = Script::parse(bytes);
        let (service, user) = match script.flow {
            Flow::Login | Flow::Twice | Flow::Session => ("login", "ana"),
            Flow::Dialog => ("polkit-1", "ana"),
            Flow::OneField => ("swaylock", "ana"),
            // Root changes its own PIN, and others' passwords.
            Flow::Pin => ("login", "root"),
            Flow::PasswordAllowed => ("login", "bob"),
            Flow::AccountAlone => ("cron", "ana"),
        };
        let flags = if script.silent { libpam::SILENT } else { 0 };
        let flow = script.flow;
        let mut answers = script.answers();
        // Who needs a card is never left to others – unless the program names somebody else in the middle of it.
        let keeps_its_user = !script.changes_user();
        let person = move |program: &mut Program, style: i32, text: &str| {
            assert!(text.len() < 512, "longer than PAM allows: {text:?}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character: {text:?}");
            if style == libpam::ERROR_MSG || style == libpam::TEXT_INFO {
                return Say::Nothing;
            }
            match answers.next() {
                Some(Said::Text(text)) => Say::Text(text),
                Some(Said::Nothing) => Say::Nothing,
                Some(Said::NoResponse) => Say::NoResponse,
                Some(Said::User(user)) => {
                    program.set(libpam::USER, &user);
                    Say::Nothing
                }
                Some(Said::Fail) | None => Say::Fail,
            }
        };
        let mut pam = Transaction::start(service, Some(user), self.folder.path(), Some(Box::new(person)));
        self.put_in(script);
        let mut codes = Codes::new();
        if flow == Flow::Pin {
            let code = pam.chauthtok(flags);
            let grants = self.take_grants();
            assert!(
                code != libpam::SUCCESS || grants == 2,
                "a PIN was changed without a grant for both steps"
            );
            return vec![code];
        }
        let rounds = if flow == Flow::Twice { 2 } else { 1 };
        for _ in 0..rounds {
            let mut yes = false;
            if flow != Flow::AccountAlone {
                let code = pam.authenticate(flags);
                yes = code == libpam::SUCCESS;
                let granted = self.take_grants() > 0;
                assert!(!yes || granted, "authenticate said yes without a grant");
                codes.push(code);
            }
            let code = pam.account();
            let may = if flow == Flow::AccountAlone { self.take_grants() > 0 } else { yes };
            assert!(code != libpam::SUCCESS || may, "account said yes without a grant");
            codes.push(code);
            let code = pam.setcred();
            // Nobody authenticates for a service that does so otherwise.
            let may = yes || flow == Flow::AccountAlone;
            assert!(code != libpam::SUCCESS || may, "credentials were set without a login");
            codes.push(code);
        }
        if flow == Flow::Session {
            let sessions = [pam.open_session(), pam.close_session()];
            assert!(sessions == [libpam::SUCCESS; 2] || !keeps_its_user, "a note that is lost locks out");
            codes.extend(sessions);
        }
        assert!(!codes.contains(&libpam::IGNORED) || !keeps_its_user, "IGNORE for who needs a card");
        codes
    }

    fn put_in(&self, script: Script) {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        *agent = Agent { script, grants: 0 };
    }

    /// How many grants were sent since this was asked last.
    fn take_grants(&self) -> usize {
        std::mem::take(&mut self.agent.lock().unwrap_or_else(PoisonError::into_inner).grants)
    }
}

/// Reads the request, sends what the script says, and listens until the module hangs up.
fn take_call(mut stream: UnixStream, agent: &Mutex<Agent>) {
    let Ok(frame) = read_frame(&mut stream) else { return };
    let nonce = match serde_json::from_slice::<Request>(&frame.body) {
        Ok(Request::Authenticate(ask)) => ask.nonce,
        Ok(Request::Account(ask)) => ask.nonce,
        Ok(Request::PinCheck(ask) | Request::PinChange(ask)) => ask.nonce,
        _ => Nonce::from_bytes([0; 32]),
    };
    let bytes = {
        let mut agent = agent.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = agent.script.agent_bytes(&nonce);
        agent.grants += usize::from(holds_grant(&bytes, &nonce));
        bytes
    };
    // The module may have hung up already, or hang up in the middle.
    drop(stream.write_all(&bytes));
    drop(stream.shutdown(Shutdown::Write));
    drop(stream.read_to_end(&mut Vec::new()));
}

#[expect(unsafe_code, reason = "dlopen(3)")]
fn keep_loaded(module: &Path) {
    let Ok(path) = std::ffi::CString::new(module.as_os_str().as_encoded_bytes()) else { return };
    // SAFETY: a string that ends in a zero; the module's constructors are libFuzzer's counters at most, and the
    // handle is never closed.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null(), "{} cannot be loaded", module.display());
}
