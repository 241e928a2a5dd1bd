//! Where a process was started, read from its control group.
//!
//! Only the fixed places of systemd's tree count. A user owns the folders below `user@UID.service` and may
//! name one `session-1.scope`; that is still a process of the user's manager.

/// Who started a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A session of logind.
    Session(String),
    /// The service manager of this user.
    UserManager(u32),
    /// A system service, by its unit.
    Service(String),
    /// PID 1 itself, or a shell it started before any service.
    Init,
}

/// Reads `/proc/PID/cgroup` (`cgroups(7)`): systemd's own hierarchy of version 1 where there is one, else
/// the one of version 2. `init` is the same file of PID 1: inside a container without a namespace of its
/// own, everything lies below the folder where the container's init lies.
#[must_use]
pub fn origin(cgroup: &str, init: &str) -> Option<Origin> {
    let path = systemd_path(cgroup)?;
    let root = systemd_path(init).and_then(|init| init.strip_suffix("/init.scope")).unwrap_or("");
    let path = path.strip_prefix(root)?.strip_prefix('/')?;
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["init.scope"] => Some(Origin::Init),
        ["user.slice", slice, unit, ..] => {
            let uid: u32 = number(slice.strip_prefix("user-")?.strip_suffix(".slice")?)?;
            if let Some(id) = unit.strip_prefix("session-").and_then(|rest| rest.strip_suffix(".scope")) {
                return is_session_id(id).then(|| Origin::Session(id.to_owned()));
            }
            let manager: u32 = number(unit.strip_prefix("user@")?.strip_suffix(".service")?)?;
            (manager == uid).then_some(Origin::UserManager(uid))
        }
        ["system.slice", rest @ ..] => {
            let unit = rest.iter().find(|part| !part.ends_with(".slice"))?;
            unit.ends_with(".service").then(|| Origin::Service((*unit).to_owned()))
        }
        _ => None,
    }
}

/// logind's ids are numbers, or `c` and a number; they become a file name (R20).
#[must_use]
pub(super) fn is_session_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric())
}

fn systemd_path(cgroup: &str) -> Option<&str> {
    let of = |mark: &str| cgroup.lines().find_map(|line| line.split_once(mark).map(|(_, path)| path));
    of(":name=systemd:").or_else(|| cgroup.lines().find_map(|line| line.strip_prefix("0::")))
}

fn number(text: &str) -> Option<u32> {
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
