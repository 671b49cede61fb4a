// Seven optimizers run down a surface from the point that the reader chooses. optimizer_race.py is its
// twin and takes the same steps with the library's own optimizers.

import { LOOKS, arrows, axes, clamp, drag, line, mount, player, relief, select, show, slider, readSlider, writeSlider } from "./kit.mjs";

const STEPS = 400, FAR = 1e6, BANDS = 18;
const { sin, cos } = Math;

// label, f(x, y), its two derivatives, what is shown, where all start
export const SURFACES = {
  bowl: ["Bowl", (x, y) => (x * x + 2 * y * y) / 4, (x, y) => [x / 2, y], [-4, 4], [-3, 3], [-3.2, 2]],
  ravine: ["Ravine", (x, y) => (x * x + 30 * y * y) / 4, (x, y) => [x / 2, 15 * y], [-4, 4], [-2, 2], [-3.4, 1.2]],
  rosenbrock: ["Rosenbrock’s valley", (x, y) => ((1 - x) ** 2 + 100 * (y - x * x) ** 2) / 50,
    (x, y) => [(-2 * (1 - x) - 400 * x * (y - x * x)) / 50, 4 * (y - x * x)], [-2, 2], [-1, 3], [-1.4, 2.2]],
  beale: ["Beale’s plateaus", (x, y) => [1.5, 2.25, 2.625].reduce((sum, c, i) => sum + (c - x + x * y ** (i + 1)) ** 2, 0) / 10,
    (x, y) => [1.5, 2.25, 2.625].reduce(([gx, gy], c, i) => {
      const power = y ** (i + 1), twice = (c - x + x * power) / 5;
      return [gx + twice * (power - 1), gy + twice * x * (i + 1) * y ** i];
    }, [0, 0]), [-4.5, 4.5], [-2, 2], [1, 1.5]],
  saddle: ["Saddle", (x, y) => (x * x - y * y) / 4 + y ** 4 / 16 + 0.25, (x, y) => [x / 2, y ** 3 / 4 - y / 2],
    [-3, 3], [-3, 3], [-2.4, 0.01]],
  many: ["Many minima", (x, y) => (x * x + y * y) / 20 + 1 - (cos(2 * x) + cos(2 * y)) / 2,
    (x, y) => [x / 10 + sin(2 * x), y / 10 + sin(2 * y)], [-6, 6], [-6, 6], [-4.4, 3.8]],
};

// How one weight moves: (weight, gradient, its memory, number of the step, settings) -> weight
const velocity = (g, m, { momentum }) => (m.v = momentum * (m.v ?? 0) + g);
const mean = (m, key, keep, value) => (m[key] = keep * (m[key] ?? 0) + (1 - keep) * value);
const adam = (w, g, m, t, { lr, beta1, beta2 }) => {
  const first = mean(m, "first", beta1, g), second = mean(m, "second", beta2, g * g);
  return w - lr * (first / (1 - beta1 ** t) / (Math.sqrt(second / (1 - beta2 ** t)) + 1e-8));
};
export const OPTIMIZERS = {
  SGD: (w, g, m, t, { lr }) => w - lr * g,
  Momentum: (w, g, m, t, s) => w - s.lr * velocity(g, m, s),
  Nesterov: (w, g, m, t, s) => w - s.lr * (g + s.momentum * velocity(g, m, s)),
  Adagrad: (w, g, m, t, { lr }) => w - (lr * g) / (Math.sqrt(m.sum = (m.sum ?? 0) + g * g) + 1e-10),
  RMSprop: (w, g, m, t, { lr, alpha }) => w - (lr * g) / (Math.sqrt(mean(m, "square", alpha, g * g)) + 1e-8),
  Adam: adam,
  AdamW: (w, g, m, t, s) => adam(w * (1 - s.lr * s.weight_decay), g, m, t, s),
};
const NAMES = Object.keys(OPTIMIZERS);

