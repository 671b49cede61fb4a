// Ideas, models and data sets by year: sizes on a logarithmic scale above, ideas in the lanes of their
// waves below. One of them is selected, and the figure says what it was. timeline.py is its other half.

import { MARKS, arrows, axes, escape, mount, select, show, slider } from "./kit.mjs";

const KINDS = {
  model: { label: "Models, by parameters", one: "a model", color: "blue", mark: "circle" },
  data: { label: "Data sets, by examples", one: "a data set", color: "orange", mark: "square" },
  idea: { label: "Ideas", one: "an idea", color: "green", mark: "diamond" },
};
const LANES = ["first wave", "between", "second wave", "third wave"];
const SHORT = ["wave 1", "", "wave 2", "wave 3"];
const LAST = 2026, MOST = 500;

const isText = (value) => typeof value === "string" && value.length < 400;
function testItems(items) {
  const good = Array.isArray(items) && items.length && items.length <= MOST && items.every((one) =>
    Object.hasOwn(KINDS, one?.kind) && Number.isInteger(one.year) && one.year > 1900 && one.year <= LAST
    && isText(one.name) && isText(one.text) && isText(one.source) && isText(one.link)
    && (one.kind === "idea" ? [0, 1, 2, 3].includes(one.lane) : one.size > 0 && one.size < 1e15));
  return good ? "" : `1 to ${MOST} items with kind, year, name, text, source, link, and a size or a lane`;
}
const FIELDS = {
  items: { test: testItems },
  kind: { label: "Show", options: { all: "Everything", model: "Models", data: "Data sets", idea: "Ideas" } },
  first: { label: "From the year", low: 1930, high: 2015, step: 5, whole: true, format: String },
  selected: { low: 0, high: MOST - 1, whole: true },
};

// Months in which a size doubles: the slope of log2(size) over the years, by least squares.
export function doublingMonths(items) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const years = items.map(({ year }) => year), logs = items.map(({ size }) => Math.log2(size));
  const middle = mean(years), level = mean(logs);
  const spread = years.reduce((sum, year) => sum + (year - middle) ** 2, 0);
  const slope = years.reduce((sum, year, i) => sum + (year - middle) * (logs[i] - level), 0) / spread;
  return items.length > 2 && slope > 0 ? 12 / slope : null;
}

