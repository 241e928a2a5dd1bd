//! The same login by two other modules, on the same card: poldi, which drives GnuPG's scdaemon, and pam_p11 with
//! OpenSC. Both as Debian ships them, with the configuration their manuals give.

use countersign_tests::site::{HostKey, PamClient, Person, SERVICE, SILENT_REST, SOON, Site, stack};
use countersign_tests::{Machine, SELECT, Trouble, wait_until};

use crate::ours::{one, warm};
use crate::series::Series;
use crate::{Plan, progress};

/// Which key of a card, as commands name it.
const SIGNATURE: u8 = 0xB6;

/// The same.
const AUTHENTICATION: u8 = 0xA4;

/// The public part of a card's key.
struct Rsa {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// Ours and theirs, one after the other, on a machine with one card: what they do first is to look at every reader.
pub(crate) fn measure(plan: Plan) -> Result<Vec<Series>, Trouble> {
    progress("another machine, with one card that has RSA-2048 keys, which all of them take");
    let machine = Machine::start()?;
    let mut site = Site::enrolled(&machine, 2, HostKey::Sealed)?;
    // OpenSC looks at four readers, and each of these is two.
    let olga = site.person("olga", 4200, 2)?;
    olga.register(&site.server.administrator, &site.server.code)?;
    let code = olga.administer(&["admin", "user", "add", "ana"])?.after("code")?;
    let ana = site.person("ana", 4201, 1)?;
    ana.register_keys("ana", &code, "rsa2048")?;
    olga.card.pull()?;
    olga.card.wait_until_seen()?;
    site.manage("user ana card\n")?;
    let console = machine.service_cgroup("getty@tty1.service")?;
    let with = |stack: &str| {
        machine.pam_service(SERVICE, stack)?;
        PamClient::start(console.command(PamClient::program()?), SERVICE, "ana")
    };

    let ours = warm(&mut with(&stack(SILENT_REST)?)?, "countersign", &ana, plan.neighbours, &sign_rsa())?;
    site.stop_agent()?;
    poldi(&machine, &ana, &Rsa::of(&ana, AUTHENTICATION)?)?;
    let poldi = by("poldi", &|| with("auth required pam_poldi.so\n"), &ana, plan)?;
    // Of two keys behind one PIN pam_p11 finds the first, which is for decryption. The one for signatures has a PIN of
    // its own.
    let key = Rsa::of(&ana, SIGNATURE)?;
    machine.write(ana.user.home.join(".ssh/authorized_keys"), &key.authorized(), 0o644)?;
    let driver = format!("/usr/lib/{}-linux-gnu/opensc-pkcs11.so", std::env::consts::ARCH);
    let p11 = format!("auth required pam_p11.so {driver}\n");
    let p11 = by("pam_p11 with OpenSC", &|| with(&p11), &ana, plan)?;
    Ok(vec![ours, poldi, p11])
}

/// Each login by a program of its own, as login programs are: OpenSC does not survive being loaded again and again.
fn by(
    name: &str,
    start: &dyn Fn() -> Result<PamClient, Trouble>,
    person: &Person<'_>,
    plan: Plan,
) -> Result<Series, Trouble> {
    progress(&format!("{name}: {} logins", plan.neighbours));
    let once = || one(&mut start()?, person);
    // scdaemon does not always see the card that somebody else had a moment ago.
    wait_until("the first login", SOON, || Ok(once().ok()))?;
    let measured = (0..plan.neighbours).map(|_| once()).collect::<Result<Vec<_>, _>>()?;
    Ok(Series::of(name, &measured, None))
}

/// As its manual has it: who has which card, and the card's key.
fn poldi(machine: &Machine, person: &Person<'_>, key: &Rsa) -> Result<(), Trouble> {
    let serial = person.card.send(&[SELECT, "00CA004F00"])?;
    let serial = serial.get(1).and_then(|answer| answer.strip_suffix("9000")).unwrap_or_default();
    let settings = "auth-method localdb\nlog-file /run/poldi.log\nscdaemon-program /usr/lib/gnupg/scdaemon\n\
                    scdaemon-options /etc/poldi/scdaemon.conf\n";
    machine.write("/etc/poldi/poldi.conf", settings, 0o644)?;
    // Of several readers scdaemon takes the first, unless told.
    let reader =
        format!("disable-ccid\nlog-file /run/scdaemon.log\nreader-port {}\n", person.card.reader_name());
    machine.write("/etc/poldi/scdaemon.conf", &reader, 0o644)?;
    machine.write("/etc/poldi/localdb/users", &format!("{serial} {}\n", person.user.name), 0o644)?;
    machine.write(format!("/etc/poldi/localdb/keys/{serial}"), &key.expression(), 0o644)
}

/// A signature over a DigestInfo of SHA-512, with a long answer: what the agent sends to a card with an RSA key.
fn sign_rsa() -> String {
    format!("002A9E9A0000533051300D060960864801650304020305000440{}0000", "AB".repeat(64))
}

impl Rsa {
    /// Reads it from the card (GENERATE ASYMMETRIC KEY PAIR, P1 = 81).
    fn of(person: &Person<'_>, which: u8) -> Result<Self, Trouble> {
        let answers = person.card.send(&[SELECT, &format!("00478100000002{which:02X}000000")])?;
        let answer = answers.get(1).map(|answer| bytes(answer)).unwrap_or_default();
        let inner = object(&answer, &[0x7F, 0x49]);
        let part = |tag| inner.as_deref().and_then(|inner| object(inner, &[tag]));
        match (part(0x81), part(0x82)) {
            (Some(modulus), Some(exponent)) => Ok(Self { modulus, exponent }),
            _ => Err(Trouble::Machine(format!("the card's key is not RSA: {answers:?}"))),
        }
    }

