//! What PAM tells of a session beside its login: that it began, that it ended, and that its person wants another PIN.

use serde::{Deserialize, Serialize};

use crate::ids::{CorrelationId, LoginName, Nonce, ServiceName};

/// A session began. It was decided on before; this is to be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpened {
    /// Whose (`PAM_USER`).
    pub login: LoginName,
    /// Through which PAM service.
    pub service: ServiceName,
    /// `PAM_TTY`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// `PAM_RHOST`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_host: Option<String>,
    /// `PAM_RUSER`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_user: Option<String>,
    /// Of the login that was granted in the same PAM handle; none where the service authenticated in another way
    /// or in another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
}

/// A session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionClosed {
    /// Whose (`PAM_USER`).
    pub login: LoginName,
    /// Through which PAM service.
    pub service: ServiceName,
    /// What [`Noted`] said when it began; none if that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
}

/// The session is in the journal, under this id, which its end is to be told with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// To be quoted to an administrator, and when the session ends.
    pub correlation: CorrelationId,
}

/// `passwd`: another PIN for the card of this login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinChange {
    /// Whose (`PAM_USER`).
    pub login: LoginName,
    /// Through which PAM service.
    pub service: ServiceName,
    /// `PAM_TTY`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// `PAM_RHOST`, as the program says. Anything here makes the caller remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_host: Option<String>,
    /// `PAM_RUSER`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_user: Option<String>,
    /// Comes back in the grant.
    pub nonce: Nonce,
}
