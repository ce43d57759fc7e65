//! What devices of each family publish, as their documentation and their users show it.

use super::super::discovery::Discovered;
use super::super::topics::{Message, Topics};
use super::super::{DiscoveryConfig, MqttConfig};
use fogline_protocol::reading::Readings;
use fogline_protocol::time::Wall;

const NOW: Wall = Wall::from_us(7);

/// The reading as JSON; nothing when the message is passed over; the error when it is no reading.
fn read(config: &MqttConfig, topic: &str, payload: &str) -> String {
    let mut readings = Readings::new();
    let message = Message { topic, payload: payload.as_bytes(), retained: false };
    if let Err(error) = Topics::new(config).take(message, NOW, &mut readings, &mut Vec::new()) {
        return format!("error: {error}");
    }
    let mut text = Vec::new();
    for reading in readings.iter() {
        reading.write_json(&mut text);
    }
    let text = String::from_utf8(text).unwrap();
    text.strip_prefix(r#"{"ts_us":7,"#).unwrap_or(&text).to_owned()
}

#[test]
fn zigbee2mqtt() {
    let config = super::config("preset = 'zigbee2mqtt'\nkind = 'climate'");
    let payload = r#"{"battery":97,"humidity":46.81,"linkquality":105,"power_outage_count":3,"pressure":1013.2,"temperature":21.66,"voltage":2995}"#;
    assert_eq!(
        read(&config, "zigbee2mqtt/Living Room", payload),
        r#""sensor":"living-room","kind":"climate","fields":{"battery_pct":97.0,"humidity_pct":46.81,"linkquality":105.0,"power_outage_count":3.0,"pressure_hpa":1013.2,"temperature_c":21.66,"voltage":2995.0}}"#
    );
    let plug = r#"{"current":0.05,"energy":12.35,"linkquality":76,"power":4.2,"state":"ON","update":{"installed_version":33816645,"latest_version":33816645,"state":"idle"},"voltage":231}"#;
    assert_eq!(
        read(&config, "zigbee2mqtt/0x00158d0001a2b3c4", plug),
        r#""sensor":"0x00158d0001a2b3c4","kind":"climate","fields":{"current_a":0.05,"energy_kwh":12.35,"linkquality":76.0,"power_w":4.2,"state":true,"voltage":231.0}}"#
    );
    let contact = r#"{"battery":100,"contact":false,"device_temperature":24,"linkquality":94}"#;
    assert!(
        read(&config, "zigbee2mqtt/door", contact)
            .ends_with(r#"{"battery_pct":100.0,"contact":false,"device_temperature_c":24.0,"linkquality":94.0}}"#)
    );
    assert_eq!(read(&config, "zigbee2mqtt/bridge/state", r#"{"state":"online"}"#), "");
    assert_eq!(
        read(&config, "zigbee2mqtt/button", r#"{"action":"single"}"#),
        "error: it has no value that could be a field"
    );
}

#[test]
fn tasmota() {
    let config = super::config("preset = 'tasmota'");
    let plug = r#"{"Time":"2026-11-21T20:45:00","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":3.185,"Yesterday":0.108,"Today":0.085,"Period":1,"Power":3,"ApparentPower":11,"ReactivePower":10,"Factor":0.30,"Voltage":230,"Current":0.046}}"#;
    assert_eq!(
        read(&config, "tele/washer/SENSOR", plug),
        r#""sensor":"washer","kind":"device","fields":{"energy_apparent_power_va":11.0,"energy_current_a":0.046,"energy_factor":0.3,"energy_power_w":3.0,"energy_reactive_power_var":10.0,"energy_today_kwh":0.085,"energy_total_kwh":3.185,"energy_voltage_v":230.0,"energy_yesterday_kwh":0.108}}"#
    );
    let probe = r#"{"Time":"2026-11-21T20:45:00","DS18B20":{"Id":"0316A279D0FF","Temperature":20.6},"BME280":{"Temperature":21.4,"Humidity":40.1,"DewPoint":7.4,"Pressure":1009.3},"TempUnit":"C"}"#;
    assert_eq!(
        read(&config, "tele/cellar/SENSOR", probe),
        r#""sensor":"cellar","kind":"device","fields":{"bme280_dew_point_c":7.4,"bme280_humidity_pct":40.1,"bme280_pressure_hpa":1009.3,"bme280_temperature_c":21.4,"ds18b20_temperature_c":20.6}}"#
    );
    assert_eq!(read(&config, "tele/washer/STATE", r#"{"Uptime":"1T00:00:00"}"#), "");
}

#[test]
fn shelly_of_both_generations() {
    let config = super::config("preset = 'shelly'");
    let first = |topic: &str, payload: &str| read(&config, &format!("shellies/shelly1pm-84CCA8/{topic}"), payload);
    let is = |text: &str| format!(r#""sensor":"shelly1pm-84cca8","kind":"device","fields":{{{text}}}}}"#);
    assert_eq!(first("relay/0/power", "42.35"), is(r#""relay_0_power_w":42.35"#));
    assert_eq!(first("relay/0/energy", "60000"), is(r#""relay_0_energy_kwh":1.0"#));
    assert_eq!(first("relay/0", "on"), is(r#""relay_0":true"#));
    assert_eq!(first("temperature", "31.5"), is(r#""temperature_c":31.5"#));
    assert_eq!(first("sensor/temperature", "19.25"), is(r#""sensor_temperature_c":19.25"#));
    assert_eq!(first("info", r#"{"wifi_sta":{"connected":true}}"#), "");
    let switch = r#"{"id":0,"source":"init","output":true,"apower":8.9,"voltage":237.5,"freq":50.0,"current":0.064,"pf":0.58,"aenergy":{"total":6532.0,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},"temperature":{"tC":23.5,"tF":74.4}}"#;
    assert_eq!(
        read(&config, "shellyplus1pm-a8032abe54dc/status/switch:0", switch),
        r#""sensor":"shellyplus1pm-a8032abe54dc-switch-0","kind":"device","fields":{"energy_kwh":6.532,"power_w":8.9,"current_a":0.064,"frequency_hz":50.0,"output":true,"pf":0.58,"temperature_c":23.5,"voltage_v":237.5}}"#
    );
    let climate = r#"{"id":0,"rh":45.5}"#;
    assert!(
        read(&config, "shellyhtg3-84fce6/status/humidity:0", climate).ends_with(r#""fields":{"humidity_pct":45.5}}"#)
    );
    assert!(
        read(&config, "shellyhtg3-84fce6/status/temperature:0", r#"{"id":0,"tC":21.3,"tF":70.3}"#)
            .ends_with(r#"{"temperature_c":21.3}}"#)
    );
    assert_eq!(read(&config, "shellyplus1pm-a8032abe54dc/status/sys", r#"{"mac":"A8032ABE54DC","uptime":7}"#), "");
}

#[test]
fn esphome() {
    let config = super::config("preset = 'esphome'");
    assert_eq!(
        read(&config, "attic/sensor/attic_temperature/state", "21.7"),
        r#""sensor":"attic","kind":"device","fields":{"attic_temperature_c":21.7}}"#
    );
    assert_eq!(
        read(&config, "attic/binary_sensor/window/state", "ON"),
        r#""sensor":"attic","kind":"device","fields":{"window":true}}"#
    );
    assert_eq!(read(&config, "attic/sensor/attic_temperature/state", "nan"), "error: it is not a number");
    assert_eq!(read(&config, "attic/status", "online"), "");
}

/// Configurations as Zigbee2MQTT, Tasmota-like firmware and ESPHome announce them.
#[test]
fn discovery() {
    let mut found = Discovered::new(DiscoveryConfig { prefix: "homeassistant".to_owned(), kind: "climate".to_owned() });
    let zigbee = r#"{"availability":[{"topic":"zigbee2mqtt/bridge/state"}],"device":{"identifiers":["zigbee2mqtt_0x00158d"],"manufacturer":"Aqara","model":"WSDCGQ11LM","name":"Bath Room"},"device_class":"temperature","enabled_by_default":true,"object_id":"bath_room_temperature","state_class":"measurement","state_topic":"zigbee2mqtt/Bath Room","unique_id":"0x00158d_temperature_zigbee2mqtt","unit_of_measurement":"°C","value_template":"{{ value_json.temperature }}"}"#;
    let topic = "homeassistant/sensor/0x00158d/temperature/config";
    assert_eq!(found.configure(topic, zigbee.as_bytes()).as_deref(), Some("zigbee2mqtt/Bath Room"));
    let humidity = zigbee.replace("temperature", "humidity").replace("°C", "%");
    assert_eq!(
        found.configure("homeassistant/sensor/0x00158d/humidity/config", humidity.as_bytes()),
        None,
        "known already"
    );
    let esphome = r#"{"unit_of_meas":"W","stat_cla":"measurement","name":"Heater Power","stat_t":"heater/sensor/heater_power/state","avty_t":"heater/status","uniq_id":"ESPsensorheater_power","dev":{"ids":"a4cf12","name":"heater","sw":"esphome v2024.1"}}"#;
    assert!(found.configure("homeassistant/sensor/heater/heater_power/config", esphome.as_bytes()).is_some());
    let window = r#"{"name":"Window","state_topic":"w/state","payload_on":"OPEN","payload_off":"SHUT"}"#;
    assert!(found.configure("homeassistant/binary_sensor/window/config", window.as_bytes()).is_some());
    for bad in [
        r#"{"name":"x"}"#,
        "no json",
        r#"{"state_topic":"a","value_template":"{{ value_json.t * 2 }}"}"#,
        r##"{"state_topic":"a/#"}"##,
    ] {
        assert_eq!(found.configure("homeassistant/sensor/bad/config", bad.as_bytes()), None, "{bad}");
    }
    let read = |found: &Discovered, topic: &str, payload: &str| {
        let (mut readings, mut text) = (Readings::new(), Vec::new());
        let mapped = found.map(topic, payload.as_bytes(), NOW, &mut readings);
        readings.iter().for_each(|reading| reading.write_json(&mut text));
        mapped.map(|()| String::from_utf8(text).unwrap())
    };
    let reading = |sensor: &str, fields: &str| {
        format!(r#"{{"ts_us":7,"sensor":"{sensor}","kind":"climate","fields":{{{fields}}}}}"#)
    };
    let state = read(&found, "zigbee2mqtt/Bath Room", r#"{"temperature":21.5,"humidity":55,"battery":9}"#);
    assert_eq!(state.unwrap(), reading("bath-room", r#""humidity_pct":55.0,"temperature_c":21.5"#));
    assert_eq!(
        read(&found, "heater/sensor/heater_power/state", "1200.5").unwrap(),
        reading("heater", r#""power_w":1200.5"#)
    );
    assert_eq!(read(&found, "w/state", "OPEN").unwrap(), reading("window", r#""window":true"#));
    assert!(read(&found, "w/state", "?").is_err());
    // An empty configuration takes it back.
    assert_eq!(found.configure(topic, b""), None);
    assert_eq!(
        read(&found, "zigbee2mqtt/Bath Room", r#"{"temperature":21.5,"humidity":55}"#).unwrap(),
        reading("bath-room", r#""humidity_pct":55.0"#)
    );
    assert!(found.filters().contains(&"homeassistant/sensor/+/+/config".to_owned()));
}
