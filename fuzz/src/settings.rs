//! Files that somebody wrote: settings, managed logins, an application's bundle.

use countersign_agent::config::Config as AgentConfig;
use countersign_protocol::certificate;
use countersign_protocol::managed::Managed;
use countersign_protocol::message::result::ApplicationBundle;
use countersign_server::config::Config as ServerConfig;

use crate::same;

/// One file, for whoever reads it.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let agent = AgentConfig::parse("agent.toml", text).is_ok();
    let server = match toml::from_str::<ServerConfig>(text) {
        Ok(config) => {
            let shown = config.shown().ok().and_then(|shown| toml::from_str(&shown).ok());
            assert_eq!(shown, Some(config), "shown and read again it is another");
            true
        }
        Err(_) => false,
    };
    let managed = Managed::parse(text);
    if let Ok(managed) = &managed {
        assert!(managed.rule("root").is_ok(), "root's own name is not clear");
    }
    // An empty file is a good one for agent and module.
    (agent && !text.trim().is_empty()) || server || managed.is_ok()
}

/// A bundle, as `enroll` reads it.
pub(crate) fn bundle(bytes: &[u8]) -> bool {
    if !same::json::<ApplicationBundle>(bytes) {
        return false;
    }
    let Ok(bundle) = serde_json::from_slice::<ApplicationBundle>(bytes) else { return false };
    certificate::parse_secret(&bundle.secret_key.0).is_ok()
        && certificate::parse(&bundle.server_certificate.0).is_ok()
}
