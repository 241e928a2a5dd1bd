//! Who may ask what, and when: one table. What is not in it closes the connection without a word.

use countersign_protocol::ids::LoginName;
use countersign_protocol::ipc::Request;

use crate::peer::Peer;

/// The socket a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `pam.sock`, mode 0600.
    Pam,
    /// `user.sock`, mode 0666.
    User,
}

/// Who asks, as far as the table cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// root on `pam.sock`: login, sshd, sudo.
    RootOnPam,
    /// root on `user.sock`: an administrator with the command line.
    RootOnUser,
    /// Anybody else on `user.sock`.
    UserOnUser,
    /// Not root on `pam.sock`: its mode forbids that; a descriptor was passed on.
    StrangerOnPam,
}

impl Caller {
    /// By the kernel's word.
    #[must_use]
    pub const fn of(door: Door, peer: &Peer) -> Self {
        match (door, peer.uid) {
            (Door::Pam, 0) => Self::RootOnPam,
            (Door::User, 0) => Self::RootOnUser,
            (Door::User, _) => Self::UserOnUser,
            (Door::Pam, _) => Self::StrangerOnPam,
        }
    }
}

/// How far this host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostState {
    /// No instance of any server.
    NotEnrolled,
    /// Enrolled, waiting for an administrator – or barred by one.
    Waiting,
    /// May carry people's requests.
    Active,
}

/// Who a peer is to this host, by its databases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The peer's own login name.
    pub own: Option<&'a str>,
    /// Whether that is the user whom sshd runs its `AuthorizedKeysCommand` as.
    pub asks_for_sshd: bool,
}

/// What is asked, without its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the request of the same name")]
pub enum Asked {
    /// For the caller's own login name.
    AuthenticateOwn,
    /// For another login name.
    AuthenticateOther,
    AccountOwn,
    AccountOther,
    /// A session began, whose ever it is.
    SessionBegan,
    /// A session of one's own login ended. Which ones somebody who is not root may end is in `login_sessions.rs`.
    SessionEndedOwn,
    SessionEndedOther,
    /// Another PIN for the card of one's own login.
    NewPinOwn,
    NewPinOther,
    Status,
    Journal,
    CheckJournal,
    CardList,
    CardShow,
    CardInit,
    CardGenerate,
    CardChangePin,
    CardUnblock,
    CardSetTouch,
    CardCheck,
    CardFactoryReset,
    Enroll,
    RotateKey,
    ReplaceHost,
    AcceptLedger,
    Register,
    Recover,
    RevokeKey,
    /// For the caller's own login name, or by the user that sshd asks as.
    SshKeys,
    /// For another login name.
    SshKeysOther,
    Job,
    JobResult,
}

impl Asked {
    /// Of this request by a peer who is this to the host.
    #[must_use]
    pub fn of(request: &Request, standing: Standing<'_>) -> Self {
        let is_own = |login: &LoginName| standing.own == Some(login.as_str());
        match request {
            Request::Authenticate(ask) if is_own(&ask.login) => Self::AuthenticateOwn,
            Request::Authenticate(_) => Self::AuthenticateOther,
            Request::Account(ask) if is_own(&ask.login) => Self::AccountOwn,
            Request::Account(_) => Self::AccountOther,
            Request::SessionOpened(_) => Self::SessionBegan,
            Request::SessionClosed(ask) if is_own(&ask.login) => Self::SessionEndedOwn,
            Request::SessionClosed(_) => Self::SessionEndedOther,
            Request::PinCheck(ask) | Request::PinChange(ask) if is_own(&ask.login) => Self::NewPinOwn,
            Request::PinCheck(_) | Request::PinChange(_) => Self::NewPinOther,
            Request::Status => Self::Status,
            // Each sees their own; see `agent/src/history.rs`.
            Request::Journal(_) => Self::Journal,
            Request::CheckJournal => Self::CheckJournal,
            Request::CardList => Self::CardList,
            Request::CardShow(_) => Self::CardShow,
            Request::CardInit(_) => Self::CardInit,
            Request::CardGenerate(_) => Self::CardGenerate,
            Request::CardChangePin(_) => Self::CardChangePin,
            Request::CardUnblock(_) => Self::CardUnblock,
            Request::CardSetTouch(_) => Self::CardSetTouch,
            Request::CardCheck(_) => Self::CardCheck,
            Request::CardFactoryReset(_) => Self::CardFactoryReset,
            Request::Enroll(_) => Self::Enroll,
            Request::RotateKey(_) => Self::RotateKey,
            Request::ReplaceHost(_) => Self::ReplaceHost,
            Request::AcceptLedger => Self::AcceptLedger,
            Request::Register(_) => Self::Register,
            Request::Recover(_) => Self::Recover,
            // Its own authority; no card is touched.
            Request::RevokeKey(_) => Self::RevokeKey,
            // sshd asks as whom it was told to; see `Config::ssh_keys_user`.
            Request::SshKeys(ask) if is_own(&ask.login) || standing.asks_for_sshd => Self::SshKeys,
            Request::SshKeys(_) => Self::SshKeysOther,
            Request::Job(_) => Self::Job,
            // Each fetches their own; see `agent/src/job.rs`.
            Request::JobResult(_) => Self::JobResult,
        }
    }
}

