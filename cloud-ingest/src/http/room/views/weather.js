// Air pressure and temperature over time, and the newest of each sensor.

import { list } from "../api.js";
import { RegionAverages } from "../averages.js";
import { head, make, panel } from "../dom.js";
import { quantity, timeOf } from "../format.js";
import { LineChart } from "../lines.js";
import { Table } from "../table.js";

const SENSORS_MAX = 200;

export function weather() {
  const pressure = new RegionAverages("weather", "pressure_hpa");
  const temperature = new RegionAverages("weather", "temperature_c");
  const pressureChart = new LineChart({ title: "Air pressure by region", unit: "hPa", digits: 1, place: "half" });
  const temperatureChart = new LineChart({ title: "Temperature by region", unit: "°C", digits: 1, place: "half" });
  const table = new Table({
    caption: "Newest readings of weather stations",
    columns: [
      { title: "Sensor", kind: "head" },
      { title: "Agent" },
      { title: "Region" },
      { title: "Pressure", kind: "number" },
      { title: "Temperature", kind: "number" },
      { title: "Taken" },
      { title: "Marks" },
    ],
    empty: "No station has sent a reading yet",
  });
  let newest = [];
  let loaded = false;
  const element = make("div", {}, head("Weather", "Means of 5 s over half an hour; outliers are stored, marked, and not averaged"),
    pressureChart.element, temperatureChart.element, panel("Newest readings", null, "", table.element));

  async function refresh() {
    newest = (await list(`/api/v1/readings/latest?kind=weather&limit=${SENSORS_MAX}`)).items;
    if (loaded) return;
    await pressure.load();
    await temperature.load();
    loaded = true;
  }

  function draw() {
    table.show(newest.map(({ region, agent, sensor, fields, flags, ts_us }) => ({
      key: `${region}/${agent}/${sensor}`,
      cells: [
        sensor,
        agent,
        region,
        quantity(fields.pressure_hpa, "hPa", 1),
        quantity(fields.temperature_c, "°C", 1),
        timeOf(ts_us),
        { text: flags.length > 0 ? flags.join(", ") : "none", state: flags.length > 0 ? "warn" : "muted" },
      ],
    })));
    return Promise.all([pressureChart.draw(pressure.set), temperatureChart.draw(temperature.set)]);
  }

  const stale = () => (loaded = false);
  const average = (given) => pressure.take(given) || temperature.take(given);
  return { id: "weather", title: "Weather", element, everyMs: 3_000, refresh, draw, stale, on: { average } };
}
