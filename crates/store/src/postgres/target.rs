//! What a URL says about where to connect, and how URLs are shown.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Longest wait for one server to let us in, when there is only one.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// The same when there are several, as one of them may be gone for good.
const CONNECT_WAIT_EACH: Duration = Duration::from_secs(2);
/// After this long without an answer to what was sent, a host counts as gone.
const HOST_GONE: Duration = Duration::from_secs(15);
/// Most hosts in a URL.
const HOSTS_MAX: usize = 16;

/// One server of a URL.
pub(crate) struct Server {
    /// How to connect to it alone.
    pub(crate) config: Config,
    /// Host and port, or the socket's folder: what messages say.
    pub(crate) name: String,
}

/// All that a URL says.
pub(crate) struct Target {
    /// At least one.
    pub(crate) servers: Vec<Server>,
    /// Whether connections are encrypted, and the other side's certificate verified.
    pub(crate) tls: bool,
    /// Authorities to trust instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Longest wait for one server.
    pub(crate) connect_wait: Duration,
}

/// Whether a URL names this backend.
pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A URL without its password, be it behind the user's name or a parameter: what may be shown and
/// logged. Text that is no good URL, or has one in it, loses what may be a password too: everything
/// from the first colon before the last `@`. Text without `://` passes unchanged.
#[must_use]
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    if let Some((place, query)) = rest.split_once('?')
        && query.contains('@')
        && names_a_password(query)
    {
        return format!("{scheme}://{}?***", without_credentials(place));
    }
    // The last @: whoever forgot to escape one in the password is not to read it in a log.
    let rest = match rest.rsplit_once('@') {
        Some((credentials, place)) => match credentials.split_once(':') {
            Some((user, _)) => format!("{user}:***@{place}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let Some((place, query)) = rest.split_once('?') else {
        return format!("{scheme}://{rest}");
    };
    let shown: Vec<&str> = query.split('&').map(without_secret).collect();
    format!("{scheme}://{place}?{}", shown.join("&"))
}

/// What stands before the parameters, without what may be a password.
fn without_credentials(place: &str) -> String {
    let (credentials, host) = place.rsplit_once('@').unwrap_or((place, ""));
    match credentials.split_once(':') {
        Some((user, _)) => format!("{user}:***@{host}"),
        None => place.to_owned(),
    }
}

fn names_a_password(text: &str) -> bool {
    decoded(text).map_or(true, |text| text.to_lowercase().contains("password"))
}

fn without_secret(parameter: &str) -> &str {
    match parameter.split_once('=') {
        Some(("password", _)) => "password=***",
        // Anywhere in it: somebody may have written ? or ; for &.
        _ if names_a_password(parameter) => "***",
        Some(_) | None => parameter,
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without its password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let (plain, tls_says) = take_tls_parameters(url)?;
        // The parser's own message may quote what it could not read.
        let config: Config = plain.parse().map_err(|_| "it is not readable".to_owned())?;
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        if count == 0 || count > HOSTS_MAX {
            return Err(format!("it names {count} hosts, not 1 to {HOSTS_MAX}"));
        }
        let tls = match tls_says.mode {
            Some(mode) => mode,
            None => !(0..count).all(|index| is_here(&config, index)),
        };
        let servers = (0..count)
            .map(|index| server(&config, index, tls))
            .collect::<Option<Vec<_>>>()
            .ok_or("its hosts, addresses and ports do not match in number")?;
        let connect_wait = match servers.len() {
            1 => CONNECT_WAIT,
            _ => CONNECT_WAIT_EACH,
        };
        Ok(Self {
            servers,
            tls,
            ca_file: tls_says.ca_file,
            connect_wait,
        })
    }
}

#[derive(Default)]
struct TlsSays {
    /// `None` leaves it to the hosts.
    mode: Option<bool>,
    ca_file: Option<PathBuf>,
}

/// Takes out what `tokio_postgres` does not know, or takes more lightly than we do.
fn take_tls_parameters(url: &str) -> Result<(String, TlsSays), String> {
    let mut says = TlsSays::default();
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), says));
    };
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", "disable")) => says.mode = Some(false),
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => says.mode = Some(true),
            Some(("sslmode", "allow" | "prefer")) => says.mode = None,
            Some(("sslmode", _)) => return Err("its sslmode is unknown".to_owned()),
            Some(("sslrootcert", path)) => says.ca_file = Some(decoded(path)?.into()),
            // Always read-write here.
            Some(("target_session_attrs", _)) => {}
            Some(_) | None => kept.push(parameter),
        }
    }
    if kept.is_empty() {
        return Ok((place.to_owned(), says));
    }
    Ok((format!("{place}?{}", kept.join("&")), says))
}

/// Undoes percent encoding.
fn decoded(text: &str) -> Result<String, String> {
    let unreadable = || "its sslrootcert is not readable".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |digit: Option<u8>| char::from(digit.unwrap_or_default()).to_digit(16);
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let (Some(high), Some(low)) = (high, low) else {
            return Err(unreadable());
        };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| unreadable())?);
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

/// Whether a host is this machine, so that nobody else sees what goes there.
fn is_here(config: &Config, index: usize) -> bool {
    if let Some(address) = config.get_hostaddrs().get(index) {
        return address.is_loopback();
    }
    match config.get_hosts().get(index) {
        Some(Host::Tcp(name)) => {
            let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Unix(_)) => true,
        None => false,
    }
}

