//! The configurations that ship, as files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use countersign_tests::pam_stack::{Dialect, Folder, render};

use super::programs::{PROGRAMS, Program};

/// A host's `/etc/pam.d` with our lines, and the same without.
pub(crate) struct Configuration {
    pub(crate) name: String,
    /// Of the libpam that reads it.
    pub(crate) dialect: Dialect,
    pub(crate) with: Folder,
    pub(crate) without: Folder,
    /// The services that it is about; the others are as they were. All, if empty.
    services: Vec<String>,
}

impl Configuration {
    /// Whether it is made by authselect.
    pub(crate) fn is_fedora_s(&self) -> bool {
        self.name.starts_with("authselect")
    }

    /// For a table.
    pub(crate) fn short_name(&self) -> String {
        let name: String = self.name.chars().take(44).collect();
        if self.dialect == Dialect::JumpsCount { name } else { format!("{name} *") }
    }

    /// The programs that it is about.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Program> {
        let is_covered =
            |service: &str| self.services.is_empty() || self.services.iter().any(|one| one == service);
        PROGRAMS.into_iter().filter(move |program| is_covered(program.service))
    }
}

const OURS: [&str; 2] = ["countersign", "countersign-session"];

/// Profiles that are enabled besides ours. The first is what every Debian has.
const PROFILES: [(&str, &[&str]); 4] = [
    ("pam_unix alone", &["unix"]),
    ("with capabilities and systemd", &["unix", "capability", "systemd"]),
    ("with Kerberos", &["unix", "capability", "systemd", "krb5"]),
    ("with a directory and password rules", &["unix", "systemd", "mkhomedir", "ldap", "pwquality"]),
];

/// Features of the authselect profile.
const FEATURES: [&[&str]; 3] = [
    &[],
    &["with-faillock", "with-fingerprint", "with-pamaccess"],
    &["with-faillock", "with-mkhomedir", "with-pam-gnome-keyring", "without-nullok", "with-silent-lastlog"],
];

/// Everything that ships.
pub(crate) fn all() -> &'static [Configuration] {
    static ALL: LazyLock<Vec<Configuration>> = LazyLock::new(made);
    &ALL
}

fn made() -> Vec<Configuration> {
    let debian_s = PROFILES.iter().map(|(name, enabled)| debian(name, enabled, Dialect::JumpsDoNotCount));
    // Another Debian may come with upstream's way.
    let upstream = PROFILES[..2].iter().map(|(name, enabled)| debian(name, enabled, Dialect::JumpsCount));
    let by_hand = Dialect::ALL.into_iter().map(by_hand);
    debian_s.chain(upstream).chain(by_hand).chain(FEATURES.iter().map(|features| fedora(features))).collect()
}

fn here(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pam_stacks").join(folder)
}

fn packaging(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(folder)
}

/// Debian's own services over what `pam-auth-update` makes of the profiles; `passwd` as `pam enable` leaves it.
fn debian(name: &str, enabled: &[&str], dialect: Dialect) -> Configuration {
    let services = Folder::read(&here("debian")).unwrap();
    let mut with = services.clone().with(&generated(&[enabled, OURS.as_slice()].concat()));
    let passwd = services.files().find(|(name, _)| *name == "passwd").unwrap().1.to_owned();
    with.put(
        "passwd",
        &format!("password [success=done ignore=ignore default=die] pam_countersign.so\n{passwd}"),
    );
    let without = services.with(&generated(enabled));
    Configuration { name: format!("Debian {name}"), dialect, with, without, services: Vec::new() }
}

