//! The file that `init` writes.

use std::net::SocketAddr;
use std::path::Path;

use super::{Offline, ServerUrl, Store};

/// The file that `init` writes: what is chosen there, and what is chosen most often. Everything else is in
/// docs/server.md, with its default.
#[must_use]
pub fn template(listen: SocketAddr, url: &ServerUrl, data: &Path, store: &Store) -> String {
    let Offline { hours, uses } = Offline::default();
    let store = section(store);
    format!(
        r#"# Countersign server. Every key, with its default: docs/server.md. Unknown keys are errors.
# Look before you restart: countersign-server config check --config FILE

# Address and port to listen on.
listen = "{listen}"

# The URL at which hosts reach this server. It goes into application bundles.
url = "{url}"

# Keys and database. Belongs to the user the server runs as, and to nobody else (0700).
data = {data:?}

{store}# TLS by this server itself; without it the URL begins with http:, or a proxy stands in front (see [proxy]).
# New files are taken up by themselves.
#[tls]
#certificate = "/etc/countersign-server/tls.pem"
#key = "/etc/countersign-server/tls.key"

[offline]
# While a host cannot reach this server, people may log in there by a list that the server signed before:
# for so many hours, and so often each. 0 switches it off.
hours = {hours}
uses = {uses}

# Figures for Prometheus, and why the server is not ready (/metrics, /readyz).
#[metrics]
#listen = "127.0.0.1:9464"
"#,
        url = url.as_str(),
        data = data.display().to_string(),
    )
}

/// Nothing where the database is a file in the data folder.
fn section(store: &Store) -> String {
    let Some(address) = &store.postgres else { return String::new() };
    let address = String::from(address.clone());
    let file = store
        .password_file
        .as_ref()
        .map(|file| format!("password_file = {:?}\n", file.display().to_string()));
    let file = file.unwrap_or_default();
    format!(
        "# The database, which other servers with the same keys may share.\n[store]\npostgres = {address:?}\n{file}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    /// Longest file: what fits on a screen is read.
    const LINES: usize = 40;

    #[test]
    fn the_file_that_init_writes_is_short_and_says_what_holds_without_it() {
        let url: ServerUrl = "http://auth.example:8443".parse().unwrap();
        let text = template(
            "[::]:8443".parse().unwrap(),
            &url,
            Path::new("/var/lib/countersign"),
            &Store::default(),
        );
        assert!(text.lines().count() < LINES, "{}", text.lines().count());
        let config = read(&text).unwrap();
        assert_eq!(config.url.port(), 8443);
        let (chosen, _defaults) = text.split_once("[offline]").unwrap();
        assert_eq!(read(chosen).unwrap(), config);
        // What is only a comment there can be written as it stands.
        let spelled: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .collect();
        assert!(read(&spelled.join("\n")).is_ok(), "{spelled:?}");
    }

    #[test]
    fn a_database_that_init_was_told_of_is_in_the_file() {
        let store = Store {
            postgres: Some("host=/run/postgresql dbname=countersign user='a b'".parse().unwrap()),
            password_file: Some("/etc/countersign-server/password".into()),
        };
        let url: ServerUrl = "http://auth.example:8443".parse().unwrap();
        let text = template("[::]:8443".parse().unwrap(), &url, Path::new("/var/lib/countersign"), &store);
        assert!(text.lines().count() < LINES, "{}", text.lines().count());
        assert_eq!(read(&text).unwrap().store, store);
    }
}