function render({ model, el }) {
  const page = `<div class="dl-row">${select("kind", FIELDS.kind)}
    <div style="flex: 2 1 190px">${slider("first", FIELDS.first)}</div>
    <div class="dl-row"><button type="button" data-go="-1" aria-label="Earlier">‹ Earlier</button>
    <button type="button" data-go="1" aria-label="Later">Later ›</button>
    <button type="button" class="dl-reset">Reset</button></div></div>
    <div class="dl-pane" tabindex="0" role="group" aria-label="Timeline. Left and right arrow keys go from one to the next."></div>
    <p>${Object.values(KINDS).map(({ label, color, mark }) => `<span style="white-space: nowrap"><svg width="16" height="12" aria-hidden="true">
      <path d="${MARKS[mark](7, 6, 5)}" fill="var(--dl-${color})"/></svg>${label}</span>`).join(" &ensp; ")}</p>
    <div class="dl-card"></div><p class="dl-says dl-quiet"></p>`;

  let shown = [], places = new Map();

  const visible = ({ items, kind, first }) => items.map((item, index) => ({ ...item, index }))
    .filter((item) => (kind === "all" || item.kind === kind) && item.year >= first)
    .sort((a, b) => a.year - b.year || a.index - b.index);

  function draw(figure) {
    const { state } = figure, pane = figure.find(".dl-pane"), width = pane.clientWidth;
    if (!width) return;
    shown = visible(state);
    const sized = shown.filter(({ size }) => size), ideas = shown.filter(({ kind }) => kind === "idea");
    const tall = sized.length ? 330 : 0, lane = ideas.length ? 40 : 0, height = tall + 4 * lane + 34;
    const powers = sized.map(({ size }) => Math.log10(size));
    const y = [10 ** Math.floor(Math.min(...powers, 9) - 0.3), 10 ** Math.ceil(Math.max(...powers, 1) + 0.3)];
    const wide = width >= 500, left = wide ? 96 : 56;
    const ax = axes({ x: [state.first, LAST], y: sized.length ? y : [1, 10], log: true, width, height: Math.max(tall, 60) + 24, left });
    places = new Map();
    for (const item of sized) places.set(item.index, [ax.X(item.year), ax.Y(item.size)]);
    const top = tall + 24;
    for (const item of ideas) places.set(item.index, [ax.X(item.year), top + lane * (item.lane + 0.5)]);
    const taken = []; // of two that would lie on each other, the later one moves up or down
    for (const [index, place] of places) {
      const near = () => taken.filter(([px, py]) => Math.abs(px - place[0]) < 9 && Math.abs(py - place[1]) < 9).length;
      if (state.items[index].kind === "idea" && near()) place[1] += taken.length % 2 ? 10 : -10;
      taken.push(place);
    }
    const marks = shown.map(({ index, kind, name }) => {
      const [px, py] = places.get(index), { color, mark } = KINDS[kind];
      return `<path d="${MARKS[mark](px, py, 5)}" data-index="${index}" fill="var(--dl-${color})"><title>${escape(name)}</title></path>`;
    }).join("");
    const lanes = ideas.length ? LANES.map((name, i) => `<path class="dl-grid" d="M${left} ${top + lane * (i + 0.5)}H${width - 12}"/>
      <text class="dl-tick" text-anchor="end" x="${left - 8}" y="${top + lane * (i + 0.5) + 4}">${wide ? name : SHORT[i]}</text>`).join("") : "";
    const years = ax.markup.replace(/>1(?:e(\d+)|(00+))</g, (_, power, zeros) => `>10<tspan dy="-5" font-size="9">${power ?? zeros.length}</tspan><`);
    pane.innerHTML = `<svg width="${width}" height="${height}" aria-hidden="true">
      ${sized.length ? years : ""}${lanes}${sized.length ? "" : yearsBelow(ax, state.first, top + 4 * lane + 18)}${marks}${ring(state)}</svg>`;
    tell(figure, sized);
  }

  const yearsBelow = ({ X }, first, at) => Array.from({ length: 12 }, (_, i) => Math.ceil(first / 10) * 10 + 10 * i)
    .filter((year) => year <= LAST).map((year) =>
      `<text class="dl-tick" text-anchor="middle" x="${X(year)}" y="${at}">${year}</text>`).join("");

  function ring({ selected, items }) {
    const place = places.get(selected);
    if (!place) return "";
    const [px, py] = place, before = px > 340 || px > el.clientWidth / 2;
    return `<circle cx="${px}" cy="${py}" r="10" fill="none" stroke="var(--fig-text)" stroke-width="2.5"/>
      <text x="${px + (before ? -15 : 15)}" y="${py - 9}" text-anchor="${before ? "end" : "start"}" font-weight="700"
      paint-order="stroke" stroke="var(--fig-ground)" stroke-width="4">${escape(items[selected].name.slice(0, 34))}</text>`;
  }

  function tell(figure, sized) {
    const { items, selected } = figure.state, item = items[selected];
    const there = item && shown.some(({ index }) => index === selected);
    const growth = ["model", "data"].map((kind) => {
      const months = doublingMonths(sized.filter((one) => one.kind === kind));
      return months ? `${kind === "model" ? "models" : "data sets"} double every ${show(months / 12, 2)} years` : "";
    }).filter(Boolean).join(", ");
    const counted = `${shown.length} of ${items.length} shown${growth ? `. Along a straight line through them, ${growth}` : ""}.`;
    if (!there) {
      figure.find(".dl-card").innerHTML = `<p>${counted}</p>`;
      figure.say(counted);
      return;
    }
    const size = item.size ? `${item.size >= 1e6 ? show(item.size / 1e6, 4) + " million" : item.size.toLocaleString("en")} ${
      item.kind === "model" ? "parameters" : "examples"}. ` : "";
    const what = item.kind === "idea" ? `${LANES[item.lane]}` : KINDS[item.kind].one;
    const link = /^#[\w-]+$/.test(item.link) ? ` <a href="${item.link}">See it run</a>.` : "";
    figure.find(".dl-card").innerHTML = `<p><strong>${item.year}: ${escape(item.name)}</strong> (${what})</p>
      <p>${escape(size)}${escape(item.text)}${link}</p><p style="color: var(--fig-soft); font-size: 13.5px">${escape(item.source)}</p><p>${counted}</p>`;
    figure.say(`${item.year}: ${item.name}, ${what}. ${size}${item.text} ${counted}`);
  }

  const figure = mount({ model, el }, { fields: FIELDS, page, draw });
  const pane = figure.find(".dl-pane");
  const go = (steps) => {
    if (!shown.length) return;
    const at = shown.findIndex(({ index }) => index === figure.state.selected);
    const next = at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + steps));
    figure.set({ selected: shown[next].index });
  };
  arrows(pane, (dx, dy) => go(dx || dy));
  figure.root.addEventListener("click", ({ target }) => target.dataset.go && go(Number(target.dataset.go)));
  pane.addEventListener("click", ({ clientX, clientY }) => {
    const box = pane.getBoundingClientRect();
    let best = 28, found = null;
    for (const [index, [px, py]] of places) {
      const far = Math.hypot(px - (clientX - box.left), py - (clientY - box.top));
      if (far < best) [best, found] = [far, index];
    }
    if (found !== null) figure.set({ selected: found });
  });
  return figure.destroy;
}

export default { render };
