//! The people of this host, as far as a change of PAM could lock them out.

use countersign_protocol::ids::{LoginName, Nonce, ServiceName};
use countersign_protocol::ipc::{self, Request};
use countersign_protocol::managed::Managed;
use countersign_protocol::random::SystemRandom;

use super::tools;
use crate::agent;
use crate::args::Global;
use crate::failure::{Failure, Kind};

/// Those of whom the agent knows no card that opens their login here. It may not have heard yet of a card that was
/// registered a moment ago, so that this is no reason to refuse. An agent that does not run says nothing.
pub(crate) fn without_a_card(global: &Global, logins: &[&LoginName], service: &ServiceName) -> Vec<String> {
    let is_denied = |login: &LoginName| {
        let Ok(nonce) = Nonce::new(&SystemRandom) else { return false };
        let ask = ipc::Account { login: login.clone(), service: service.clone(), nonce };
        let answer = agent::ask_at(global.pam_socket(), global, &Request::Account(ask));
        matches!(answer, Err(Failure { kind: Kind::Denied(_), .. }))
    };
    logins.iter().filter(|login| is_denied(login)).map(|login| login.to_string()).collect()
}

/// Those with a shell whom the module would refuse, though no line names them: their names resemble one that is
/// managed, or are none that a line could hold. With the reasons.
pub(crate) fn refused_by(managed: &str) -> Vec<String> {
    let Ok(managed) = Managed::parse(managed) else { return Vec::new() };
    let listed = tools::run("getent", &["passwd"]).map(|output| output.stdout);
    let listed = listed.or_else(|_| std::fs::read("/etc/passwd")).unwrap_or_default();
    refused_of(&managed, &String::from_utf8_lossy(&listed))
}

fn refused_of(managed: &Managed, passwd: &str) -> Vec<String> {
    let has_shell = |line: &&str| {
        let shell = line.rsplit(':').next().unwrap_or_default();
        !shell.ends_with("/nologin") && !shell.ends_with("/false")
    };
    let names = passwd.lines().filter(has_shell).filter_map(|line| line.split(':').next());
    names.filter_map(|name| Some(format!("{name}: {}", managed.rule(name).err()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_whom_the_module_would_refuse_are_named_before() {
        let managed = Managed::parse("user ana card\n").unwrap();
        let passwd = "root:x:0:0::/root:/bin/bash\nana:x:1:1::/:/bin/sh\nAna:x:2:2::/:/bin/sh\n\
            CORP\\eve:x:3:3::/:/bin/sh\nANA:x:4:4::/:/usr/sbin/nologin\nbob:x:5:5::/:/bin/sh\n";
        let refused = refused_of(&managed, passwd);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(refused.iter().any(|line| line.starts_with("Ana: it resembles `ana`")), "{refused:?}");
        assert!(refused.iter().any(|line| line.starts_with("CORP\\eve: ")), "{refused:?}");
    }
}
