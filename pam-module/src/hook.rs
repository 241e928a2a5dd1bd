//! A hook's common beginning and end: who is it, is a card asked of them, and what is said when not.

use std::ffi::CStr;
use std::path::Path;

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{Conversation as _, Denial, Grant, LoginReply, LoginRequest, NoteKind};
use countersign_protocol::random::Random;
use countersign_protocol::rescue;
use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};

use crate::args::Args;
use crate::client::{self, CallError, Patience};
use crate::conversation::Person;
use crate::handle::Handle;
use crate::managed_file::{self, Demand, Unmanaged};
use crate::outcome::{self, Hook, Outcome};
use crate::permit::Who;
use crate::programs::{self, Manner, Questions};
use crate::rescue_file::{self, Rescue};
use crate::syslog::Log;
use crate::{account, authenticate, chauthtok, sessions, setcred};

/// One call of one hook, from libpam's words to PAM's code.
pub(crate) fn run(
    hook: Hook,
    handle: Handle<'_>,
    flags: PamFlag,
    words: &[&CStr],
    random: &dyn Random,
) -> PamResultCode {
    let service = handle.service();
    let log = Log::new(service.as_deref(), hook);
    let manner = programs::manner(service.as_deref().unwrap_or_default(), flags & PAM_SILENT != 0);
    let mut scene = Scene { hook, handle, log, flags, manner, random };
    let args = Args::parse(words);
    let rescue = args.as_ref().map_or(Path::new(rescue::PATH), |args| &args.rescue);
    let outcome = match (scene.rescued(rescue), &args) {
        (Some(proof), _) => Outcome::Rescued(proof),
        (None, Ok(args)) => {
            scene.log.debug = args.debug;
            match hook {
                Hook::Authenticate => authenticate::run(&mut scene, args),
                Hook::Account => account::run(&mut scene, args),
                Hook::Setcred => setcred::run(&mut scene, args),
                Hook::OpenSession => sessions::opened(&mut scene, args),
                Hook::CloseSession => sessions::closed(&mut scene, args),
                Hook::Chauthtok => chauthtok::run(&mut scene, args),
            }
        }
        (None, Err(error)) => scene.broken(&error.to_string()),
    };
    let code = outcome::code(hook, &outcome);
    scene.log.debug(&format!("answers {code:?}"));
    code
}

/// What every step of a hook works with.
pub(crate) struct Scene<'h, 'r> {
    hook: Hook,
    pub(crate) handle: Handle<'h>,
    pub(crate) log: Log,
    pub(crate) flags: PamFlag,
    manner: Manner,
    pub(crate) random: &'r dyn Random,
}

/// A login of which a card is asked.
pub(crate) struct Managed {
    pub(crate) who: Who,
    pub(crate) password_allowed: bool,
    /// Its service may authenticate otherwise.
    pub(crate) other_auth: bool,
}

impl Scene<'_, '_> {
    /// Whether root put the rescue file in place. Each time it is used the log says so.
    fn rescued(&self, path: &Path) -> Option<Rescue> {
        match rescue_file::look(path) {
            Ok(None) => None,
            Ok(Some(proof)) => {
                self.log.warning(&format!(
                    "{} is there: no card is asked of anybody on this host. Remove it when all is well again",
                    path.display()
                ));
                Some(proof)
            }
            Err(error) => {
                self.log.error(&format!(
                    "{} is no rescue file, and cards are asked for as ever: {error}. Make it as root: touch it in a \
                     folder that only root can write",
                    path.display()
                ));
                None
            }
        }
    }

    /// Whether there is anybody who could be asked for a PIN.
    pub(crate) fn can_ask(&self) -> bool {
        self.manner.questions != Questions::None && self.handle.converses()
    }

    /// There is not: no card is waited for.
    pub(crate) fn nobody_to_ask(&self, who: &Who) -> Outcome {
        self.turned_away(
            &format!(
                "{} denied: {} has nobody who could be asked for a PIN (no conversation, or one that wants silence)",
                who.login, who.service
            ),
            "This program cannot ask for the PIN of a card.",
        )
    }

    /// Who it is and what is asked of them: the root-owned file is the only thing read on the way.
    /// `Err` is the hook's outcome.
    pub(crate) fn managed(&mut self, args: &Args) -> Result<Managed, Outcome> {
        let file = managed_file::read(&args.managed)
            .map_err(|error| self.broken(&format!("{} {error}", args.managed.display())))?;
        if let Some(proof) = Unmanaged::without_file(file.as_ref()) {
            return Err(Outcome::Unmanaged(proof));
        }
        let user = match self.hook {
            Hook::Authenticate => self.handle.ask_user().ok(),
            _ => self.handle.user(),
        };
        let Some(user) = user.filter(|user| !user.is_empty()) else {
            return Err(self.broken("there is no user name (PAM_USER), or it is not UTF-8"));
        };
        let password_allowed = match managed_file::demand(file.as_ref(), &user) {
            Ok(Demand::Nothing(proof)) => return Err(Outcome::Unmanaged(proof)),
            Ok(Demand::Card { password_allowed }) => password_allowed,
            Err(unclear) => return Err(self.broken(&format!("{user}: {unclear}"))),
        };
        let service = self.handle.service().unwrap_or_default();
        let other_auth = file.is_some_and(|file| file.is_other_auth(&service));
        match (user.parse(), service.parse()) {
            (Ok(login), Ok(service)) => {
                Ok(Managed { who: Who { login, service }, password_allowed, other_auth })
            }
            _ => Err(self.broken("the service name (PAM_SERVICE) is not one")),
        }
    }

