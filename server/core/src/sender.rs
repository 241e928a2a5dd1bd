//! Who sent a message, and what they may send in the state they are in: one table.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::SignedBy;
use countersign_protocol::ids::{ApplicationName, Fingerprint};
use countersign_protocol::ledger::Check;
use countersign_protocol::life::Life;
use countersign_protocol::message::{InstanceState, MessageKind};

use crate::applications::{Application, ApplicationRead};
use crate::instances::{Instance, InstanceRead};
use crate::refusal::Reason;
use crate::stop::Stop;

/// Who signed, as the store sees them.
#[derive(Debug, Clone)]
pub enum Sender {
    /// A copy of an application, known by nothing else.
    Application(Application),
    /// A copy of an application, together with a key that nobody knows yet.
    Newcomer {
        /// The application.
        application: Application,
        /// Primary fingerprint of the new key, which signed.
        key: Fingerprint,
    },
    /// An instance, by its announced session key.
    Instance(Instance),
    /// An instance, by its primary key.
    InstancePrimary(Instance),
    /// An instance, by its primary key, together with a key that nobody knows yet.
    Successor {
        /// The instance.
        instance: Instance,
        /// Primary fingerprint of the new key, which signed.
        key: Fingerprint,
    },
}

impl Sender {
    /// Makes sense of the signatures.
    ///
    /// # Errors
    /// [`Reason::UnknownSender`], [`Reason::NotTheAnnouncedKey`], or the store's.
    pub fn of<R>(store: &R, signers: &[SignedBy]) -> Result<Self, Stop>
    where
        R: ApplicationRead + InstanceRead + ?Sized,
    {
        match signers {
            [one] => {
                // Nearly every message is an instance's, and no key is two senders'.
                let Some(instance) = store.instance(&one.certificate)? else {
                    let application = store.application(&one.certificate)?.ok_or(Reason::UnknownSender)?;
                    return Ok(Self::Application(application));
                };
                if one.key == instance.fingerprint {
                    Ok(Self::InstancePrimary(instance))
                } else if instance.signs_with(&one.key) {
                    Ok(Self::Instance(instance))
                } else {
                    Err(Reason::NotTheAnnouncedKey.into())
                }
            }
            [one, other] => Self::with_new_key(store, one, other),
            _ => Err(Reason::UnknownSender.into()),
        }
    }

    /// A new key, and whoever brings it.
    fn with_new_key<R>(store: &R, one: &SignedBy, other: &SignedBy) -> Result<Self, Stop>
    where
        R: ApplicationRead + InstanceRead + ?Sized,
    {
        let new = |by: &SignedBy| match by.key == by.certificate {
            true => Ok(by.certificate.clone()),
            false => Err(Reason::NotTheAnnouncedKey),
        };
        match (store.application(&one.certificate)?, store.application(&other.certificate)?) {
            (Some(application), None) => return Ok(Self::Newcomer { application, key: new(other)? }),
            (None, Some(application)) => return Ok(Self::Newcomer { application, key: new(one)? }),
            (Some(_), Some(_)) => return Err(Reason::UnknownSender.into()),
            (None, None) => {}
        }
        let (instance, by, newcomer) =
            match (store.instance(&one.certificate)?, store.instance(&other.certificate)?) {
                (Some(instance), None) => (instance, one, other),
                (None, Some(instance)) => (instance, other, one),
                _ => return Err(Reason::UnknownSender.into()),
            };
        if by.key != instance.fingerprint {
            return Err(Reason::NotTheAnnouncedKey.into());
        }
        Ok(Self::Successor { instance, key: new(newcomer)? })
    }

