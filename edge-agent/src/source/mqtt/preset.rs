//! Families of devices: their topics, and how they call what they measure. What each publishes is in its own documentation; real messages of
//! each are in the tests.

use super::config::TopicRule;
use super::filter::Filter;
use crate::shape::Linear;
use crate::source::mapping::{Convention, Mapping, TextForm};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A family of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Preset {
    /// <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html>
    Zigbee2mqtt,
    /// <https://tasmota.github.io/docs/MQTT/>
    Tasmota,
    /// <https://shelly-api-docs.shelly.cloud/>, both generations
    Shelly,
    /// <https://esphome.io/components/mqtt.html>
    Esphome,
}

const fn same(known: &'static str, instead: &'static str) -> (&'static str, &'static str, Linear) {
    (known, instead, Linear::IDENTITY)
}

const fn scaled(known: &'static str, instead: &'static str, scale: f64) -> (&'static str, &'static str, Linear) {
    (known, instead, Linear { scale, offset: 0.0 })
}

/// Zigbee2MQTT tells of temperatures in °C, pressures in hPa and energies in kWh. `voltage` is left as it is: it is in V where a device hangs
/// on the mains, and in mV where it has a battery.
static ZIGBEE: Convention = Convention {
    known: &[
        same("temperature", "temperature_c"),
        same("humidity", "humidity_pct"),
        same("pressure", "pressure_hpa"),
        same("battery", "battery_pct"),
        same("power", "power_w"),
        same("current", "current_a"),
        same("energy", "energy_kwh"),
        same("illuminance", "illuminance_lx"),
        same("co2", "co2_ppm"),
        same("pm25", "pm25_ugm3"),
    ],
    ignored: &["installed_version", "latest_version", "update_available"],
};

/// As they are delivered: °C and hPa.
static TASMOTA: Convention = Convention {
    known: &[
        same("temperature", "temperature_c"),
        same("dew_point", "dew_point_c"),
        same("humidity", "humidity_pct"),
        same("pressure", "pressure_hpa"),
        same("illuminance", "illuminance_lx"),
        same("reactive_power", "reactive_power_var"),
        same("apparent_power", "apparent_power_va"),
        same("power", "power_w"),
        same("voltage", "voltage_v"),
        same("current", "current_a"),
        same("total", "total_kwh"),
        same("today", "today_kwh"),
        same("yesterday", "yesterday_kwh"),
        same("carbon_dioxide", "co2_ppm"),
    ],
    ignored: &["period"],
};

/// The first generation: plain numbers; energies of relays in watt minutes, totals of meters in watt hours.
static SHELLY_1: Convention = Convention {
    known: &[
        same("temperature", "temperature_c"),
        same("humidity", "humidity_pct"),
        same("battery", "battery_pct"),
        same("power", "power_w"),
        scaled("energy", "energy_kwh", 1.0 / 60_000.0),
        scaled("total", "total_kwh", 0.001),
        scaled("total_returned", "returned_kwh", 0.001),
        same("voltage", "voltage_v"),
        same("current", "current_a"),
        same("lux", "illuminance_lx"),
    ],
    ignored: &["temperature_f"],
};

/// The later generations: a JSON object for each component; energies in watt hours.
static SHELLY_2: Convention = Convention {
    known: &[
        same("t_c", "temperature_c"),
        same("rh", "humidity_pct"),
        same("lux", "illuminance_lx"),
        same("percent", "pct"),
        same("battery_v", "battery_v"),
        same("apower", "power_w"),
        same("act_power", "act_power_w"),
        same("aprt_power", "aprt_power_va"),
        same("voltage", "voltage_v"),
        same("current", "current_a"),
        same("freq", "frequency_hz"),
        scaled("aenergy_total", "energy_kwh", 0.001),
        scaled("ret_aenergy_total", "returned_kwh", 0.001),
        scaled("total_act_energy", "energy_kwh", 0.001),
        scaled("total_act_ret_energy", "returned_kwh", 0.001),
        scaled("act", "energy_kwh", 0.001),
        scaled("act_ret", "returned_kwh", 0.001),
    ],
    ignored: &[
        "id",
        "minute_ts",
        "t_f",
        "unixtime",
        "uptime",
        "ram_size",
        "ram_free",
        "fs_size",
        "fs_free",
        "cfg_rev",
        "kvs_rev",
        "schedule_rev",
        "webhook_rev",
    ],
};

/// Numbers without units: they are told from the objects' names, which people choose. Discovery tells them from the configuration.
static ESPHOME: Convention = Convention {
    known: &[
        same("temperature", "temperature_c"),
        same("humidity", "humidity_pct"),
        same("pressure", "pressure_hpa"),
        same("illuminance", "illuminance_lx"),
        same("battery", "battery_pct"),
        same("power", "power_w"),
        same("voltage", "voltage_v"),
        same("current", "current_a"),
        same("energy", "energy_kwh"),
        same("co2", "co2_ppm"),
        same("uptime", "uptime_s"),
        same("wifi_signal", "wifi_signal_dbm"),
    ],
    ignored: &[],
};

/// The rules of a family: filters, and what becomes of their messages.
pub(super) fn rules(preset: Preset, base: Option<&str>, kind: &str) -> Vec<TopicRule> {
    let rule = |filter: String, sensor: &str, field: &str, form: TextForm, convention: &'static Convention| {
        // The texts of this program are filters and templates; a base that makes no filter was refused before.
        let (filter, sensor, field, kind) =
            (Filter::try_from(filter).ok()?, sensor.parse().ok()?, field.parse().ok()?, kind.parse().ok()?);
        let mapping =
            Mapping { form, sensor, kind, field, time: None, values: Vec::new(), lines: BTreeMap::new(), convention };
        Some(TopicRule { filter, mapping: Some(mapping), retained: false })
    };
    let passed_over = |filter: &str| {
        Some(TopicRule { filter: Filter::try_from(filter.to_owned()).ok()?, mapping: None, retained: false })
    };
    let rules = match preset {
        Preset::Zigbee2mqtt => {
            vec![rule(format!("{}/+", base.unwrap_or("zigbee2mqtt")), "{last}", "value", TextForm::Json, &ZIGBEE)]
        }
        Preset::Tasmota => {
            vec![rule(format!("{}/+/SENSOR", base.unwrap_or("tele")), "{2}", "value", TextForm::Json, &TASMOTA)]
        }
        Preset::Shelly => vec![
            passed_over("shellies/announce"),
            passed_over("shellies/command"),
            passed_over("shellies/+/announce"),
            passed_over("shellies/+/info"),
            passed_over("shellies/+/online"),
            passed_over("shellies/+/input_event/+"),
            passed_over("shellies/+/settings"),
            rule("shellies/+/#".to_owned(), "{2}", "{3..}", TextForm::Number, &SHELLY_1),
            passed_over("+/status/sys"),
            passed_over("+/status/wifi"),
            passed_over("+/status/cloud"),
            passed_over("+/status/mqtt"),
            passed_over("+/status/ws"),
            passed_over("+/status/ble"),
            passed_over("+/status/eth"),
            rule(format!("{}/status/+", base.unwrap_or("+")), "{1}-{3}", "value", TextForm::Json, &SHELLY_2),
        ],
        Preset::Esphome => ["sensor", "binary_sensor", "switch"]
            .map(|component| {
                rule(format!("{}/{component}/+/state", base.unwrap_or("+")), "{1}", "{3}", TextForm::Number, &ESPHOME)
            })
            .to_vec(),
    };
    rules.into_iter().flatten().collect()
}
