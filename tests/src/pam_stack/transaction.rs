//! One PAM handle: what a program calls, in the order that it does.

use std::sync::Arc;

use super::{Code, Dialect, Facility, Folder, Frozen, Line, dispatch};

/// A program's handle for one service.
#[derive(Clone)]
pub struct Transaction {
    auth: Arc<[Line]>,
    account: Arc<[Line]>,
    session: Arc<[Line]>,
    password: Arc<[Line]>,
    authenticated: Frozen,
    opened: Frozen,
    dialect: Dialect,
}

impl Transaction {
    /// `pam_start`
    #[must_use]
    pub fn start(folder: &Folder, service: &str, dialect: Dialect) -> Self {
        let [auth, account, session, password] =
            Facility::ALL.map(|facility| folder.stack(service, facility).into());
        Self {
            auth,
            account,
            session,
            password,
            authenticated: Frozen::new(),
            opened: Frozen::new(),
            dialect,
        }
    }

    /// The lines of one facility.
    #[must_use]
    pub fn stack(&self, facility: Facility) -> &[Line] {
        match facility {
            Facility::Auth => &self.auth,
            Facility::Account => &self.account,
            Facility::Session => &self.session,
            Facility::Password => &self.password,
        }
    }

    /// `pam_authenticate`; `answer` is asked by the line's place in its stack, here and below.
    pub fn authenticate(&mut self, answer: impl FnMut(usize) -> Code) -> Code {
        let (code, answers) = dispatch(&self.auth, answer, None);
        remember(&mut self.authenticated, answers);
        code
    }

    /// `pam_setcred`
    pub fn setcred(&self, answer: impl FnMut(usize) -> Code) -> Code {
        dispatch(&self.auth, answer, Some((self.dialect, &self.authenticated))).0
    }

    /// `pam_acct_mgmt`
    pub fn account(&self, answer: impl FnMut(usize) -> Code) -> Code {
        dispatch(&self.account, answer, None).0
    }

    /// `pam_open_session`
    pub fn open(&mut self, answer: impl FnMut(usize) -> Code) -> Code {
        let (code, answers) = dispatch(&self.session, answer, None);
        remember(&mut self.opened, answers);
        code
    }

    /// `pam_close_session`
    pub fn close(&self, answer: impl FnMut(usize) -> Code) -> Code {
        dispatch(&self.session, answer, Some((self.dialect, &self.opened))).0
    }

    /// `pam_chauthtok`: both passes, the second only after a yes to the first.
    pub fn change_password(
        &self,
        preliminary: impl FnMut(usize) -> Code,
        update: impl FnMut(usize) -> Code,
    ) -> Code {
        match dispatch(&self.password, preliminary, None).0 {
            Code::SUCCESS => dispatch(&self.password, update, None).0,
            refused => refused,
        }
    }
}

/// Lines that did not run keep what they answered before.
fn remember(into: &mut Frozen, answers: Frozen) {
    into.resize(answers.len(), None);
    for (place, answer) in into.iter_mut().zip(answers) {
        if answer.is_some() {
            *place = answer;
        }
    }
}
