//! What the server lets people do, and hosts decide by their rosters.

use std::path::Path;

use super::{SOON, Server, talk};
use crate::machine::Machine;
use crate::target_bin;
use crate::trouble::{Attempt as _, Trouble};

impl Server {
    /// Has the server go by this policy from now on, in place of the default one.
    ///
    /// # Errors
    /// The policy cannot be written, or is refused.
    pub fn go_by(&self, machine: &Machine, policy: &str) -> Result<(), Trouble> {
        const POLICY: &str = "/run/default.cedar";
        machine.write(POLICY, policy, 0o644)?;
        let mut import = machine.command(target_bin("countersign-server")?);
        import.args(["policy", "import", "--config", &self.config, POLICY]);
        talk(&import, &[], SOON)?.success()?;
        Ok(())
    }

    /// The path of its configuration, inside its machine.
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Sets for how many hours a roster lives, and how many logins each account has by it. A server that runs
    /// learns of it at its next start.
    ///
    /// # Errors
    /// The configuration cannot be read or written, or says so already.
    pub fn permit_offline(&self, machine: &Machine, hours: u32, uses: u32) -> Result<(), Trouble> {
        let path = machine.path(Path::new(&self.config));
        let text = std::fs::read_to_string(&path).attempt(|| format!("read {}", path.display()))?;
        let said: Vec<String> = text
            .lines()
            .map(|line| match line.trim_start_matches('#').split(" = ").next() {
                Some("hours") => format!("hours = {hours}"),
                Some("uses") => format!("uses = {uses}"),
                _ => line.to_owned(),
            })
            .collect();
        std::fs::write(&path, said.join("\n") + "\n").attempt(|| format!("write {}", path.display()))
    }
}