/// The examples for hand-written stacks.
fn by_hand(dialect: Dialect) -> Configuration {
    let services = Folder::read(&here("debian")).unwrap();
    let generated = generated(&["unix", "capability", "systemd"]);
    let examples = Folder::read(&packaging("pam.d")).unwrap();
    let mut without = Folder::default();
    for (name, text) in examples.files() {
        let lines: String = text
            .lines()
            .filter(|line| !line.contains("pam_countersign.so"))
            // What jumps over our line alone passes over nothing without it.
            .map(|line| line.replace("[success=1 default=ignore]", "[default=ignore]") + "\n")
            .collect();
        without.put(name, &lines);
    }
    let mut with = generated.clone().with(&examples);
    let mut without = without.with(&generated);
    // Debian's `su -l` includes the file of `su`.
    for (name, text) in services.files().filter(|(name, _)| ["other", "su-l"].contains(name)) {
        with.put(name, text);
        without.put(name, text);
    }
    let mut services: Vec<String> = examples.files().map(|(name, _)| name.to_owned()).collect();
    services.push("su-l".to_owned());
    Configuration { name: "by hand, from the examples".to_owned(), dialect, with, without, services }
}

/// Services as Fedora has them over our authselect profile; without it, over the same files less our lines.
fn fedora(features: &[&str]) -> Configuration {
    let services = Folder::read(&here("fedora")).unwrap();
    let templates = Folder::read(&packaging("authselect/countersign")).unwrap();
    let (mut with, mut without) = (services.clone(), services);
    for name in ["system-auth", "password-auth", "fingerprint-auth", "postlogin"] {
        let (_, template) = templates.files().find(|(file, _)| *file == name).unwrap();
        let text = render(template, features);
        assert!(!text.contains(['{', '}']), "{text}");
        let less: String = text
            .lines()
            .filter(|line| !line.contains("pam_countersign.so"))
            .map(|line| format!("{line}\n"))
            .collect();
        with.put(name, &text);
        without.put(name, &less);
    }
    let dialect = Dialect::JumpsCount;
    let chosen = if features.is_empty() { "no features".to_owned() } else { features.join(" ") };
    Configuration { name: format!("authselect, {chosen}"), dialect, with, without, services: Vec::new() }
}

/// What Debian's own `pam-auth-update` writes for these profiles.
pub(crate) fn generated(enabled: &[&str]) -> Folder {
    generated_with(enabled, &packaging("pam-configs"))
}

/// The same with our profiles from another folder.
pub(crate) fn generated_with(enabled: &[&str], ours: &Path) -> Folder {
    let root = tempfile::tempdir().unwrap();
    let [confdir, _, configs] = ["etc/pam.d", "var/lib/pam", "usr/share/pam-configs"].map(|folder| {
        let path = root.path().join(folder);
        std::fs::create_dir_all(&path).unwrap();
        path
    });
    for kind in ["auth", "account", "password", "session", "session-noninteractive"] {
        let name = format!("common-{kind}");
        std::fs::copy(Path::new("/usr/share/pam").join(&name), confdir.join(&name)).unwrap();
    }
    for folder in [Path::new("/usr/share/pam-configs"), &here("profiles"), ours] {
        for profile in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            std::fs::copy(profile.path(), configs.join(profile.file_name())).unwrap();
        }
    }
    let others: Vec<String> = std::fs::read_dir(&configs)
        .unwrap()
        .map(|profile| profile.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|profile| !enabled.contains(&profile.as_str()))
        .collect();
    // What this machine's own debconf remembers is none of our business, nor ours to change.
    let debconf = root.path().join("debconf.conf");
    let [answers, templates] =
        ["answers", "templates"].map(|name| root.path().join(name).display().to_string());
    let databases = format!(
        "Config: answers\nTemplates: templates\n\nName: answers\nDriver: File\nFilename: {answers}\n\n\
         Name: templates\nDriver: File\nFilename: {templates}\n"
    );
    std::fs::write(&debconf, databases).unwrap();
    let update = Command::new("pam-auth-update")
        .arg("--root")
        .arg(root.path())
        .arg("--force")
        .arg("--enable")
        .args(enabled)
        .arg("--disable")
        .args(&others)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBCONF_SYSTEMRC", &debconf)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&update.stderr);
    assert!(update.status.success(), "pam-auth-update: {said}");
    Folder::read(&confdir).map(without_old).unwrap()
}

/// `--force` keeps copies of what it replaced.
fn without_old(folder: Folder) -> Folder {
    let mut kept = Folder::default();
    for (name, text) in folder.files().filter(|(name, _)| !name.ends_with(".pam-old")) {
        kept.put(name, text);
    }
    kept
}
