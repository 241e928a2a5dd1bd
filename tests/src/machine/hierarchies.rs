//! Where this host keeps its cgroups.

use std::path::PathBuf;

use crate::trouble::{Attempt as _, Trouble};

/// Mount points of the hierarchies that name a process' session: cgroup2, and before it the old
/// `name=systemd` hierarchy where a hybrid host still has one.
pub(super) fn find() -> Result<Vec<PathBuf>, Trouble> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").attempt(|| "read the mounts".to_owned())?;
    let (old, new) = parse(&mounts);
    let new = new.ok_or_else(|| Trouble::NoCgroup("none is mounted".to_owned()))?;
    if !new.join("cgroup.procs").exists() {
        return Err(Trouble::NoCgroup(format!("{} is empty", new.display())));
    }
    Ok(old.into_iter().chain([new]).collect())
}

/// The `name=systemd` hierarchy and cgroup2 among the lines of `/proc/self/mounts`.
fn parse(mounts: &str) -> (Option<PathBuf>, Option<PathBuf>) {
    let (mut old, mut new) = (None, None);
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(place), Some(kind), Some(options)) = (words.next(), words.next(), words.next()) {
            let slot = match kind {
                "cgroup2" => &mut new,
                "cgroup" if options.split(',').any(|option| option == "name=systemd") => &mut old,
                _ => continue,
            };
            slot.get_or_insert_with(|| PathBuf::from(place));
        }
    }
    (old, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_host_has_both() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let (old, new) = parse(mounts);
        assert_eq!(old, Some(PathBuf::from("/sys/fs/cgroup/systemd")));
        assert_eq!(new, Some(PathBuf::from("/sys/fs/cgroup/unified")));
    }

    #[test]
    fn a_unified_host_has_one() {
        let (old, new) = parse("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n");
        assert_eq!((old, new), (None, Some(PathBuf::from("/sys/fs/cgroup"))));
    }
}
