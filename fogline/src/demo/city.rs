//! The city of the demo: nodes that elect a coordinator, and sensors of particulate matter between them.

use super::entrance::Entrance;
use super::view::CityView;
use crate::city::{ApiConfig, City, CityConfig};
use fogline_protocol::ids::Name;
use std::net::SocketAddr;
use std::path::Path;

/// The region of the nodes.
const REGION: &str = "city";
/// The nodes.
const NODES: [&str; 5] = ["node-1", "node-2", "node-3", "node-4", "node-5"];
/// The client of the sensors.
const SENSORS: &str = "air";
/// How many sensors there are.
const SENSOR_COUNT: u32 = 12;
/// Samples a second of each.
const SAMPLES_PER_S: f64 = 1.0;
const SEED: u64 = 7;

/// The regions and names of the city's clients.
pub(crate) fn regions_and_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NODES.into_iter().chain([SENSORS]).map(|name| (REGION, name))
}

/// Starts nodes and sensors. Waits for the API.
///
/// # Errors
/// Why one of them could not start.
pub(crate) async fn start(data_dir: &Path, entrance: &Entrance, api: SocketAddr) -> anyhow::Result<City> {
    let mut city = City::new(CityConfig {
        api: ApiConfig { url: format!("http://{api}"), bearer: None, ca: None },
        brokers: entrance.urls().iter().map(|url| url.parse()).collect::<Result<_, _>>()?,
        region: Name::new(REGION)?,
        data_dir: data_dir.to_owned(),
        host: "127.0.0.1".to_owned(),
    })?;
    for name in NODES {
        city.start_node(Name::new(name)?, None, entrance.security(name)).await?;
    }
    city.start_sensors(Name::new(SENSORS)?, SENSOR_COUNT, SAMPLES_PER_S, SEED, entrance.security(SENSORS)).await?;
    Ok(city)
}

/// How it is.
pub(crate) fn view(city: &City) -> CityView {
    let nodes: Vec<_> = city.nodes().collect();
    let coordinator = nodes.iter().find_map(|node| node.city.coordinator.as_ref().map(ToString::to_string));
    let sensors = city.sensors().map(|sensors| sensors.by_node.values().sum::<usize>()).sum();
    CityView { nodes: nodes.len(), coordinator, sensors }
}