    /// As libgcrypt writes it.
    fn expression(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        format!(
            "(public-key\n (rsa\n  (n #00{}#)\n  (e #{}#)\n )\n)\n",
            hex(&self.modulus),
            hex(&self.exponent)
        )
    }

    /// As OpenSSH writes it (RFC 4253, 6.6).
    fn authorized(&self) -> String {
        let string = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            [length.to_be_bytes().as_slice(), bytes].concat()
        };
        let modulus = [[0].as_slice(), &self.modulus].concat();
        let blob = [string(b"ssh-rsa"), string(&self.exponent), string(&modulus)].concat();
        format!("ssh-rsa {} rosa\n", base64(&blob))
    }
}

/// The value of the first object with this tag, if `data` is a row of BER objects.
fn object(data: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data;
    while !rest.is_empty() {
        let wide = rest.first()? & 0x1F == 0x1F;
        let (found, after) = rest.split_at_checked(if wide { 2 } else { 1 })?;
        let (length, after) = match after.split_first()? {
            (0x82, after) => {
                let (length, after) = after.split_at_checked(2)?;
                (usize::from(u16::from_be_bytes(length.try_into().ok()?)), after)
            }
            (0x81, after) => {
                let (length, after) = after.split_first()?;
                (usize::from(*length), after)
            }
            (length, after) => (usize::from(*length), after),
        };
        let value = after.get(..length)?;
        if found == tag {
            return Some(value.to_vec());
        }
        rest = after.get(length..)?;
    }
    None
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number =
            (0..3).fold(0_usize, |number, at| number << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = if place <= group.len() { ALPHABET.get(number >> shift & 63) } else { Some(&b'=') };
            text.extend(digit.map(|digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_libgcrypt_and_openssh_read_them() {
        let key = Rsa { modulus: vec![0xC1, 0x02], exponent: vec![1, 0, 1] };
        assert!(key.expression().contains("(n #00C102#)"));
        assert_eq!(key.authorized(), "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAwDBAg== rosa\n");
    }

    #[test]
    fn a_public_key_is_found_among_the_cards_objects() {
        let answer = [0x7F, 0x49, 0x81, 0x09, 0x81, 0x02, 0xC1, 0x02, 0x82, 0x03, 1, 0, 1, 0x90, 0x00];
        let inner = object(&answer, &[0x7F, 0x49]).unwrap();
        assert_eq!(object(&inner, &[0x81]).unwrap(), [0xC1, 0x02]);
        assert_eq!(object(&inner, &[0x82]).unwrap(), [1, 0, 1]);
        assert_eq!(object(&inner, &[0x83]), None);
    }
}
