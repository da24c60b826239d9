//! How a server is run.

/// Settings of a server. The default is for tests that ask for nothing but rows: no password, and
/// no syncs, as the machine does not crash.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether commits wait for the disk.
    pub fsync: bool,
    /// Password of the superuser; `None` lets everybody in.
    pub password: Option<String>,
    /// Most connections.
    pub connections: u32,
    /// Whether commits wait for the standby, where there is one.
    pub synchronous: bool,
    /// Size of a disk of its own for the data (the write-ahead log lies elsewhere); needs root.
    pub disk_bytes: Option<u64>,
    /// Further parameters of the server, in the form of its configuration file.
    pub parameters: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fsync: false,
            password: None,
            connections: 100,
            synchronous: true,
            disk_bytes: None,
            parameters: Vec::new(),
        }
    }
}

impl Settings {
    /// A server that keeps what it acknowledges.
    #[must_use]
    pub fn durable() -> Self {
        Self {
            fsync: true,
            ..Self::default()
        }
    }

    /// All parameters of a server at a port, its socket in a folder.
    pub(crate) fn parameters(&self, port: u16, sockets: &str) -> Vec<(String, String)> {
        let syncs = if self.fsync { "on" } else { "off" };
        let mut all: Vec<(String, String)> = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", sockets.to_owned()),
            ("fsync", syncs.to_owned()),
            ("full_page_writes", syncs.to_owned()),
            ("max_connections", self.connections.to_string()),
            ("hot_standby", "on".to_owned()),
            ("log_min_messages", "warning".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        all.extend(self.parameters.iter().cloned());
        all
    }
}
