//! Further hosts of a scene's server.

use super::{HostKey, KEY_GENERATION, Scene, Site, talk};
use crate::machine::Machine;
use crate::trouble::{Attempt as _, Trouble};

/// Where the bundle lies on the other machine.
const BUNDLE: &str = "/root/bundle.json";

impl Scene<'_> {
    /// Another machine becomes a host of this scene's server, with a token that Olga makes and its key in a file. The
    /// server on that machine is not used.
    ///
    /// # Errors
    /// The first step that failed, with what it said.
    pub fn second_host<'n>(&self, machine: &'n Machine) -> Result<Site<'n>, Trouble> {
        let name = format!("for-{}", machine.host_name());
        let token = self.olga.administer(&["admin", "token", "add", &name])?.after("token")?;
        let mut site = Site::new(machine, 1, HostKey::Sealed)?;
        site.start_agent()?;
        let bundle = self.site.machine.path(&self.site.server.bundle);
        let bundle = std::fs::read_to_string(bundle).attempt(|| "read the bundle".to_owned())?;
        machine.write(BUNDLE, &bundle, 0o600)?;
        let mut enroll = machine.command(crate::target_bin("countersign")?);
        enroll.args(["enroll", "--server-fingerprint", &self.site.server.fingerprint]);
        enroll.args(["--bundle", BUNDLE, "--token", &token, "--sealed"]);
        talk(&enroll, &[], KEY_GENERATION)?.success()?;
        Ok(site)
    }
}
