//! A pair of pseudo terminals made by socat: what a device says, and one that is unplugged.

use super::*;
use crate::settings::keys::Problems;
use crate::source::{Source, Step};
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Two ends of a cable, unplugged with this value.
struct Cable(Child);

impl Cable {
    fn plug(device: &Path, sensor: &Path) -> Option<Self> {
        let end = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
        let spawned = Command::new("socat").args([end(device), end(sensor)]).stderr(Stdio::null()).spawn();
        let Ok(child) = spawned else {
            assert!(std::env::var_os("FOGLINE_REQUIRE_SERVICES").is_none(), "no socat on this machine");
            eprintln!("skipped: no socat on this machine");
            return None;
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !(device.exists() && sensor.exists()) {
            assert!(Instant::now() < deadline, "socat makes no terminals");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self(child))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(text: &str) -> FeedSource {
    let problems = Problems::default();
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    let config = super::read(&mut keys, &mut ShapeConfig::default());
    keys.finish();
    assert_eq!(problems.into_inner(), Vec::<String>::new());
    open("serial", config.unwrap()).unwrap()
}

/// The next value, while the device says something between the steps: a port that is not open yet hears nothing.
fn next(source: &mut FeedSource, field: &str, mut say: impl FnMut()) -> f64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline, "nothing came");
        say();
        if let Step::Offer(offer) = source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap()
            && let Some(value) = offer.readings.iter().find_map(|reading| reading.number(field))
        {
            return value;
        }
    }
}

fn say(file: &mut File, text: &str) {
    // A device that is unplugged in this moment says nothing.
    file.write_all(text.as_bytes()).ok();
}

#[test]
fn lines_of_a_device_are_readings_also_after_it_was_unplugged() {
    let folder = tempfile::tempdir().unwrap();
    let (device, sensor) = (folder.path().join("tty"), folder.path().join("sensor"));
    let Some(cable) = Cable::plug(&device, &sensor) else { return };
    let more =
        "baud = 115200\nparity = 'even'\nformat = 'regex'\nregex = 'T=(?<temperature_c>[0-9.]+)'\nsensor = 'probe'";
    let mut source = start(&format!("device = '{}'\n{more}", device.display()));
    let mut port = OpenOptions::new().write(true).open(&sensor).unwrap();
    assert_eq!(next(&mut source, "temperature_c", || say(&mut port, "half a line\r\nboot\r\n# T=21.5 ok\r\n")), 21.5);
    drop(cable);
    // It ends, and is looked for.
    for _ in 0..4 {
        source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap();
    }
    let _cable = Cable::plug(&device, &sensor).unwrap();
    let mut port = OpenOptions::new().write(true).open(&sensor).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while next(&mut source, "temperature_c", || say(&mut port, "T=33\n")) != 33.0 {
        assert!(Instant::now() < deadline);
    }
    assert!(source.skipped() > 0, "what it says at its start is no reading");
}

#[test]
fn settings_that_no_port_has_are_told_of() {
    let problems = Problems::default();
    let text = "baud = 1\ndata_bits = 9\nstop_bits = 3\nparity = 'mark'\nflow_control = 'x'";
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    assert!(super::read(&mut keys, &mut ShapeConfig::default()).is_none());
    assert_eq!(problems.into_inner().len(), 6);
}
