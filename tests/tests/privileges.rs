//! What agent and courier may do, read from `/proc` while they work.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use countersign_tests::site::{HostKey, SOON, Scene};
use countersign_tests::{Machine, target_bin, wait_until};

/// `/proc/PID/status` by field.
fn status(pid: u32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn expect(pid: u32, who: &str, expected: &[(&str, &str)]) {
    // Of every thread: capabilities are a thread's own.
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let task = task.unwrap().file_name().to_str().unwrap().parse::<u32>().unwrap();
        // One that ended meanwhile has none.
        if !fs::exists(format!("/proc/{task}/status")).unwrap() {
            continue;
        }
        let status = status(task);
        for (field, value) in expected {
            let found =
                status.get(*field).map(|found| found.split_whitespace().collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), Some(*value), "{field} of {who}, thread {task}");
        }
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "core files of {who}");
}

/// What each open descriptor is, and that no program started from here would get it.
fn descriptors(pid: u32) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        // One may be closed while they are listed.
        let entry = entry.unwrap();
        let number: u32 = entry.file_name().to_str().unwrap().parse::<u32>().unwrap();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
        let (Ok(what), Ok(info)) = (fs::read_link(entry.path()), info) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let kept_at_exec = i32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 == 0;
        assert!(number < 3 || !kept_at_exec, "{number} ({}) would be inherited", what.display());
        all.push(what.to_string_lossy().into_owned());
    }
    all
}

fn courier_of(agent: u32) -> Option<u32> {
    let folder = fs::read_dir(format!("/proc/{agent}/task")).ok()?;
    let children = folder.flatten().map(|task| fs::read_to_string(task.path().join("children")));
    let children: String = children.filter_map(Result::ok).collect();
    let is_courier = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with("countersign-cou"))
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_courier)
}

/// Whether a process of the same user and with the same capabilities may look into it.
fn may_be_looked_into(machine: &Machine, pid: u32) -> bool {
    let mut command = machine.command("setpriv");
    command.args(["--bounding-set=-all,+setuid,+setgid,+ipc_lock", "--inh-caps=-all", "--"]);
    command.args(["cat", &format!("/proc/{pid}/environ")]);
    command.output().unwrap().status.success()
}

#[test]
fn agent_and_courier_hold_exactly_the_privileges_of_the_design_while_they_work() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let agent = scene.site.agent.as_ref().unwrap().pid();
    let courier = wait_until("the courier", SOON, || Ok(courier_of(agent))).unwrap();

    // CAP_SETGID, CAP_SETUID and CAP_IPC_LOCK; see `harden.rs`.
    let (kept, none) = (format!("{:016x}", (1 << 6) | (1 << 7) | (1 << 14)), "0000000000000000");
    let passed_on = format!("{:016x}", (1 << 6) | (1 << 7));
    expect(
        agent,
        "the agent",
        &[
            ("Uid", "0 0 0 0"),
            ("Gid", "0 0 0 0"),
            ("CapEff", &kept),
            ("CapPrm", &kept),
            ("CapInh", &passed_on),
            ("CapBnd", none),
            ("CapAmb", none),
            ("NoNewPrivs", "1"),
            ("Umask", "0077"),
        ],
    );
    expect(
        courier,
        "the courier",
        &[
            ("Uid", "987 987 987 987"),
            ("Gid", "987 987 987 987"),
            ("Groups", ""),
            ("CapEff", none),
            ("CapPrm", none),
            ("CapInh", none),
            ("CapBnd", none),
            ("CapAmb", none),
            ("NoNewPrivs", "1"),
            ("Umask", "0077"),
        ],
    );
    let one_of = |what: &str, known: &[&str]| known.iter().any(|known| what.starts_with(known));
    for what in descriptors(agent) {
        let known = ["socket:[", "/dev/null", "/var/lib/countersign/journal.sqlite", "anon_inode:"];
        // Of the test: where its output goes.
        let known = one_of(&what, &known) || what.starts_with(machine.scratch().to_str().unwrap());
        assert!(known, "the agent has {what} open");
    }
    for what in descriptors(courier) {
        let known = one_of(&what, &["socket:[", "/dev/null"]);
        let known = known || what.starts_with(machine.scratch().to_str().unwrap());
        assert!(known, "the courier has {what} open");
    }
}

#[test]
fn nobody_traces_agent_or_courier_not_even_their_own_users() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let agent = scene.site.agent.as_ref().unwrap().pid();
    let courier = wait_until("the courier", SOON, || Ok(courier_of(agent))).unwrap();

    // The same question about a process that is like the agent in all but this.
    let mut like_it = machine.command("setpriv");
    like_it.args(["--bounding-set=-all,+setuid,+setgid,+ipc_lock", "--inh-caps=-all", "--", "sleep", "60"]);
    let like_it = machine.spawn("like-the-agent", &mut like_it).unwrap();
    let capabilities = |pid| status(pid).remove("CapEff").unwrap();
    wait_until("a process like the agent", SOON, || {
        Ok((capabilities(like_it.pid()) == capabilities(agent)).then_some(()))
    })
    .unwrap();
    assert!(may_be_looked_into(&machine, like_it.pid()), "this test can see a process that allows it");
    assert!(!may_be_looked_into(&machine, agent), "the agent's memory can be read by its own user");

    // The kernel gives the files of a process that may be dumped to its user.
    let owner = |pid| fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    assert_eq!(status(courier).remove("Uid").unwrap().split_whitespace().next(), Some("987"));
    assert_eq!(owner(courier), 0, "the courier can be dumped");
}

#[test]
fn all_memory_that_can_hold_a_secret_is_locked() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let agent = scene.site.agent.as_ref().unwrap().pid();
    let maps = fs::read_to_string(format!("/proc/{agent}/smaps")).unwrap();
    let (mut mapping, mut writable, mut looked_at) = (String::new(), false, 0);
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if first.contains('-') && !first.ends_with(':') {
            writable = words.next().is_some_and(|permissions| permissions.contains('w'));
            mapping = line.to_owned();
        } else if first == "VmFlags:" && writable {
            looked_at += 1;
            assert!(words.any(|flag| flag == "lo"), "may reach the swap device: {mapping}");
        }
    }
    assert!(looked_at > 10, "{looked_at} mappings");
}

#[test]
fn memory_that_cannot_be_locked_is_said_and_keeps_nobody_out() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    // Too little, and still too little.
    for limit in [64 << 10, 4 << 20] {
        scene.site.stop_agent().unwrap();
        // As under a service manager that takes the capability away.
        let mut command = machine.command("prlimit");
        command.arg(format!("--memlock={limit}"));
        command.args(["--", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-all", "--"]);
        command.arg(target_bin("countersignd").unwrap());
        let agent = machine.spawn("unlocked", &mut command).unwrap();
        wait_until("the agent to say it", SOON, || {
            Ok(agent.log().contains("memory cannot be locked").then_some(()))
        })
        .unwrap_or_else(|trouble| panic!("{trouble}\n{}", agent.log()));
        scene.site.agent = Some(agent);
        wait_until("a login", SOON, || Ok(scene.ana_logs_in().ok())).unwrap();
    }
}