/// The table's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Permit {
    /// Go on.
    Granted,
    /// This caller may ask this, but not while the host is in this state. Said aloud.
    NotInThisState,
    /// Not for this caller. The connection is closed.
    Refused,
}

/// Looks the request up.
pub const fn permit(asked: Asked, caller: Caller, state: HostState) -> Permit {
    use Asked::{
        AcceptLedger, AccountOther, AccountOwn, AuthenticateOther, AuthenticateOwn, CardChangePin, CardCheck,
        CardFactoryReset, CardGenerate, CardInit, CardList, CardSetTouch, CardShow, CardUnblock,
        CheckJournal, Enroll, Job, JobResult, Journal, NewPinOther, NewPinOwn, Recover, Register,
        ReplaceHost, RevokeKey, RotateKey, SessionBegan, SessionEndedOther, SessionEndedOwn, SshKeys,
        SshKeysOther, Status,
    };
    use Caller::{RootOnPam, RootOnUser, StrangerOnPam, UserOnUser};

    let may_ask = match (asked, caller) {
        (_, StrangerOnPam) => false,
        // PAM programs ask about whoever logs in; on the socket for everybody one speaks for oneself.
        (AuthenticateOther | AccountOther | SessionEndedOther | NewPinOther, RootOnPam) => true,
        (AuthenticateOther | AccountOther | SessionEndedOther | NewPinOther, RootOnUser | UserOnUser) => {
            false
        }
        // Only root begins one for somebody; a beginning that anybody may tell is anybody's invention.
        (SessionBegan, RootOnPam) => true,
        (SessionBegan, RootOnUser | UserOnUser) => false,
        (
            AuthenticateOwn | AccountOwn | SessionEndedOwn | NewPinOwn | Status | Journal | CardList
            | Register | Recover | RevokeKey | SshKeys | Job | JobResult,
            RootOnPam | RootOnUser | UserOnUser,
        ) => true,
        // Whoever sits at a card may look after it; its own PINs are what keeps others from changing it.
        (
            CardShow | CardInit | CardGenerate | CardChangePin | CardUnblock | CardSetTouch | CardCheck
            | CardFactoryReset,
            RootOnPam | RootOnUser | UserOnUser,
        ) => true,
        // Public, but they tell who is who: nobody collects other people's.
        (SshKeysOther, RootOnPam | RootOnUser) => true,
        (SshKeysOther, UserOnUser) => false,
        // All of it is read, however often it is asked.
        (Enroll | RotateKey | ReplaceHost | AcceptLedger | CheckJournal, RootOnPam | RootOnUser) => true,
        (Enroll | RotateKey | ReplaceHost | AcceptLedger | CheckJournal, UserOnUser) => false,
    };
    if !may_ask {
        return Permit::Refused;
    }
    match (asked, state) {
        (Status | Journal | CheckJournal | CardList, _) => Permit::Granted,
        // It began or ended, whatever the server makes of this host.
        (SessionBegan | SessionEndedOwn | SessionEndedOther, _) => Permit::Granted,
        // A card is the same card without a server.
        (
            CardShow | CardInit | CardGenerate | CardChangePin | CardUnblock | CardSetTouch | CardCheck
            | CardFactoryReset,
            _,
        ) => Permit::Granted,
        (Enroll, HostState::NotEnrolled) => Permit::Granted,
        (Enroll, HostState::Waiting | HostState::Active) => Permit::NotInThisState,
        (
            AuthenticateOwn | AuthenticateOther | AccountOwn | AccountOther | NewPinOwn | NewPinOther
            | Register | Recover | RevokeKey | SshKeys | SshKeysOther | Job | JobResult | RotateKey
            | ReplaceHost | AcceptLedger,
            HostState::NotEnrolled,
        ) => Permit::NotInThisState,
        // A waiting host may have been approved a moment ago: the request finds out by a check-in.
        (
            AuthenticateOwn | AuthenticateOther | AccountOwn | AccountOther | NewPinOwn | NewPinOther
            | Register | Recover | RevokeKey | SshKeys | SshKeysOther | Job | JobResult | RotateKey
            | ReplaceHost | AcceptLedger,
            HostState::Waiting | HostState::Active,
        ) => Permit::Granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: [Asked; 32] = [
        Asked::AuthenticateOwn,
        Asked::AuthenticateOther,
        Asked::AccountOwn,
        Asked::AccountOther,
        Asked::SessionBegan,
        Asked::SessionEndedOwn,
        Asked::SessionEndedOther,
        Asked::NewPinOwn,
        Asked::NewPinOther,
        Asked::Status,
        Asked::Journal,
        Asked::CheckJournal,
        Asked::CardList,
        Asked::CardShow,
        Asked::CardInit,
        Asked::CardGenerate,
        Asked::CardChangePin,
        Asked::CardUnblock,
        Asked::CardSetTouch,
        Asked::CardCheck,
        Asked::CardFactoryReset,
        Asked::Enroll,
        Asked::RotateKey,
        Asked::ReplaceHost,
        Asked::AcceptLedger,
        Asked::Register,
        Asked::Recover,
        Asked::RevokeKey,
        Asked::SshKeys,
        Asked::SshKeysOther,
        Asked::Job,
        Asked::JobResult,
    ];
    const CALLERS: [Caller; 4] =
        [Caller::RootOnPam, Caller::RootOnUser, Caller::UserOnUser, Caller::StrangerOnPam];
    const STATES: [HostState; 3] = [HostState::NotEnrolled, HostState::Waiting, HostState::Active];

    /// One letter a cell: `y` granted, `s` not in this state, `-` closed.
    /// Columns: not enrolled, waiting, active – for root on pam, root on user, user on user, stranger on pam.
    #[rustfmt::skip]
    const TABLE: [(&str, &str); 32] = [
        ("AuthenticateOwn",   "syy syy syy ---"),
        ("AuthenticateOther", "syy --- --- ---"),
        ("AccountOwn",        "syy syy syy ---"),
        ("AccountOther",      "syy --- --- ---"),
        ("SessionBegan",      "yyy --- --- ---"),
        ("SessionEndedOwn",   "yyy yyy yyy ---"),
        ("SessionEndedOther", "yyy --- --- ---"),
        ("NewPinOwn",         "syy syy syy ---"),
        ("NewPinOther",       "syy --- --- ---"),
        ("Status",            "yyy yyy yyy ---"),
        ("Journal",           "yyy yyy yyy ---"),
        ("CheckJournal",      "yyy yyy --- ---"),
        ("CardList",          "yyy yyy yyy ---"),
        ("CardShow",          "yyy yyy yyy ---"),
        ("CardInit",          "yyy yyy yyy ---"),
        ("CardGenerate",      "yyy yyy yyy ---"),
        ("CardChangePin",     "yyy yyy yyy ---"),
        ("CardUnblock",       "yyy yyy yyy ---"),
        ("CardSetTouch",      "yyy yyy yyy ---"),
        ("CardCheck",         "yyy yyy yyy ---"),
        ("CardFactoryReset",  "yyy yyy yyy ---"),
        ("Enroll",            "yss yss --- ---"),
        ("RotateKey",         "syy syy --- ---"),
        ("ReplaceHost",       "syy syy --- ---"),
        ("AcceptLedger",      "syy syy --- ---"),
        ("Register",          "syy syy syy ---"),
        ("Recover",           "syy syy syy ---"),
        ("RevokeKey",         "syy syy syy ---"),
        ("SshKeys",           "syy syy syy ---"),
        ("SshKeysOther",      "syy syy --- ---"),
        ("Job",               "syy syy syy ---"),
        ("JobResult",         "syy syy syy ---"),
    ];

    #[test]
    fn the_permit_table_is_exactly_this() {
        for (asked, (name, row)) in ASKED.into_iter().zip(TABLE) {
            assert_eq!(format!("{asked:?}"), name);
            let columns: Vec<&str> = row.split(' ').collect();
            for (caller, cells) in CALLERS.into_iter().zip(columns) {
                for (state, cell) in STATES.into_iter().zip(cells.chars()) {
                    let letter = match permit(asked, caller, state) {
                        Permit::Granted => 'y',
                        Permit::NotInThisState => 's',
                        Permit::Refused => '-',
                    };
                    assert_eq!(letter, cell, "{asked:?} {caller:?} {state:?}");
                }
            }
        }
    }

    #[test]
    fn sshds_user_asks_about_everybody_and_others_about_themselves() {
        let ask = countersign_protocol::ipc::SshKeys { login: "ana".parse().unwrap() };
        let ask = Request::SshKeys(ask);
        let of = |own, asks_for_sshd| Asked::of(&ask, Standing { own, asks_for_sshd });
        assert_eq!(of(Some("ana"), false), Asked::SshKeys);
        assert_eq!(of(Some("countersign-ssh"), true), Asked::SshKeys);
        assert_eq!(of(Some("ben"), false), Asked::SshKeysOther);
        assert_eq!(of(None, false), Asked::SshKeysOther);
    }

    #[test]
    fn the_caller_is_told_by_socket_and_uid_alone() {
        let peer = |uid| Peer { uid, gid: 0, pid: 1, started: 0 };
        assert_eq!(Caller::of(Door::Pam, &peer(0)), Caller::RootOnPam);
        assert_eq!(Caller::of(Door::Pam, &peer(1000)), Caller::StrangerOnPam);
        assert_eq!(Caller::of(Door::User, &peer(0)), Caller::RootOnUser);
        assert_eq!(Caller::of(Door::User, &peer(1000)), Caller::UserOnUser);
    }
}
