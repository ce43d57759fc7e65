//! What this machine can do: some faults need more than a user has, or a library that is not everywhere.

use std::path::{Path, PathBuf};

/// Where libfaketime is, beside the folder of the machine's architecture.
const LIBRARY_FOLDERS: [&str; 3] = ["/usr/lib", "/usr/local/lib", "/usr/lib64"];
/// Its name, and where below those folders it is.
const FAKETIME: &str = "faketime/libfaketime.so.1";
/// Where servers are, whatever the search path says.
const PROGRAM_FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin"];

/// What a fault needs beyond processes and a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The user root, who may mount a small disk.
    SmallDisk,
    /// The user root, `ip`, `iptables` and `nsenter`: networks of the lab's own.
    Namespaces,
    /// libfaketime.
    FakeTime,
    /// More sites than one.
    Sites,
    /// A database that is a process of its own.
    Database,
    /// A database that is durable when it has answered.
    DurableDatabase,
    /// A database that keeps what it has answered when its disk is full.
    ToughDatabase,
}

/// The machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    root: bool,
    tools: bool,
    faketime: Option<PathBuf>,
}

impl Machine {
    /// Looks at it, without changing anything.
    pub(crate) fn look() -> Self {
        let root = rustix::process::geteuid().is_root();
        let tools = ["ip", "iptables", "nsenter"].iter().all(|name| program(name).is_some());
        Self { root, tools, faketime: faketime() }
    }

    /// The library that can show a program another time.
    pub(crate) fn faketime(&self) -> Option<&Path> {
        self.faketime.as_deref()
    }

    /// Why it cannot give what is needed, if it cannot. The database is the run's matter.
    pub(crate) fn lacks(&self, need: Need) -> Option<&'static str> {
        let (has, otherwise) = match need {
            Need::SmallDisk => (self.root, "mounting a small disk needs root"),
            Need::Namespaces if !self.root => (false, "network namespaces need root"),
            Need::Namespaces => {
                (self.tools, "namespaces need ip, iptables, nsenter (Debian iproute2, iptables, util-linux)")
            }
            Need::FakeTime => (self.faketime.is_some(), "another time needs libfaketime (Debian faketime)"),
            Need::Sites | Need::Database | Need::DurableDatabase | Need::ToughDatabase => (true, ""),
        };
        (!has).then_some(otherwise)
    }
}

/// The program called `name`, in the search path or where servers are.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(PROGRAM_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// libfaketime, where it is installed: Debian has it in the folder of an architecture, others have it above that.
#[must_use]
pub fn faketime() -> Option<PathBuf> {
    let folders = LIBRARY_FOLDERS.iter().map(Path::new);
    let below = folders.clone().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let candidates = folders.map(Path::to_owned).chain(below.map(|entry| entry.path()));
    candidates.map(|folder| folder.join(FAKETIME)).find(|library| library.is_file())
}
