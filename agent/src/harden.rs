//! The first thing `countersignd` does, and the last before it serves anybody.
//!
//! [`first`] runs before a secret exists: nobody may dump, trace or inherit anything of this process.
//! [`drop_privileges`] runs before the first thread starts, because capabilities belong to threads.
//! [`become_user`] is what a program does that the agent starts for another user.

use std::os::fd::RawFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use caps::{CapSet, Capability};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid};

/// What of the hardening could not be had, in a sentence each. The agent logs them and goes on.
pub type Weaknesses = Vec<String>;

/// The kernel refused something without which the agent does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {why}. countersignd must be started as root, by its systemd unit")]
pub struct HardenError {
    what: &'static str,
    why: String,
}

/// Only these are kept: two to start the courier under its own user again when it died, and one because
/// with all memory locked every later allocation counts against `RLIMIT_MEMLOCK` without it.
const KEPT: [Capability; 3] = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_IPC_LOCK];

/// A program that the agent starts begins with these at most, as root, and gives them up in [`become_user`]. The agent
/// does not change the user before: from there until the program is loaded, that user could stop a copy of the agent,
/// and with it the agent, which waits for the loading.
const PASSED_ON: [Capability; 2] = [Capability::CAP_SETUID, Capability::CAP_SETGID];

/// `MCL_ONFAULT` of `mlockall(2)`, which nix does not name: lock pages when they are first touched, so that
/// stacks of sleeping threads cost nothing.
const MCL_ONFAULT: libc::c_int = 4;

/// The kernel's own ceiling of a process's open files (`/proc/sys/fs/nr_open`).
const MOST_OPEN: RawFd = 1 << 20;

/// Closes what was inherited except `passed`, and shuts the process against dumps and tracers.
///
/// # Errors
/// [`HardenError`] if this is not root or the kernel refuses a step.
pub fn first(passed: &[RawFd]) -> Result<Weaknesses, HardenError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(HardenError { what: "serve cards", why: "this is not root".to_owned() });
    }
    umask(Mode::from_bits_truncate(0o077));
    prctl::set_dumpable(false).map_err(refused("forbid memory dumps"))?;
    prctl::set_no_new_privs().map_err(refused("forbid new privileges"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused("forbid core files"))?;
    nix::unistd::chdir("/").map_err(refused("change to /"))?;
    close_inherited(passed).map_err(refused("close inherited files"))?;

    keep_heap_small();
    let mut weaknesses = Weaknesses::new();
    if let Err(why) = lock_memory() {
        weaknesses.push(format!(
            "memory cannot be locked ({why}): secrets may reach the swap device. Let the unit keep CAP_IPC_LOCK, \
             or set LimitMEMLOCK=infinity"
        ));
    }
    Ok(weaknesses)
}

/// The threads here wait more than they work: they share one heap, which gives back what a burst took. glibc would
/// keep one for each of them, with all that ever lay in it.
#[expect(unsafe_code, reason = "mallopt(3)")]
fn keep_heap_small() {
    const TRIM_ABOVE: libc::c_int = 64 * 1024;
    // SAFETY: mallopt(3) sets numbers of the allocator; no second thread runs yet. A value it does not take is left.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    // SAFETY: as above.
    let _ = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_ABOVE) };
}

/// Locks all memory there is and will be.
fn lock_memory() -> Result<(), String> {
    let capable = caps::has_cap(None, CapSet::Effective, Capability::CAP_IPC_LOCK).unwrap_or(false);
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(|error| error.to_string())?;
    if !capable && limit != RLIM_INFINITY {
        // What fits now would not later: a thread without a stack is worse than a page on the swap device.
        return Err(format!("the limit is {limit} bytes"));
    }
    let everything =
        MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    mlockall(everything).map_err(|error| error.to_string())
}

/// Gives up every capability but the three of `KEPT`; what is started from here on can have those of `PASSED_ON`.
///
/// # Errors
/// [`HardenError`].
pub fn drop_privileges() -> Result<(), HardenError> {
    let failed =
        |error: caps::errors::CapsError| HardenError { what: "give up capabilities", why: error.to_string() };
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    // What the service manager took away already cannot be kept.
    let have = caps::read(None, CapSet::Permitted).map_err(failed)?;
    let passed_on = PASSED_ON.into_iter().filter(|cap| have.contains(cap)).collect();
    // The bounding set last: nothing is added to the inheritable one that is not in it.
    caps::set(None, CapSet::Inheritable, &passed_on).map_err(failed)?;
    caps::clear(None, CapSet::Bounding).map_err(failed)?;
    let kept = KEPT.into_iter().filter(|cap| have.contains(cap)).collect();
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)
}

/// Makes this process one of that user and group and of no other, for good, without any capability. For a program that
/// the agent started, before it does anything else.
///
/// # Errors
/// [`HardenError`]; then it must end.
pub fn become_user(uid: u32, gid: u32) -> Result<(), HardenError> {
    let failed =
        |error: caps::errors::CapsError| HardenError { what: "give up capabilities", why: error.to_string() };
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).map_err(failed)?;
    }
    // Only in tests the agent is not root: then it has no choice of users.
    if nix::unistd::geteuid().is_root() {
        nix::unistd::setgroups(&[]).map_err(refused("leave every group"))?;
        nix::unistd::setresgid(group, group, group).map_err(refused("change the group"))?;
        nix::unistd::setresuid(user, user, user).map_err(refused("change the user"))?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(failed)?;
    }
    if nix::unistd::geteuid() != user {
        return Err(HardenError { what: "change the user", why: "this is somebody else's".to_owned() });
    }
    Ok(())
}

/// Has `command`'s program start with descriptors 0 to 2 alone, whatever else is open here and however it was
/// marked: a forgotten socket must not reach a child.
#[expect(unsafe_code, reason = "runs in the child between fork and exec")]
pub fn pass_on_nothing(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe functions may run; `mark_all` makes system calls
    // alone and allocates nothing.
    unsafe { command.pre_exec(mark_all) };
}

/// Marks everything from 3 on to be closed at exec. The standard library's own pipe, which tells the parent
/// whether exec worked, is marked already and still works until then.
#[expect(unsafe_code, reason = "close_range(2), and fcntl(2) for kernels before 5.11")]
fn mark_all() -> std::io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: close_range(2) with CLOEXEC changes flags of descriptors and no memory.
    if unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, CLOSE_RANGE_CLOEXEC) } == 0 {
        return Ok(());
    }
    // SAFETY: sysconf(3) with _SC_OPEN_MAX asks getrlimit(2) and touches no memory of ours.
    let most = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    let most = RawFd::try_from(most).unwrap_or(MOST_OPEN).clamp(3, MOST_OPEN);
    for fd in 3..most {
        // SAFETY: F_SETFD changes one flag; a number that is not open is answered with EBADF.
        let _ = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

fn close_inherited(passed: &[RawFd]) -> std::io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) {
            open.push(fd);
        }
    }
    for fd in open {
        if fd > 2 && !passed.contains(&fd) {
            // The folder's own descriptor is in the list and closed already: EBADF is fine.
            let _ = nix::unistd::close(fd);
        }
    }
    Ok(())
}

fn refused<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> HardenError {
    move |error| HardenError { what, why: error.to_string() }
}
