//! How the programs that call PAM show what a module says: one table.
//!
//! | program | a note | questions |
//! |---|---|---|
//! | at a terminal | shown at once | all |
//! | sshd | held back until the next prompt or the end, and shown with that | all |
//! | a login screen, a dialog | may go unseen: it is put into the next prompt | all |
//! | a locker with one field | the same | one PIN; it would answer every question with what is in its field |
//! | a service without a person | nobody sees it | none: refused at once, no card is waited for |
//!
//! What a touch is needed for stands in the agent's PIN prompt itself, for sshd's sake.

/// How a program treats what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) notes: Notes,
    pub(crate) questions: Questions,
    /// It sets `PAM_SILENT` in every call, so that the flag says nothing.
    always_silent: bool,
}

/// Where notes are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    /// As they come, or with the next prompt.
    Shown,
    /// In the next prompt alone.
    InPrompt,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Questions {
    /// Anything.
    All,
    /// A PIN, once.
    OnePin,
    /// Nothing.
    None,
}

const TERMINAL: Manner = Manner { notes: Notes::Shown, questions: Questions::All, always_silent: false };
/// sudo(8) gives `PAM_SILENT` to `pam_authenticate` and `pam_acct_mgmt` whatever happens (1.9.16 made it an option).
const SUDO: Manner = Manner { always_silent: true, ..TERMINAL };
const SCREEN: Manner = Manner { notes: Notes::InPrompt, ..TERMINAL };
const ONE_FIELD: Manner = Manner { questions: Questions::OnePin, ..SCREEN };
const NOBODY: Manner = Manner { questions: Questions::None, ..TERMINAL };

/// By PAM service, which is how a program names itself. One text a row, because each text costs a relocation in every
/// program that loads the module.
const TABLE: [(&str, Manner); 5] = [
    ("chfn chsh doas login newgrp passwd remote run0 runuser runuser-l sshd su su-l vlock", TERMINAL),
    ("sudo sudo-i", SUDO),
    ("gdm-password gdm-smartcard greetd lightdm lxdm ly polkit-1 xdm", SCREEN),
    // GNU screen's locker reads a line before it calls PAM, and answers with that.
    (
        "cinnamon-screensaver gtklock hyprlock i3lock kde kde-smartcard kscreensaver mate-screensaver physlock \
         screen sddm slock swaylock waylock xfce4-screensaver xlock xscreensaver xsecurelock",
        ONE_FIELD,
    ),
    ("atd cron crond cups dovecot imap pop3 samba smtp systemd-user", NOBODY),
];

/// How this service is spoken to, where the call says `PAM_SILENT` or not. One that nobody knows is taken for a
/// program at a terminal, and for one without a person if it wants to hear nothing.
pub(crate) fn manner(service: &str, silent: bool) -> Manner {
    match TABLE.iter().find(|(names, _)| names.split(' ').any(|name| name == service)) {
        Some((_, manner)) => *manner,
        None if silent => NOBODY,
        None => TERMINAL,
    }
}

impl Manner {
    /// Whether notes are to be kept back altogether.
    pub(crate) const fn is_mute(self, silent: bool) -> bool {
        silent && !self.always_silent
    }

    /// The same program while no question makes sense, as at the end of a session.
    pub(crate) const fn without_questions(self) -> Self {
        Self { notes: Notes::Shown, questions: Questions::None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_program_is_spoken_to_in_its_own_manner() {
        use Notes::{InPrompt, Shown};
        use Questions::{All, None, OnePin};
        for (service, silent, notes, questions, mute) in [
            ("login", false, Shown, All, false),
            ("sshd", false, Shown, All, false),
            ("su-l", true, Shown, All, true),
            ("sudo", true, Shown, All, false),
            ("gdm-password", false, InPrompt, All, false),
            ("greetd", false, InPrompt, All, false),
            ("polkit-1", false, InPrompt, All, false),
            ("swaylock", false, InPrompt, OnePin, false),
            ("sddm", false, InPrompt, OnePin, false),
            ("cron", false, Shown, None, false),
            ("systemd-user", true, Shown, None, true),
            ("of-my-own", false, Shown, All, false),
            ("of-my-own", true, Shown, None, true),
        ] {
            let manner = manner(service, silent);
            assert_eq!((manner.notes, manner.questions), (notes, questions), "{service} {silent}");
            assert_eq!(manner.is_mute(silent), mute, "{service} {silent}");
        }
    }

    #[test]
    fn no_service_stands_in_the_table_twice() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|(names, _)| names.split(' ')).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), names.contains(&"")), (all, false));
    }
}
