//! Logins through libpam, the built module, the agent, the courier and a server on SQLite, all on one machine.

use std::time::{Duration, Instant};

use countersign_tests::site::{HostKey, PamClient, Person, SERVICE, SOON, Scene, Site};
use countersign_tests::{Machine, SELECT, Trouble, wait_until};
use serde::Serialize;

use crate::series::{Login, Series};
use crate::{Plan, progress};

/// Cards that take turns in being cold: one is cold when nobody used it for as long as the agent keeps it warm. pcscd
/// has room for sixteen readers, and each of these takes two.
const COLD_CARDS: usize = 3;

/// Longer than the agent keeps a card warm.
const COLD: Duration = Duration::from_millis(11_000);

/// Logins before the first that counts.
const WARM_UP: usize = 20;

/// A site with everybody who takes part.
pub(crate) struct Bench<'m> {
    scene: Scene<'m>,
    cold: Vec<Person<'m>>,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Ours {
    pub(crate) series: Vec<Series>,
    /// The agent's resident memory in KiB: idle before the first login, and after the last.
    pub(crate) resident_kib: (u64, u64),
}

impl<'m> Bench<'m> {
    pub(crate) fn set_up(machine: &'m Machine) -> Result<Self, Trouble> {
        progress("a server, a host, an administrator, and ana");
        let site = Site::enrolled(machine, 2 + COLD_CARDS, HostKey::Sealed)?;
        let scene = Scene::at(site)?;
        progress(&format!("{COLD_CARDS} more people, whose cards are cold most of the time"));
        let mut cold = Vec::new();
        for (number, reader) in (3..3 + COLD_CARDS).enumerate() {
            let name = format!("cold{number}");
            let uid = 4310 + u32::try_from(number).unwrap_or(0);
            let person = scene.site.person(&name, uid, reader)?;
            person.register(&name, &code(&scene, &name)?)?;
            cold.push(person);
        }
        let names = std::iter::once("ana").chain(cold.iter().map(|person| person.user.name.as_str()));
        let managed: String = names.map(|name| format!("user {name} card\n")).collect();
        scene.site.manage(&managed)?;
        Ok(Self { scene, cold })
    }

    pub(crate) fn measure(&mut self, plan: Plan) -> Result<Ours, Trouble> {
        // Registrations are over, and what they took is given back.
        std::thread::sleep(Duration::from_secs(2));
        let idle = self.resident()?;
        let ana = &self.scene.ana;
        let warm = warm(&mut self.client("ana")?, "warm", ana, plan.warm, &sign_ed25519())?;
        let cold = self.cold(plan.cold)?;
        let inserted = self.inserted(plan.inserted)?;
        Ok(Ours { series: vec![warm, cold, inserted], resident_kib: (idle, self.resident()?) })
    }

    fn client(&self, login: &str) -> Result<PamClient, Trouble> {
        PamClient::start(self.scene.console.command(PamClient::program()?), SERVICE, login)
    }

    fn cold(&self, logins: usize) -> Result<Series, Trouble> {
        progress(&format!(
            "cold: {logins} logins, each with a card that nobody used for {} s",
            COLD.as_secs()
        ));
        let mut people = Vec::new();
        for person in &self.cold {
            people.push((person, self.client(&person.user.name)?, Instant::now()));
        }
        let mut measured = Vec::new();
        for (number, turn) in (0..people.len()).cycle().take(logins).enumerate() {
            let Some((person, client, used)) = people.get_mut(turn) else { break };
            std::thread::sleep(COLD.saturating_sub(used.elapsed()));
            measured.push(one(client, person)?);
            *used = Instant::now();
            if number % 10 == 9 {
                progress(&format!("cold: {} of {logins}", number + 1));
            }
        }
        let plain = match self.cold.first() {
            Some(person) => {
                let [status, verify] = status_and_verify();
                let apdus = [SELECT, "00CA004F00", &status, &verify, &sign_ed25519()];
                Some(person.card.stopwatch(50, &apdus)?)
            }
            None => None,
        };
        Ok(Series::of("cold", &measured, plain.as_deref()))
    }

    fn inserted(&self, logins: usize) -> Result<Series, Trouble> {
        progress(&format!("put in for it: {logins} logins"));
        let card = &self.scene.ana.card;
        let mut client = self.client("ana")?;
        let measured = repeat(logins, || {
            card.pull()?;
            card.wait_until_seen()?;
            card.reset_counts()?;
            client.begin(Some(Person::PIN))?;
            card.insert()?;
            let answer = client.finish()?;
            Login::of(&answer, &card.counts()?).map_err(Trouble::Machine)
        })?;
        Ok(Series::of("put in for it", &measured, None))
    }

    fn resident(&self) -> Result<u64, Trouble> {
        let pid = self.scene.site.agent.as_ref().map_or(0, countersign_tests::Running::pid);
        wait_until("the agent's status", SOON, || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            Ok(line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()))
        })
    }
}

/// Logins one after the other, and what the same commands take a plain program.
pub(crate) fn warm(
    client: &mut PamClient,
    name: &str,
    person: &Person<'_>,
    logins: usize,
    sign: &str,
) -> Result<Series, Trouble> {
    progress(&format!("{name}: {logins} logins"));
    for _ in 0..WARM_UP {
        client.login(Some(Person::PIN))?;
    }
    let measured = repeat(logins, || one(client, person))?;
    progress(&format!("{name}: the same commands by a plain program"));
    let [status, verify] = status_and_verify();
    let plain = person.card.stopwatch(logins, &[&status, &verify, sign])?;
    Ok(Series::of(name, &measured, Some(&plain)))
}

fn code(scene: &Scene<'_>, name: &str) -> Result<String, Trouble> {
    scene.olga.administer(&["admin", "user", "add", name])?.after("code")
}

fn repeat(times: usize, mut once: impl FnMut() -> Result<Login, Trouble>) -> Result<Vec<Login>, Trouble> {
    (0..times).map(|_| once()).collect()
}

/// One login, and what the card counted of it.
pub(crate) fn one(client: &mut PamClient, person: &Person<'_>) -> Result<Login, Trouble> {
    person.card.reset_counts()?;
    let answer = client.login(Some(Person::PIN))?;
    Login::of(&answer, &person.card.counts()?).map_err(Trouble::Machine)
}

/// What the agent sends to a card that it knows, before the signature.
fn status_and_verify() -> [String; 2] {
    let pin: String = Person::PIN.bytes().map(|byte| format!("{byte:02X}")).collect();
    ["00CA00C400".to_owned(), format!("00200081{:02X}{pin}", Person::PIN.len())]
}

/// A signature over a SHA-512 digest.
fn sign_ed25519() -> String {
    format!("002A9E9A40{}00", "AB".repeat(64))
}
