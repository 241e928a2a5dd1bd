//! `[registration]`: who may make an account without an administrator.

use countersign_protocol::contact::MailDomain;
use serde::{Deserialize, Serialize};

use super::Unfit;

/// Who may make an account without an administrator. Nobody, if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// By what people show that they can be reached.
    pub methods: Vec<Method>,
    /// The mail domains that addresses may be of; any, if none is named.
    pub mail_domains: Vec<MailDomain>,
}

/// By what people show that they can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A code by mail.
    Email,
    /// A code by short message.
    Sms,
    /// An authenticator program, which shows nothing: the account has no role.
    Totp,
}

impl Registration {
    /// Whether this method is among them.
    #[must_use]
    pub fn allows(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }

    /// A message needs somebody who carries it.
    pub(super) fn check(&self, mail: bool, sms: bool) -> Result<(), Unfit> {
        if self.allows(Method::Email) && !mail {
            return Err(Unfit::new(
                "registration.methods",
                "has \"email\", and there is no section [mail] that says how",
            ));
        }
        if self.allows(Method::Sms) && !sms {
            return Err(Unfit::new(
                "registration.methods",
                "has \"sms\", and there is no section [sms] that says how",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;
    use super::*;

    #[test]
    fn nobody_registers_alone_unless_it_is_said_and_possible() {
        assert_eq!(read_with("").unwrap().registration.methods, []);
        let totp = read_with("[registration]\nmethods = [\"totp\"]\n").unwrap();
        assert!(totp.registration.allows(Method::Totp) && !totp.registration.allows(Method::Email));
        for (method, section) in [("email", "[mail]"), ("sms", "[sms]")] {
            let said =
                read_with(&format!("[registration]\nmethods = [\"{method}\"]\n")).unwrap_err().to_string();
            assert!(said.contains(section), "{said}");
        }
        assert!(read_with("[registration]\nmethods = [\"fax\"]\n").is_err());
        assert!(read_with("[registration]\nmail_domains = [\"a@b.example\"]\n").is_err());
    }
}