/// The settings for one of the hosts; `None` when the URL names none for it.
fn server(all: &Config, index: usize, tls: bool) -> Option<Server> {
    let mut config = Config::new();
    let (host, address) = (all.get_hosts().get(index), all.get_hostaddrs().get(index));
    let mut name = match host {
        Some(Host::Tcp(host)) => {
            config.host(host);
            host.clone()
        }
        Some(Host::Unix(path)) => {
            config.host_path(path);
            path.display().to_string()
        }
        None => address?.to_string(),
    };
    if let Some(address) = address {
        config.hostaddr(*address);
    }
    let port = match all.get_ports() {
        [] => 5432,
        [port] => *port,
        ports => *ports.get(index)?,
    };
    config.port(port);
    name.push_str(&format!(":{port}"));
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(database) = all.get_dbname() {
        config.dbname(database);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    config
        .application_name(all.get_application_name().unwrap_or("sealbook"))
        .channel_binding(all.get_channel_binding())
        .ssl_negotiation(all.get_ssl_negotiation())
        .ssl_mode(if tls {
            SslMode::Require
        } else {
            SslMode::Disable
        })
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .tcp_user_timeout(HOST_GONE)
        .keepalives(true)
        .keepalives_idle(HOST_GONE / 3)
        .keepalives_interval(HOST_GONE / 3)
        .keepalives_retries(2);
    Some(Server { config, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let shown = [
            ("postgres://u:secret@h/d", "postgres://u:***@h/d"),
            (
                "postgres://u:se@cr:et@h1,h2:5/d?sslmode=disable",
                "postgres://u:***@h1,h2:5/d?sslmode=disable",
            ),
            (
                "postgresql://u@h/d?password=secret&options=-c",
                "postgresql://u@h/d?password=***&options=-c",
            ),
            ("mysql://u:p?w@:/h", "mysql://u:***@:/h"),
            (
                "unexpected argument 'postgres://u:secret@h' found",
                "unexpected argument 'postgres://u:***@h' found",
            ),
            ("redis://:secret@h", "redis://:***@h"),
            ("file:/var/lib/x", "file:/var/lib/x"),
            ("memory:", "memory:"),
            (
                "postgres://u@h:5432/d?password=se@cret",
                "postgres://u@h:5432/d?***",
            ),
            ("postgres://h:5432/d?password=a@b", "postgres://h:***@?***"),
            ("postgres://u@h/d?p%61ssword=s", "postgres://u@h/d?***"),
            (
                "postgres://u@h/d?sslmode=require?password=s&x=y",
                "postgres://u@h/d?***&x=y",
            ),
            (
                "postgres://u@h/d?sslpassword=s&x=y",
                "postgres://u@h/d?***&x=y",
            ),
        ];
        for (url, expected) in shown {
            assert_eq!(redacted(url), expected);
        }
    }

    #[test]
    fn tls_is_left_out_only_on_this_machine_or_by_order() {
        let urls = [
            ("postgres://u@127.0.0.1/d", false),
            ("postgres://u@localhost,127.0.0.2/d", false),
            ("postgres://u@%2Frun%2Fpostgresql/d", false),
            ("postgres://u@[::1]:5433/d", false),
            ("postgres://u@127.0.0.1/d?sslmode=require", true),
            ("postgres://u@localhost,db.example/d", true),
            ("postgres://u@db.example/d?sslmode=prefer", true),
            ("postgres://u@db.example/d?sslmode=verify-full", true),
            ("postgres://u@db.example/d?sslmode=disable", false),
        ];
        for (url, tls) in urls {
            let target = Target::parse(url).unwrap_or_else(|said| unreachable!("{url}: {said}"));
            assert_eq!(target.tls, tls, "{url}");
            for server in target.servers {
                let mode = if tls {
                    SslMode::Require
                } else {
                    SslMode::Disable
                };
                assert_eq!(server.config.get_ssl_mode(), mode, "{url}");
            }
        }
    }

    #[test]
    fn every_host_gets_its_own_settings() {
        let url = "postgres://u:p@a:1,b:2/d?options=-csearch_path%3Dx&sslrootcert=%2Ftmp%2Fca.pem&application_name=n";
        let target = Target::parse(url).unwrap_or_else(|said| unreachable!("{said}"));
        let names: Vec<&str> = target
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect();
        assert_eq!(names, ["a:1", "b:2"]);
        assert_eq!(target.ca_file, Some("/tmp/ca.pem".into()));
        for server in &target.servers {
            assert_eq!(server.config.get_hosts().len(), 1);
            assert_eq!(server.config.get_options(), Some("-csearch_path=x"));
            assert_eq!(server.config.get_password(), Some(b"p".as_slice()));
            assert_eq!(server.config.get_application_name(), Some("n"));
            let attributes = server.config.get_target_session_attrs();
            assert_eq!(attributes, TargetSessionAttrs::ReadWrite);
        }
    }

    #[test]
    fn unreadable_urls_are_refused_without_being_quoted() {
        for url in [
            "postgres://u:secret@h:port/d",
            "postgres://u:secret@h/d?sslmode=secret",
            "postgres://u:secret@h/d?sslrootcert=%zz",
            "postgres://u:secret@h/d?secret=1",
            "postgres://u:secret@a:1,b:2/d?hostaddr=192.0.2.1,192.0.2.2,192.0.2.3",
        ] {
            let Err(said) = Target::parse(url) else {
                unreachable!("{url} was read")
            };
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