const rate = { label: "Learning rate", low: 0.0001, high: 2, log: true, step: 0.05 };
const share = (label, low, high, step) => ({ label, low, high, step, format: (value) => show(value, 4) });
const momentum = share("Momentum", 0.01, 0.99, 0.01);
const betas = { beta1: share("Memory of gradients (beta 1)", 0, 0.99, 0.01), beta2: share("Memory of squares (beta 2)", 0, 0.999, 0.001) };
const SETTINGS = {
  SGD: {}, Momentum: { momentum }, Nesterov: { momentum }, Adagrad: {},
  RMSprop: { alpha: share("Memory of squares (alpha)", 0, 0.999, 0.001) }, Adam: betas,
  AdamW: { ...betas, weight_decay: share("Weight decay", 0, 1, 0.01) },
};
for (const name of NAMES) SETTINGS[name] = { lr: rate, ...SETTINGS[name] };

// The way of one optimizer: [x, y, loss] at each step, cut short where it leaves for infinity.
export function path(name, surface, start, settings, steps = STEPS) {
  const [, f, slope] = SURFACES[surface], move = OPTIMIZERS[name], memory = [{}, {}], points = [];
  let at = start;
  for (let t = 1; t <= steps + 1; t += 1) {
    points.push([...at, f(...at)]);
    const gradient = slope(...at);
    at = at.map((w, i) => move(w, gradient[i], memory[i], t, settings));
    if (!at.every((w) => Math.abs(w) <= FAR)) break;
  }
  return points;
}
export const stepsTo = (points, tolerance) => points.findIndex(([, , loss]) => loss <= tolerance);

const isRunners = (value) => Array.isArray(value) && new Set(value).size === value.length && value.every((one) => NAMES.includes(one));
const badSetting = (value) => NAMES.flatMap((name) => Object.entries(SETTINGS[name]).map(([key, { low, high }]) =>
  (value?.[name]?.[key] >= low && value[name][key] <= high && Number.isFinite(value[name][key]) ? ""
    : `for ${key} of ${name} a number from ${low} to ${high}`))).find(Boolean) ?? "";
const FIELDS = {
  surface: { label: "Surface", options: Object.fromEntries(Object.entries(SURFACES).map(([key, [label]]) => [key, label])) },
  start: { test: (value) => (Array.isArray(value) && value.length === 2 && value.every((v) => Number.isFinite(v) && Math.abs(v) <= 6)
    ? "" : "two numbers from -6 to 6") },
  runners: { test: (value) => (isRunners(value) ? "" : `a list of names out of ${NAMES.join(", ")}, each at most once`) },
  settings: { test: badSetting },
  shown: { label: "Settings of", options: Object.fromEntries(NAMES.map((name) => [name, name])) },
  tolerance: { label: "Arrived at a loss of", low: 0.0001, high: 0.1, log: true, step: 1 },
  step: { label: "Step", low: 0, high: STEPS, whole: true, step: 1, format: String },
};

const mark = (i) => `<svg aria-hidden="true" width="28" height="14"><path d="M0 7H28" fill="none" stroke="${LOOKS[i].color}"
  stroke-width="2.25" stroke-dasharray="${LOOKS[i].dash}"/><path d="${LOOKS[i].mark(14, 7, 5)}" fill="${LOOKS[i].color}"/></svg>`;
const PAGE = `
  <div class="dl-row">${select("surface", FIELDS.surface)}
    <button type="button" class="dl-play dl-main"></button><button type="button" class="dl-before">← Back</button>
    <button type="button" class="dl-after">Step →</button><button type="button" class="dl-reset">Reset</button></div>
  ${slider("step", FIELDS.step)}
  <div class="dl-panes">
    <div class="dl-pane dl-land" tabindex="0" role="group" aria-label="Surface. Click to choose where all start; arrow keys move the start.">
      <div class="dl-relief"></div><svg aria-hidden="true"></svg></div>
    <div class="dl-pane dl-loss"><svg aria-hidden="true"></svg></div></div>
  <div class="dl-panes">
    <div class="dl-board" role="table" aria-label="Standings">
      <div role="row" class="dl-head"><span role="columnheader">Optimizer</span><span role="columnheader">loss now</span><span role="columnheader">steps needed</span></div>
      ${NAMES.map((name, i) => `<div role="row"><span role="rowheader"><label class="dl-tick-box"><input type="checkbox" name="${name}" aria-label="${name}">${mark(i)} ${name}</label></span>
        <span role="cell"></span><span role="cell"></span></div>`).join("")}</div>
    <div class="dl-own">${select("shown", FIELDS.shown)}<div class="dl-settings"></div>${slider("tolerance", FIELDS.tolerance)}</div></div>
  <p class="dl-says"></p>`;