    /// One call to the agent.
    pub(crate) fn call(&self, args: &Args, request: &LoginRequest) -> Result<LoginReply, CallError> {
        let socket: &Path = if nix::unistd::geteuid().is_root() { &args.socket } else { &args.user_socket };
        let (manner, patience) = match request {
            LoginRequest::SessionOpened(_) | LoginRequest::SessionClosed(_) => {
                (self.manner.without_questions(), Patience::FOR_A_NOTE)
            }
            _ => (self.manner, Patience::default()),
        };
        let mut person = Person::new(&self.handle, manner, self.is_mute());
        let reply = client::call(socket, request, &mut person, patience);
        person.tell_the_rest();
        reply
    }

    /// Asks for a yes or a no. `Err` is the hook's outcome, and the person was told; `what` was asked, for the log.
    pub(crate) fn ask(
        &self,
        args: &Args,
        who: &Who,
        password_allowed: bool,
        what: &str,
        request: &LoginRequest,
    ) -> Result<Grant, Outcome> {
        Err(match self.call(args, request) {
            Ok(LoginReply::Granted(grant)) => return Ok(grant),
            Ok(LoginReply::Denied(denial)) => self.denied(who, &denial),
            Ok(LoginReply::Failed { kind, message, correlation }) => {
                self.failed(who, &kind, &message, &correlation)
            }
            Ok(_) => self.broken(&format!("the agent answered {what} with something else")),
            Err(error @ CallError::Down { .. }) => self.agent_down(who, password_allowed, &error),
            Err(error) => self.broken(&format!("{}: {error}", who.login)),
        })
    }

    /// The agent said no.
    fn denied(&self, who: &Who, denial: &Denial) -> Outcome {
        let Denial { reason, message, correlation } = denial;
        self.log.notice(&format!("{} denied: {reason:?}: {message} [{correlation}]", who.login));
        self.tell(NoteKind::Error, &with_reference(message, Some(correlation)));
        Outcome::Denied(*reason)
    }

    /// The agent could not do it.
    fn failed(&self, who: &Who, kind: &str, message: &str, reference: &CorrelationId) -> Outcome {
        self.log.error(&format!("{} not checked: {kind}: {message} [{reference}]", who.login));
        self.tell(NoteKind::Error, &with_reference(message, Some(reference)));
        Outcome::Broken
    }

    /// The agent does not run.
    fn agent_down(&self, who: &Who, password_allowed: bool, error: &CallError) -> Outcome {
        let reference = CorrelationId::new(self.random).ok();
        let shown = reference.as_ref().map_or("-", CorrelationId::as_str);
        self.log.error(&format!("{}: the agent is not running: {error} [{shown}]", who.login));
        if password_allowed {
            let text = "The Countersign agent is not running. Until it is, your password will do.";
            self.tell(NoteKind::Info, text);
        } else {
            let text = match self.hook {
                Hook::Chauthtok => {
                    "The Countersign agent is not running, so the PIN of your card cannot be changed here. \
                     Ask an administrator to run: systemctl restart countersignd."
                }
                _ => {
                    "The Countersign agent is not running, and this login needs a card. \
                     Ask an administrator to run: systemctl restart countersignd."
                }
            };
            self.tell(NoteKind::Error, &with_reference(text, reference.as_ref()));
        }
        Outcome::AgentDown { password_allowed }
    }

    /// Anything that should not be. The person learns where to ask, the log learns why.
    pub(crate) fn broken(&self, why: &str) -> Outcome {
        let reference = CorrelationId::new(self.random).ok();
        self.log.error(&format!("{why} [{}]", reference.as_ref().map_or("-", CorrelationId::as_str)));
        let text = match self.hook {
            Hook::Chauthtok => {
                "Countersign could not change the PIN of your card. \
                 The reason is in the system's log (journalctl SYSLOG_FACILITY=10)."
            }
            _ => {
                "Countersign could not check this login, so it is refused. \
                 The reason is in the system's log (journalctl SYSLOG_FACILITY=10)."
            }
        };
        self.tell(NoteKind::Error, &with_reference(text, reference.as_ref()));
        Outcome::Broken
    }

    /// Turned away by a rule of this host.
    pub(crate) fn turned_away(&self, why: &str, text: &str) -> Outcome {
        let reference = CorrelationId::new(self.random).ok();
        self.log.notice(&format!("{why} [{}]", reference.as_ref().map_or("-", CorrelationId::as_str)));
        self.tell(NoteKind::Error, &with_reference(text, reference.as_ref()));
        Outcome::NotAsked
    }

    fn tell(&self, kind: NoteKind, text: &str) {
        // Setting credentials is no time to talk: programs call it with no terminal, or twice. Nor is a session's
        // beginning or end, where what goes wrong is root's affair.
        if !matches!(self.hook, Hook::Setcred | Hook::OpenSession | Hook::CloseSession) {
            let mut person = Person::new(&self.handle, self.manner, self.is_mute());
            person.note(kind, text);
            person.tell_the_rest();
        }
    }

    const fn is_mute(&self) -> bool {
        self.manner.is_mute(self.flags & PAM_SILENT != 0)
    }
}

/// The last word to a person ends with what to quote to an administrator.
fn with_reference(text: &str, reference: Option<&CorrelationId>) -> String {
    match reference {
        Some(reference) => format!("{text} (Reference: {reference})"),
        None => text.to_owned(),
    }
}
