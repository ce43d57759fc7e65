//! Two network namespaces of the lab's own with a cable between them: one for the agents, one in which the proxies before the
//! brokers listen. What is done to the cable is done to packets, which no proxy can do.
//!
//! Nothing of the machine's own network is touched: the cable has both ends in the namespaces, and they are removed at the end.

use crate::LabError;
use crate::machine::program;
use crate::process::Recipe;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;

/// Where `ip` keeps its namespaces.
const FOLDER: &str = "/run/netns";
/// The ends of the cable. Nobody else is in these namespaces, so that any addresses will do.
const CLOUD: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const EDGE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// What an end is called, in each namespace.
const CABLE: &str = "cable";
/// One packet of ten, in each direction.
const LOSS: [&str; 6] = ["-m", "statistic", "--mode", "random", "--probability", "0.1"];

/// What happens on the cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cable {
    /// Every packet arrives.
    Whole,
    /// One packet of ten is lost.
    Lossy,
    /// All are.
    Dead,
}

/// The namespaces. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Namespaces {
    edge: String,
    cloud: String,
}

impl Namespaces {
    /// Makes them.
    ///
    /// # Errors
    /// [`LabError::Machine`] with what `ip` said.
    pub(crate) fn make() -> Result<Self, LabError> {
        let name = |end: &str| format!("fogline-lab-{}-{end}", std::process::id());
        let made = Self { edge: name("edge"), cloud: name("cloud") };
        let (edge, cloud) = (made.edge.as_str(), made.cloud.as_str());
        run("ip", &["netns", "add", edge])?;
        run("ip", &["netns", "add", cloud])?;
        run("ip", &["link", "add", CABLE, "netns", edge, "type", "veth", "peer", "name", CABLE, "netns", cloud])?;
        for (space, address) in [(edge, EDGE), (cloud, CLOUD)] {
            run("ip", &["-n", space, "address", "add", &format!("{address}/24"), "dev", CABLE])?;
            run("ip", &["-n", space, "link", "set", CABLE, "up"])?;
            run("ip", &["-n", space, "link", "set", "lo", "up"])?;
        }
        Ok(made)
    }

    /// A listener at the cloud's end of the cable.
    ///
    /// # Errors
    /// [`LabError::Machine`] when there is none.
    pub(crate) fn listener(&self) -> Result<TcpListener, LabError> {
        let path = path(&self.cloud);
        // A socket stays in the namespace of the thread that made it. The thread ends, so that nothing else of it is elsewhere.
        let make = move || -> std::io::Result<TcpListener> {
            let space = File::open(path)?;
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind((CLOUD, 0))
        };
        let failed = |error: &dyn std::fmt::Display| LabError::machine("a listener in a network namespace", error);
        let made = std::thread::spawn(make).join().map_err(|_| failed(&"its thread has panicked"))?;
        made.map_err(|error| failed(&error))
    }

    /// A program that lives at the edge's end of the cable.
    pub(crate) fn at_the_edge(&self, recipe: Recipe) -> Recipe {
        // It becomes the program: the process is the same.
        recipe.within(["nsenter".to_owned(), format!("--net={}", path(&self.edge).display())])
    }

    /// From now on this happens to packets.
    ///
    /// # Errors
    /// [`LabError::Machine`] with what `iptables` said.
    pub(crate) fn set(&self, cable: Cable) -> Result<(), LabError> {
        for space in [&self.edge, &self.cloud] {
            let rules = |words: &[&str]| {
                let net = format!("--net={}", path(space).display());
                let line: Vec<&str> =
                    [net.as_str(), "iptables", "-w"].into_iter().chain(words.iter().copied()).collect();
                run("nsenter", &line)
            };
            rules(&["-F", "INPUT"])?;
            let append = ["-A", "INPUT", "-i", CABLE];
            let drop = ["-j", "DROP"];
            match cable {
                Cable::Whole => {}
                Cable::Lossy => rules(&[&append[..], &LOSS[..], &drop[..]].concat())?,
                Cable::Dead => rules(&[&append[..], &drop[..]].concat())?,
            }
        }
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for space in [&self.edge, &self.cloud] {
            // One that was not made is not there.
            run("ip", &["netns", "delete", space]).ok();
        }
    }
}

fn path(space: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(space)
}

fn run(name: &'static str, args: &[&str]) -> Result<(), LabError> {
    let what = || format!("{name} {}", args.join(" "));
    let program = program(name).ok_or(LabError::NotInstalled { name })?;
    let output = Command::new(program).args(args).output().map_err(|error| LabError::machine(what(), &error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::machine(what(), &String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, Need};
    use crate::process::Program;
    use std::io::{ErrorKind, Read};
    use std::time::{Duration, Instant};

    #[test]
    fn packets_pass_or_vanish_and_nothing_is_left() {
        if let Some(why) = Machine::look().lacks(Need::Namespaces) {
            eprintln!("skipped: {why}");
            return;
        }
        let spaces = Namespaces::make().unwrap();
        let listener = spaces.listener().unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let connect = |script: &str| {
            let recipe = Recipe::new("client", "bash", folder.path().join("log"));
            let script = script.replace("TO", &format!("/dev/tcp/{CLOUD}/{port}"));
            let mut program = Program::new(spaces.at_the_edge(recipe.args(["-c".to_owned(), script])));
            program.start().unwrap();
            program
        };
        let client = connect("echo hello > TO");
        let mut heard = String::new();
        listener.accept().unwrap().0.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello\n");
        drop(client);

        spaces.set(Cable::Dead).unwrap();
        listener.set_nonblocking(true).unwrap();
        let _client = connect("echo lost > TO");
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            std::thread::sleep(Duration::from_millis(20));
        }
        // TCP tries again by itself, after a second and then two.
        spaces.set(Cable::Whole).unwrap();
        listener.set_nonblocking(false).unwrap();
        listener.accept().unwrap();
        let left = path(&spaces.edge);
        drop(spaces);
        assert!(!left.exists());
    }
}