    /// The table. What is not in it is refused.
    ///
    /// # Errors
    /// [`Reason::NotPermitted`].
    pub fn may_send(&self, kind: MessageKind) -> Result<(), Reason> {
        use InstanceState::{Active, Pending, Suspended};
        use MessageKind as Kind;
        // Whose keys are whose is administration: a host that was seen twice has none.
        if let (Self::Instance(instance), Kind::RegistrationRequest | Kind::RegistrationCode | Kind::UserKey) =
            (self, kind)
            && instance.state == Active
            && instance.forked.is_some()
        {
            return Err(Reason::Forked);
        }
        let permitted = match (self, kind) {
            (Self::Application(application), Kind::Hello)
            | (Self::Newcomer { application, .. }, Kind::InstanceKey) => application.state == Life::Active,
            // Whoever waits or is barred may ask how it stands, and learns it in the reply.
            (Self::Instance(instance), Kind::InstanceCheckIn) => {
                matches!(instance.state, Pending | Active | Suspended)
            }
            // What it sent or did before it was barred, it may settle. Anyone can let hosts wait for approval, and they
            // would take the places of those that watch.
            (
                Self::Instance(instance),
                Kind::JobOutcome | Kind::OfflineUse | Kind::OfflineEmergency | Kind::Watch,
            ) => {
                matches!(instance.state, Active | Suspended)
            }
            // Without session keys it could neither ask nor settle.
            (Self::InstancePrimary(instance), Kind::KeyUpdate) => {
                matches!(instance.state, Pending | Active | Suspended)
            }
            (Self::Successor { instance, .. }, Kind::RotationKey) => instance.state == Active,
            (
                Self::Instance(instance),
                Kind::RotationRequest
                | Kind::RegistrationRequest
                | Kind::RegistrationCode
                | Kind::UserKey
                | Kind::JobRequest
                | Kind::JobResultRequest
                | Kind::ResultAck
                | Kind::EmergencyUse
                | Kind::RecoveryStep
                | Kind::Revocation
                | Kind::HostEvent,
            ) => instance.state == Active,
            _ => false,
        };
        if permitted { Ok(()) } else { Err(Reason::NotPermitted { kind, sender: self.described() }) }
    }

    /// A host that goes on with a key that was changed for another one, which an honest one does not: it asks for session
    /// keys under the old key only while the new one is not taken. What was made before the change was held up on the way.
    #[must_use]
    pub fn goes_on_with_a_retired_key(&self, kind: MessageKind, made: Timestamp) -> Option<Reason> {
        let (Self::InstancePrimary(instance), MessageKind::KeyUpdate) = (self, kind) else { return None };
        let successor = instance.successor.clone()?;
        let fresh = made > instance.since;
        fresh.then(|| Reason::HostKeyRetired { key: instance.fingerprint.clone(), successor })
    }

    /// Whether this is a host that may work.
    #[must_use]
    pub fn is_active_instance(&self) -> bool {
        match self {
            Self::Instance(instance) | Self::InstancePrimary(instance) | Self::Successor { instance, .. } => {
                instance.state == InstanceState::Active
            }
            Self::Application(_) | Self::Newcomer { .. } => false,
        }
    }

    /// The application that it is, or is a copy of.
    #[must_use]
    pub const fn application(&self) -> &ApplicationName {
        match self {
            Self::Application(application) | Self::Newcomer { application, .. } => &application.name,
            Self::Instance(instance) | Self::InstancePrimary(instance) | Self::Successor { instance, .. } => {
                &instance.application
            }
        }
    }

    /// The host, if it is one.
    #[must_use]
    pub const fn instance(&self) -> Option<&Instance> {
        match self {
            Self::Application(_) | Self::Newcomer { .. } => None,
            Self::Instance(instance) | Self::InstancePrimary(instance) | Self::Successor { instance, .. } => {
                Some(instance)
            }
        }
    }

    /// What was checked of it before anything else: the signatures on the envelope, and the state that it may send this in.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let state = match self {
            Self::Application(application) | Self::Newcomer { application, .. } => application.state.as_str(),
            Self::Instance(instance) | Self::InstancePrimary(instance) | Self::Successor { instance, .. } => {
                instance.state.as_str()
            }
        };
        let mut checks = self.signatures();
        checks.push(Check::passed(&format!("sender-{state}")));
        checks
    }

    /// The signatures on the envelope, which were good.
    #[must_use]
    pub fn signatures(&self) -> Vec<Check> {
        let signatures: &[&str] = match self {
            Self::Application(_) => &["application-signature"],
            Self::Newcomer { .. } => &["application-signature", "new-key-signature"],
            Self::Instance(_) => &["instance-signature"],
            Self::InstancePrimary(_) => &["instance-primary-signature"],
            Self::Successor { .. } => &["instance-primary-signature", "new-key-signature"],
        };
        signatures.iter().copied().map(Check::passed).collect()
    }

    fn described(&self) -> String {
        match self {
            Self::Application(application) => {
                format!("the application {} ({})", application.name, application.state.as_str())
            }
            Self::Newcomer { application, .. } => {
                format!(
                    "a new key with the application {} ({})",
                    application.name,
                    application.state.as_str()
                )
            }
            Self::Instance(instance) => {
                format!("the instance {} ({})", instance.fingerprint, instance.state.as_str())
            }
            Self::InstancePrimary(instance) => {
                format!(
                    "the primary key of the instance {} ({})",
                    instance.fingerprint,
                    instance.state.as_str()
                )
            }
            Self::Successor { instance, .. } => {
                format!("a new key with the instance {} ({})", instance.fingerprint, instance.state.as_str())
            }
        }
    }
}
