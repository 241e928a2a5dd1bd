//! The code as it is to be written down.

use std::fmt;

use countersign_protocol::recovery::RecoveryCode;
use secrecy::ExposeSecret as _;

pub(crate) struct Paper<'a>(pub(crate) &'a RecoveryCode);

impl fmt::Display for Paper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.spelled();
        let code = code.expose_secret();
        writeln!(f, "\n  +----------------------------------------------------------+")?;
        writeln!(f, "  |  Recovery code:   {code:<37}  |")?;
        writeln!(f, "  |                                                          |")?;
        writeln!(f, "  |  Write it on another paper and keep it somewhere else.   |")?;
        writeln!(f, "  |  If all your cards are lost, it asks for a new one; two  |")?;
        writeln!(f, "  |  administrators must agree, and a day must pass.         |")?;
        writeln!(f, "  +----------------------------------------------------------+")
    }
}
