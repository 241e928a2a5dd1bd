//! The people: three who may log in, one whose account is suspended, one who has none, and Olga, who administers.

use countersign_tests::site::{HostKey, Person, SERVICE, SILENT_REST, SOON, Scene, Site, stack, talk};
use countersign_tests::{Dialogue, Machine, Trouble};

/// PAM services, as programs have them that ask for somebody's own password, and for another's.
pub(crate) const SERVICES: [&str; 3] = [SERVICE, "sudo", "su"];

pub(crate) struct Town<'m> {
    pub(crate) scene: Scene<'m>,
    _ben: Person<'m>,
    _eva: Person<'m>,
}

impl<'m> Town<'m> {
    pub(crate) fn build(machine: &'m Machine) -> Result<Self, Trouble> {
        let scene = Scene::at(Site::enrolled(machine, 4, HostKey::Sealed)?)?;
        let newcomer = |name: &str, uid, reader| -> Result<Person<'m>, Trouble> {
            let code = scene.olga.administer(&["admin", "user", "add", name])?.after("code")?;
            let person = scene.site.person(name, uid, reader)?;
            person.register(name, &code)?;
            Ok(person)
        };
        let ben = newcomer("ben", 4202, 3)?;
        let eva = newcomer("eva", 4203, 4)?;
        // Without a card: what is suspended is in no roster.
        scene.olga.administer(&["admin", "user", "add", "fay"])?;
        scene.olga.administer(&["admin", "user", "suspend", "fay"])?;
        for (name, uid) in [("dora", 4204), ("fay", 4205)] {
            machine.add_user(name, uid)?;
        }
        let managed = ["ana", "ben", "eva", "dora", "fay"].map(|name| format!("user {name} card\n"));
        scene.site.manage(&managed.concat())?;
        for service in SERVICES {
            machine.pam_service(service, &stack(SILENT_REST)?)?;
        }
        Ok(Self { scene, _ben: ben, _eva: eva })
    }

    pub(crate) fn agent(&self) -> u32 {
        self.scene.site.agent.as_ref().map_or(0, countersign_tests::Running::pid)
    }

    /// How many logins the ledger has as allowed. Olga types her PIN for each page of it.
    pub(crate) fn logins_in_the_ledger(&self) -> Result<usize, Trouble> {
        let machine = self.scene.site.machine;
        let folder = machine.scratch().join("olga");
        let mut make = machine.command("install");
        make.args(["-d", "-o", "olga", "-m", "700"]).arg(&folder);
        talk(&make, &[], SOON)?.success()?;
        let file = folder.join("load.jsonl").to_string_lossy().into_owned();
        let ident = self.scene.olga.card.ident();
        let mut export =
            Dialogue::start(&self.scene.olga.countersign(&["ledger", "export", &file, "--card", &ident])?)?;
        while export.next(&["PIN for"], SOON)?.is_some() {
            export.send_line(Person::PIN)?;
        }
        if !export.wait(SOON)?.success() {
            return Err(Trouble::Machine(format!("the ledger was not exported:\n{}", export.transcript())));
        }
        let shown =
            talk(&self.scene.olga.countersign(&["ledger", "show", &file])?, &[], SOON)?.success()?.shown;
        Ok(shown.lines().filter(|line| line.contains("  allowed  ") && line.contains(": log in as ")).count())
    }
}