function render({ model, el }) {
  let paths = {}, area, drawn, watching;

  function changed({ state }, keys) {
    const { surface, start, runners, settings } = state;
    if (keys.some((key) => ["surface", "start", "runners", "settings"].includes(key))) {
      paths = Object.fromEntries(runners.map((name) => [name, path(name, surface, start, settings[name])]));
    }
  }
  const at = (name, step) => paths[name][Math.min(step, paths[name].length - 1)];
  const gone = (name, step) => paths[name].length <= step;

  function draw(figure, keys) {
    const { state, find, root } = figure, { surface, start, runners, settings, shown, tolerance, step } = state;
    const [label, f, , x, y] = SURFACES[surface], order = NAMES.filter((name) => runners.includes(name));
    const width = find(".dl-land").clientWidth, height = Math.min(340, Math.round(width * 0.8));

    area = axes({ x, y, width, height, xName: "first weight", yName: "second weight" });
    if (drawn !== `${surface} ${width}`) {
      drawn = `${surface} ${width}`;
      const top = Math.max(...[x[0], 0, x[1]].flatMap((a) => [y[0], 0, y[1]].map((b) => f(a, b))));
      relief(find(".dl-relief"), f, area, (z) => BANDS * (z / top) ** 0.3, BANDS);
    }
    const trails = order.map((name) => {
      const { color, dash, mark: form } = LOOKS[NAMES.indexOf(name)], [px, py] = at(name, step);
      return `<path class="dl-curve" style="stroke:${color}" stroke-dasharray="${dash}" d="${line(area, paths[name].slice(0, step + 1))}"/>
        <path style="fill:${color};stroke:var(--fig-ground)" d="${form(area.X(px), area.Y(py), 7)}"/>`;
    });
    Object.assign(find(".dl-land svg"), { innerHTML: `${area.markup}<g clip-path="url(#${area.clip})">${trails.join("")}
      <circle class="dl-handle" cx="${area.X(start[0])}" cy="${area.Y(start[1])}" r="8"/></g>` });
    size(find(".dl-land svg"), width, height);

    const losses = axes({ x: [0, [50, 100, 200, STEPS].find((end) => end >= step)], y: [1e-6, 100], width, height, log: true, xName: "step", yName: "loss" });
    find(".dl-loss svg").innerHTML = `${losses.markup}<g clip-path="url(#${losses.clip})">
      <path class="dl-grid" style="stroke:var(--fig-text)" stroke-dasharray="3 3" d="M${losses.left} ${losses.Y(tolerance)}H${losses.right}"/>
      <path class="dl-grid" style="stroke:var(--fig-text)" d="M${losses.X(step)} ${losses.top}V${losses.bottom}"/>${order.map((name) => {
  const { color, dash } = LOOKS[NAMES.indexOf(name)];
  return `<path class="dl-curve" style="stroke:${color}" stroke-dasharray="${dash}" d="${line(losses, paths[name].slice(0, step + 1).map((p, i) => [i, p[2]]))}"/>`;
}).join("")}</g>`;
    size(find(".dl-loss svg"), width, height);

    for (const [i, name] of NAMES.entries()) {
      const [, now, needed] = root.querySelectorAll(".dl-board > div")[i + 1].children;
      find(`[name=${name}]`).checked = runners.includes(name);
      const first = paths[name] ? stepsTo(paths[name], tolerance) : -1;
      now.textContent = !paths[name] ? "" : gone(name, step) ? "diverged" : show(at(name, step)[2]);
      needed.textContent = !paths[name] ? "" : first < 0 ? (gone(name, STEPS) ? "never" : `over ${STEPS}`) : first;
    }
    if (watching !== shown) {
      watching = shown;
      find(".dl-settings").innerHTML = Object.entries(SETTINGS[shown]).map(([key, field]) => slider(key, field)
        .replace("data-key", "data-own").replace("<input", "<input data-lm-suppress-shortcuts")).join("");
    }
    for (const input of root.querySelectorAll("[data-own]")) {
      writeSlider(input, SETTINGS[shown][input.dataset.own], settings[shown][input.dataset.own]);
    }
    find(".dl-before").ariaDisabled = step === 0;
    find(".dl-after").ariaDisabled = step === STEPS;

    const standing = order.map((name) => [name, gone(name, step) ? Infinity : at(name, step)[2]]).sort((a, b) => a[1] - b[1]);
    const [best] = standing, here = standing.filter(([name]) => {
      const first = stepsTo(paths[name], tolerance);
      return first >= 0 && first <= step;
    }).length;
    const lost = standing.filter(([, loss]) => loss === Infinity).map(([name]) => name);
    figure.say(!best ? "Nobody runs: choose at least one optimizer."
      : `${label}, from (${show(start[0])}, ${show(start[1])}), step ${step}: ${best[1] === Infinity ? "" : `the lowest loss is ${show(best[1])}, by ${best[0]}. `}${
        here} of ${order.length} ${here === 1 ? "has" : "have"} arrived at a loss of ${show(tolerance)}.${lost.length ? ` Diverged: ${lost.join(", ")}.` : ""}`, play?.playing);
  }
  const size = (svg, width, height) => {
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
  };

  let play;
  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw, changed });
  const { state, find, set, root } = figure;
  const to = (step) => set({ step: clamp(step, 0, STEPS) });
  let exact = 0;
  play = player(find(".dl-play"), {
    tick(seconds) { // slowly at first, then faster and faster
      if (Math.floor(exact) !== state.step || state.step === STEPS) exact = state.step === STEPS ? 0 : state.step;
      exact = Math.min(STEPS, exact + seconds * Math.max(20, exact / 2));
      set({ step: Math.floor(exact) }, { save: false });
      return state.step < STEPS;
    },
    jump: () => to(STEPS),
    stopped: () => to(state.step),
  });

  const place = (start) => {
    const [, , , x, y] = SURFACES[state.surface];
    const tidy = (value, [low, high]) => Number(clamp(value, low, high).toPrecision(3));
    set({ start: [tidy(start[0], x), tidy(start[1], y)] });
  };
  drag(find(".dl-land"), (x, y) => {
    const near = Math.hypot(area.X(state.start[0]) - x, area.Y(state.start[1]) - y) < 30;
    return near ? true : undefined;
  }, (held, x, y) => place([area.fromX(x), area.fromY(y)]));
  find(".dl-land").addEventListener("click", ({ clientX, clientY }) => {
    const box = find(".dl-land").getBoundingClientRect(), x = clientX - box.left, y = clientY - box.top;
    if (x >= area.left && x <= area.right && y >= area.top && y <= area.bottom) place([area.fromX(x), area.fromY(y)]);
  });
  arrows(find(".dl-land"), (dx, dy) => {
    const [, , , x, y] = SURFACES[state.surface];
    place([state.start[0] + (dx * (x[1] - x[0])) / 80, state.start[1] + (dy * (y[1] - y[0])) / 80]);
  });
  root.addEventListener("click", ({ target }) => {
    if (target.matches(".dl-before, .dl-after, .dl-reset")) play.stop();
    if (target.matches(".dl-before")) to(state.step - 1);
    if (target.matches(".dl-after")) to(state.step + 1);
  });
  root.addEventListener("input", ({ target }) => {
    const { own, key } = target.dataset;
    if (key === "step") play.stop();
    if (key === "surface") set({ start: [...SURFACES[target.value][5]] });
    if (NAMES.includes(target.name)) {
      const runners = state.runners.filter((name) => name !== target.name);
      set(target.checked ? { runners: [...runners, target.name], shown: target.name } : { runners });
    }
    if (own) {
      const changes = { ...state.settings[state.shown], [own]: readSlider(target, SETTINGS[state.shown][own]) };
      set({ settings: { ...state.settings, [state.shown]: changes } });
    }
  });
  figure.close.push(play.stop);
  return figure.destroy;
}

export default { render };
