// What households use, by federal state: as a year would be, and what that costs.

import { list } from "../api.js";
import { BarChart } from "../bars.js";
import { head, make, panel } from "../dom.js";
import { counted, number, quantity, timeOf } from "../format.js";
import { Table } from "../table.js";
import { Tiles } from "../tiles.js";

const HOUSEHOLDS_MAX = 200;

export function power() {
  let states = [];
  let households = [];
  const tiles = new Tiles();
  const energy = new BarChart({ title: "Use of a household in a year", unit: "kWh", named: "State" });
  const price = new BarChart({ title: "Price of that", unit: "EUR", named: "State" });
  const table = new Table({
    caption: "Federal states: average household",
    columns: [
      { title: "State", kind: "head" },
      { title: "Households", kind: "number" },
      { title: "Power", kind: "number" },
      { title: "A year", kind: "number" },
      { title: "Price", kind: "number" },
    ],
    empty: "No states yet",
    scroll: false,
  });
  const homes = new Table({
    caption: "Newest figures of households",
    columns: [
      { title: "Household", kind: "head" },
      { title: "Postal code" },
      { title: "State" },
      { title: "Power", kind: "number" },
      { title: "Meter", kind: "number" },
      { title: "Taken" },
    ],
    empty: "No household has sent a reading yet",
  });
  const element = make("div", {}, head("Power", "Average use of households by federal state"), tiles.element,
    make("div", { class: "half stack" }, energy.element, price.element), panel("Federal states", null, "half", table.element),
    panel("Households", `The first ${HOUSEHOLDS_MAX}`, "", homes.element));

  async function refresh() {
    states = (await list("/api/v1/states")).items;
    households = (await list(`/api/v1/households?limit=${HOUSEHOLDS_MAX}`)).items;
  }

  function draw() {
    tiles.show(figures(states));
    table.show(states.map((state) => ({
      key: state.state,
      cells: [
        `${state.state} ${state.name}`,
        number(state.households),
        quantity(state.mean_w, "W"),
        quantity(state.annual_kwh, "kWh"),
        quantity(state.price_eur, "EUR"),
      ],
    })));
    homes.show(households.map(({ region, agent, household, postcode, state_name, power_w, energy_kwh, ts_us }) => ({
      key: `${region}/${agent}/${household}`,
      cells: [
        household,
        postcode ?? "not known",
        state_name ?? "not known",
        quantity(power_w, "W"),
        quantity(energy_kwh, "kWh", 2),
        timeOf(ts_us),
      ],
    })));
    const bars = (field) => states.map((state) => ({ name: state.name, short: state.state, value: state[field] }));
    return Promise.all([energy.draw(bars("annual_kwh")), price.draw(bars("price_eur"), "series-3")]);
  }

  return { id: "power", title: "Power", element, everyMs: 3_000, refresh, draw, on: {} };
}

function figures(states) {
  const inhabited = states.filter(({ households }) => households > 0);
  const homes = inhabited.reduce((sum, { households }) => sum + households, 0);
  const mean = (field) => inhabited.reduce((sum, state) => sum + state[field] * state.households, 0) / homes;
  return [
    { name: "households", value: number(homes), more: `in ${counted(inhabited.length, "state")}` },
    { name: "average power", value: quantity(mean("mean_w"), "W"), more: "of a household" },
    { name: "a year of it", value: quantity(mean("annual_kwh"), "kWh"), more: "at this rate" },
    { name: "costs", value: quantity(mean("price_eur"), "EUR"), more: "a year" },
  ];
}
