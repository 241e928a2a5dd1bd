//! The namespaces and the cgroup of one machine, and the process that holds them.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::hierarchies;
use crate::trouble::{Attempt as _, Trouble};

/// Alive as long as something refers to it.
#[derive(Debug)]
pub(super) struct Enclosure {
    janitor: Child,
    /// Its namespaces are the machine's.
    holder: u32,
    name: String,
    scratch: PathBuf,
    /// The machine's own cgroup in each hierarchy.
    cgroups: Vec<PathBuf>,
}

impl Enclosure {
    pub(super) fn build() -> Result<Self, Trouble> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Trouble::NotRoot);
        }
        let roots = hierarchies::find()?;
        let scratch = tempfile::Builder::new()
            .prefix("countersign-")
            .tempdir()
            .attempt(|| "create a scratch folder".to_owned())?
            .keep();
        let random = scratch.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = format!("{random}-{}", std::process::id());
        let mut janitor = Command::new("sh")
            .args(["-c", concat!("exec 2>&1\n", include_str!("janitor.sh")), "janitor"])
            .arg(&scratch)
            .arg(&name)
            .arg(include_str!("furnish.sh"))
            .args(&roots)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt from the keyboard ends the test, and the janitor after it.
            .process_group(0)
            .spawn()
            .attempt(|| "start a shell".to_owned())?;
        let cgroups = roots.iter().map(|root| root.join(&name)).collect();
        let holder = wait_for_holder(&mut janitor);
        let mut enclosure = Self { janitor, holder: 0, name, scratch, cgroups };
        // From here on, an error takes the enclosure down in `drop`.
        enclosure.holder = holder.map_err(Trouble::Machine)?;
        Ok(enclosure)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(super) fn cgroups(&self) -> &[PathBuf] {
        &self.cgroups
    }

    pub(super) fn path(&self, inside: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder));
        root.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// The same for a service manager of its own: it has files of the machine, and makes its own of the rest.
    pub(super) fn side_entrance(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--mount=/proc/{}/ns/mnt", self.holder), "--".to_owned()]
    }

    /// `nsenter` and its arguments, up to the program.
    pub(super) fn entrance(&self) -> Vec<String> {
        let namespace = |kind, file| format!("--{kind}=/proc/{}/ns/{file}", self.holder);
        vec![
            "nsenter".to_owned(),
            namespace("mount", "mnt"),
            namespace("uts", "uts"),
            namespace("cgroup", "cgroup"),
            "--".to_owned(),
        ]
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // The janitor has done what could be done; there is nobody to tell more.
        let _ = self.janitor.wait();
    }
}

/// The holder's process id, or what the tools said instead.
fn wait_for_holder(janitor: &mut Child) -> Result<u32, String> {
    let mut said = String::new();
    for line in BufReader::new(janitor.stdout.take().ok_or("no output")?).lines().map_while(Result::ok) {
        match line.strip_prefix("ready ").map(str::parse) {
            Some(Ok(holder)) => return Ok(holder),
            _ if line == "failed" => break,
            _ => said.push_str(&line),
        }
        said.push('\n');
    }
    Err(said)
}
