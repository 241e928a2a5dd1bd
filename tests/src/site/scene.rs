//! The scene of most tests: an enrolled host, an administrator, and Ana with a registered card.

use super::{Ending, HostKey, Person, SILENT_REST, SOON, Site, stack, talk};
use crate::machine::{Machine, ServiceHandle};
use crate::trouble::Trouble;

/// The PAM service that tests use where no particular program matters.
pub const SERVICE: &str = "countersign-test";

/// An enrolled host, Olga who administers, and Ana.
pub struct Scene<'m> {
    /// Server and agent.
    pub site: Site<'m>,
    /// The administrator.
    pub olga: Person<'m>,
    /// Somebody whose login needs a card here.
    pub ana: Person<'m>,
    /// The console of a login that has no session yet.
    pub console: ServiceHandle,
}

impl<'m> Scene<'m> {
    /// Sets it up, from `init` to Ana's registration.
    ///
    /// # Errors
    /// The first step that failed, with what it said.
    pub fn on(machine: &'m Machine, host_key: HostKey) -> Result<Self, Trouble> {
        Self::at(Site::enrolled(machine, 2, host_key)?)
    }

    /// Sets it up at an enrolled site that has two readers for people.
    ///
    /// # Errors
    /// The first step that failed, with what it said.
    pub fn at(site: Site<'m>) -> Result<Self, Trouble> {
        let machine = site.machine;
        let olga = site.person("olga", 4200, 1)?;
        olga.register(&site.server.administrator, &site.server.code)?;
        let code = olga.administer(&["admin", "user", "add", "ana"])?.after("code")?;
        let ana = site.person("ana", 4201, 2)?;
        ana.register("ana", &code)?;
        site.manage("user ana card\n")?;
        machine.pam_service(SERVICE, &stack(SILENT_REST)?)?;
        let console = machine.service_cgroup("getty@tty1.service")?;
        Ok(Self { site, olga, ana, console })
    }

    /// `pamtester` at the console, for Ana: `hooks` such as `authenticate` or `acct_mgmt`.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] if a question does not come.
    pub fn login(&self, hooks: &[&str], answers: &[(&str, &str)]) -> Result<Ending, Trouble> {
        let mut command = self.console.command("pamtester");
        command.args([SERVICE, "ana"]).args(hooks);
        talk(&command, answers, SOON)
    }

    /// Ana logs in as she does every day.
    ///
    /// # Errors
    /// If she is not let in, with what she saw.
    pub fn ana_logs_in(&self) -> Result<Ending, Trouble> {
        let pin = [("PIN for", Person::PIN)];
        self.login(&["authenticate", "acct_mgmt", "setcred"], &pin)?.success()
    }

    /// The ledger as `countersign ledger show` lists it, exported with Olga's card to `name`.
    ///
    /// # Errors
    /// If a command fails, with what it said.
    pub fn ledger(&self, name: &str) -> Result<String, Trouble> {
        let export = self.export(name)?;
        Ok(talk(&self.olga.countersign(&["ledger", "show", &export])?, &[], SOON)?.success()?.shown)
    }

    /// Exports the ledger with Olga's card, and says where to.
    ///
    /// # Errors
    /// If a command fails, with what it said.
    pub fn export(&self, name: &str) -> Result<String, Trouble> {
        let folder = self.site.machine.scratch().join("olga");
        let mut make = self.site.machine.command("install");
        make.args(["-d", "-o", "olga", "-m", "700"]).arg(&folder);
        talk(&make, &[], SOON)?.success()?;
        let export = folder.join(name).to_string_lossy().into_owned();
        self.olga.administer(&["ledger", "export", &export])?;
        Ok(export)
    }
}
