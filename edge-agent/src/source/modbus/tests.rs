//! A device made by tokio-modbus' own server: what is asked of it, what it refuses, and how it dies and comes back.

use super::*;
use crate::settings::keys::{Keys, Problems};
use crate::shape::ShapeConfig;
use crate::source::{Offer, Source, Step};
use crate::tuning::Tunings;
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::time::Instant as Std;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_modbus::{Request, Response, SlaveRequest};

/// Holding registers say their own address, input 10 and 11 a float; coil 3 is on; others do not exist.
struct Device;

impl Service for Device {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let float = 49.98_f32.to_bits();
        ready(match (request.slave, request.request) {
            (7, Request::ReadHoldingRegisters(address, count)) if address < 100 => {
                Ok(Response::ReadHoldingRegisters((address..address + count).collect()))
            }
            (7, Request::ReadInputRegisters(10, 2)) => {
                Ok(Response::ReadInputRegisters(vec![(float & 0xFFFF) as u16, (float >> 16) as u16]))
            }
            (7, Request::ReadCoils(3, 1)) => Ok(Response::ReadCoils(vec![true])),
            (7, Request::ReadDiscreteInputs(4, 1)) => Ok(Response::ReadDiscreteInputs(vec![false])),
            _ => Err(ExceptionCode::IllegalDataAddress),
        })
    }
}

/// The device on a thread of its own; pulled out with this value.
struct Plugged {
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Plugged {
    fn at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(8).unwrap()
        });
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let connected = |stream, from| async move { accept_tcp_connection(stream, from, |_| Ok(Some(Device))) };
            Server::new(listener).serve(&connected, |_| {}).await.ok();
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const REGISTERS: &str = "unit_id = 7\nevery = '200ms'\ntimeout = '5s'\nsensor = 'meter'\nkind = 'power'\n\
    [[registers]]\nfield = 'power_w'\naddress = 40\n\
    [[registers]]\nfield = 'energy_kwh'\naddress = 2\ntype = 'u32'\nunit = 'Wh'\n\
    [[registers]]\nfield = 'grid_hz'\ntable = 'input'\naddress = 10\ntype = 'f32'\nword_order = 'little'\n\
    [[registers]]\nfield = 'heating'\ntable = 'coils'\naddress = 3\n\
    [[registers]]\nfield = 'alarm'\ntable = 'discrete'\naddress = 4\n\
    [[registers]]\nfield = 'missing'\naddress = 1000\n";

fn read_config(text: &str) -> (Option<ModbusConfig>, ShapeConfig, Vec<String>) {
    let (problems, mut shape) = (Problems::default(), ShapeConfig::default());
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    let config = super::read(&mut keys, &mut shape);
    keys.finish();
    (config, shape, problems.into_inner())
}

fn next(source: &mut FeedSource) -> Offer {
    let deadline = Std::now() + Duration::from_secs(60);
    loop {
        assert!(Std::now() < deadline, "nothing came");
        if let Step::Offer(offer) = source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap() {
            return offer;
        }
    }
}

#[test]
fn registers_are_asked_for_also_after_the_device_was_away() {
    let device = Plugged::at(SocketAddr::from(([127, 0, 0, 1], 0)));
    let address = device.address;
    let (config, shape, problems) = read_config(&format!("address = '{address}'\n{REGISTERS}"));
    assert_eq!(problems, Vec::<String>::new());
    assert!((shape.fields["energy_kwh"].line.apply(1000.0) - 1.0).abs() < 1e-9);
    let mut source = open("modbus", config.unwrap(), Tunings::new().reader("modbus")).unwrap();
    let offer = next(&mut source);
    let reading = offer.readings.get(0).unwrap();
    assert_eq!((reading.sensor(), reading.kind()), ("meter", "power"));
    assert_eq!((reading.number("power_w"), reading.number("energy_kwh")), (Some(40.0), Some(f64::from(2 << 16 | 3))));
    assert_eq!(reading.number("grid_hz"), Some(f64::from(49.98_f32)));
    let fields: Vec<(&str, Value<'_>)> = reading.fields().collect();
    assert!(
        fields.contains(&("heating", Value::Flag(true))) && fields.contains(&("alarm", Value::Flag(false))),
        "{fields:?}"
    );
    assert!(source.skipped() > 0, "the register that is not there is counted");

    drop(device);
    let deadline = Std::now() + Duration::from_secs(60);
    let idle = || Std::now() < deadline;
    // What was on its way comes still; then nothing does.
    while let Step::Offer(_) = source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap() {
        assert!(idle(), "a device that is gone answers");
    }
    let _device = Plugged::at(address);
    assert_eq!(next(&mut source).readings.get(0).unwrap().number("power_w"), Some(40.0));
}

#[test]
fn everything_that_is_wrong_is_told_by_its_path() {
    let (_, _, problems) = read_config(
        "address = 'http://x'\nunit_id = 300\nevery = '1ms'\n\
         [[registers]]\nfield = 'power_w'\naddress = 70000\ntype = 'u17'\n\
         [[registers]]\ntable = 'coil'\naddress = 1\nscale = 0\n\
         [[registers]]\nfield = 'on'\ntable = 'coils'\naddress = 1\ntype = 'u16'\nunit = 'bar'\n",
    );
    let keys: Vec<&str> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    let expected = [
        "sources[0].address",
        "sources[0].unit_id",
        "sources[0].every",
        "sources[0].registers[0].address",
        "sources[0].registers[0].type",
        "sources[0].registers[1].field",
        "sources[0].registers[1].table",
        "sources[0].registers[1].scale",
        "sources[0].registers[2].type",
        "sources[0].registers[2].unit",
    ];
    assert_eq!(keys, expected, "{problems:#?}");
    let (_, _, problems) = read_config("address = 'meter'\n[[registers]]\nfield = 'Power'\naddress = 1\n");
    assert!(problems[0].starts_with("sources[0].registers: field \"Power\" has no usable name"), "{problems:?}");
}
