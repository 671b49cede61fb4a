// Gradient descent fits a line to points that the reader can move. line_fit.py is its twin and takes
// the same steps with the library's own engine.

import { LOOKS, arrows, axes, clamp, drag, line, mount, player, relief, show, slider } from "./kit.mjs";

const STEPS = 100, FAR = 1e6, BANDS = 18;
const X = [-3, 3], Y = [-4, 4], W = [-3, 3], B = [-4, 4];
const DATA = {
  "a line, and noise": [[-2.5, -1.9], [-2, -0.6], [-1.4, -0.9], [-0.9, 0.3], [-0.3, -0.1], [0.2, 1.2], [0.8, 0.8], [1.3, 2], [1.9, 1.7], [2.5, 2.6]],
  "far from zero": [[1.6, 0.2], [1.8, -0.3], [2, 0.5], [2.1, 0.9], [2.3, 0.7], [2.4, 1.5], [2.6, 1.2], [2.8, 2.1]],
  "one outlier": [[-2.5, -1.4], [-1.8, -1], [-1.2, -0.5], [-0.6, -0.2], [0, 0.2], [0.7, 0.5], [1.3, 1], [2.4, -3.6]],
};

const mean = (points, f) => points.reduce((sum, point) => sum + f(...point), 0) / points.length;
const lossOf = (points) => (w, b) => mean(points, (x, y) => (w * x + b - y) ** 2);

// The path [w, b, loss] of each step, cut short where it leaves for infinity.
export function descend(points, start, rate, steps = STEPS) {
  const path = [], loss = lossOf(points);
  let [w, b] = start;
  for (let t = 0; t <= steps; t += 1) {
    path.push([w, b, loss(w, b)]);
    const dw = mean(points, (x, y) => 2 * (w * x + b - y) * x), db = mean(points, (x, y) => 2 * (w * x + b - y));
    [w, b] = [w - rate * dw, b - rate * db];
    if (!(Math.abs(w) <= FAR && Math.abs(b) <= FAR)) break;
  }
  return path;
}

// Beyond this rate, 2 divided by the loss's largest curvature, gradient descent diverges.
export function largestRate(points) {
  const xx = 2 * mean(points, (x) => x * x), x1 = 2 * mean(points, (x) => x);
  return 2 / ((xx + 2) / 2 + Math.sqrt(((xx - 2) / 2) ** 2 + x1 * x1));
}

// The least mean squared error that any line has.
function leastLoss(points) {
  const mx = mean(points, (x) => x), my = mean(points, (x, y) => y);
  const xx = mean(points, (x) => (x - mx) ** 2), xy = mean(points, (x, y) => (x - mx) * (y - my));
  const w = xx ? xy / xx : 0;
  return lossOf(points)(w, my - w * mx);
}

const within = (value, ...limits) => Array.isArray(value) && value.length === limits.length
  && limits.every(([low, high], i) => Number.isFinite(value[i]) && value[i] >= low && value[i] <= high);
const FIELDS = {
  points: { test: (value) => (Array.isArray(value) && value.length >= 2 && value.length <= 40
    && value.every((point) => within(point, X, Y)) ? "" : "2 to 40 points [x, y], x from -3 to 3, y from -4 to 4") },
  start: { test: (value) => (within(value, W, B) ? "" : "w from -3 to 3 and b from -4 to 4") },
  rate: { label: "Learning rate", low: 0.001, high: 2, log: true, step: 0.05 },
  step: { label: "Step", low: 0, high: STEPS, whole: true, step: 1, format: String },
};

const PAGE = `
  <div class="dl-row"><label class="dl-field">Data <select class="dl-data" aria-label="Data"><option value="">your own</option>${
  Object.keys(DATA).map((name) => `<option>${name}</option>`).join("")}</select></label>
    <button type="button" class="dl-play dl-main"></button><button type="button" class="dl-before">← Back</button>
    <button type="button" class="dl-after">Step →</button><button type="button" class="dl-reset">Reset</button></div>
  <div class="dl-sliders">${slider("rate", FIELDS.rate)}${slider("step", FIELDS.step)}</div>
  <div class="dl-panes">
    <div class="dl-pane dl-data-pane" tabindex="0" role="group" aria-label="Data. Drag a point, or move it with the arrow keys; Page Up and Page Down choose another.">
      <svg aria-hidden="true"></svg></div>
    <div class="dl-pane dl-land" tabindex="0" role="group" aria-label="Loss for each w and b. Click to choose the start; arrow keys move it.">
      <div class="dl-relief"></div><svg aria-hidden="true"></svg></div></div>
  <p class="dl-says"></p>`;

function render({ model, el }) {
  const [, { color: warm, mark }] = LOOKS;
  let path = [], data, land, drawn, chosen = 0;

  function changed({ state: { points, start, rate } }) {
    path = descend(points, start, rate);
    chosen = Math.min(chosen, points.length - 1);
  }

  function draw(figure) {
    const { state, find } = figure, { points, start, rate, step } = state;
    const width = find(".dl-land").clientWidth, height = Math.min(320, Math.round(width * 0.85));
    const here = path[Math.min(step, path.length - 1)], [w, b, loss] = here, gone = path.length <= step;
    const put = (selector, markup) => {
      const svg = find(selector);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.innerHTML = markup;
    };

    data = axes({ x: X, y: Y, width, height, xName: "x", yName: "y" });
    const ends = [-3, 3].map((x) => [x, w * x + b]);
    put(".dl-data-pane svg", `${data.markup}<g clip-path="url(#${data.clip})">
      <path d="${points.map(([x, y]) => `M${data.X(x)} ${data.Y(y)}V${data.Y(w * x + b)}`).join("")}" stroke="${warm}" stroke-opacity="0.6" stroke-dasharray="3 3"/>
      <path class="dl-curve" style="stroke:${warm}" d="${line(data, ends)}"/></g>
      ${points.map(([x, y], i) => `<circle class="dl-point${i === chosen ? " is-chosen" : ""}" cx="${data.X(x)}" cy="${data.Y(y)}" r="6"/>`).join("")}`);

    land = axes({ x: W, y: B, width, height, xName: "slope w", yName: "height b" });
    const key = JSON.stringify([points, width]);
    if (drawn !== key) {
      drawn = key;
      const f = lossOf(points), top = Math.max(f(3, 4), f(-3, -4), f(-3, 4), f(3, -4));
      // The loss is a polynomial in w and b: its six numbers once, not a sum over points at each pixel.
      const [xx, x1, xy, y1, yy] = [(x) => x * x, (x) => x, (x, y) => x * y, (x, y) => y, (x, y) => y * y].map((one) => mean(points, one));
      relief(find(".dl-relief"), (p, q) => p * p * xx + q * q + yy + 2 * (p * q * x1 - p * xy - q * y1), land,
        (z) => BANDS * (Math.max(0, z) / top) ** 0.4, BANDS);
    }
    const dots = path.slice(0, step + 1);
    put(".dl-land svg", `${land.markup}<g clip-path="url(#${land.clip})"><path class="dl-curve" style="stroke:${warm}" d="${line(land, dots)}"/>
      ${dots.length < 60 ? dots.slice(1).map((dot) => `<circle cx="${land.X(dot[0])}" cy="${land.Y(dot[1])}" r="3" fill="${warm}"/>`).join("") : ""}
      <path d="${mark(land.X(w), land.Y(b), 6)}" style="fill:${warm};stroke:var(--fig-ground)"/>
      <circle class="dl-handle" cx="${land.X(start[0])}" cy="${land.Y(start[1])}" r="8"/></g>`);

    find(".dl-data").value = Object.keys(DATA).find((name) => JSON.stringify(DATA[name]) === JSON.stringify(points)) ?? "";
    find(".dl-before").ariaDisabled = step === 0;
    find(".dl-after").ariaDisabled = step === STEPS;
    const most = largestRate(points), sign = b < 0 ? "−" : "+";
    const verdict = rate > most ? `Beyond a rate of ${show(most)}, each step goes too far: the loss grows.`
      : rate > most / 2 ? `Each step crosses the valley, for the rate is more than half of ${show(most)}; beyond that it diverges.`
        : `Up to a rate of ${show(most)} it settles.`;
    figure.say(`Step ${step} at rate ${show(rate)}: ${gone ? "the line has left for infinity."
      : `y = ${show(w)} x ${sign} ${show(Math.abs(b))}, mean squared error ${show(loss)}; the least possible is ${show(leastLoss(points))}.`} ${verdict}`, play?.playing);
  }

  let play, exact = 0;
  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw, changed });
  const { state, find, set, root } = figure;
  const to = (step) => set({ step: clamp(step, 0, STEPS) });
  play = player(find(".dl-play"), {
    tick(seconds) {
      if (Math.floor(exact) !== state.step || state.step === STEPS) exact = state.step === STEPS ? 0 : state.step;
      exact = Math.min(STEPS, exact + seconds * Math.max(5, exact / 2));
      set({ step: Math.floor(exact) }, { save: false });
      return state.step < STEPS;
    },
    jump: () => to(STEPS),
    stopped: () => to(state.step),
  });

  const tidy = ([a, b], [low, high], [bottom, top]) =>
    [Number(clamp(a, low, high).toFixed(2)), Number(clamp(b, bottom, top).toFixed(2))];
  const movePoint = (i, place) => set({ points: state.points.map((point, k) => (k === i ? tidy(place, X, Y) : point)) });
  const nearest = (x, y) => state.points.map((point, i) => [Math.hypot(data.X(point[0]) - x, data.Y(point[1]) - y), i])
    .sort((a, b) => a[0] - b[0])[0];
  drag(find(".dl-data-pane"), (x, y) => {
    const [distance, i] = nearest(x, y);
    return distance < 26 ? i : undefined;
  }, (i, x, y) => {
    chosen = i;
    movePoint(i, [data.fromX(x), data.fromY(y)]);
  });
  arrows(find(".dl-data-pane"), (dx, dy) => {
    const [x, y] = state.points[chosen];
    movePoint(chosen, [x + dx / 20, y + dy / 20]);
  });
  find(".dl-data-pane").addEventListener("keydown", (event) => {
    const way = { PageDown: 1, PageUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    chosen = (chosen + way + state.points.length) % state.points.length;
    draw(figure);
    const [x, y] = state.points[chosen];
    figure.say(`Point ${chosen + 1} of ${state.points.length}, at (${show(x)}, ${show(y)}).`);
  });

  const place = (start) => set({ start: tidy(start, W, B) });
  drag(find(".dl-land"), (x, y) => (Math.hypot(land.X(state.start[0]) - x, land.Y(state.start[1]) - y) < 30 ? true : undefined),
    (held, x, y) => place([land.fromX(x), land.fromY(y)]));
  find(".dl-land").addEventListener("click", ({ clientX, clientY }) => {
    const box = find(".dl-land").getBoundingClientRect(), x = clientX - box.left, y = clientY - box.top;
    if (x >= land.left && x <= land.right && y >= land.top && y <= land.bottom) place([land.fromX(x), land.fromY(y)]);
  });
  arrows(find(".dl-land"), (dx, dy) => place([state.start[0] + dx / 20, state.start[1] + dy / 20]));

  root.addEventListener("click", ({ target }) => {
    if (target.matches(".dl-before, .dl-after, .dl-reset")) play.stop();
    if (target.matches(".dl-before")) to(state.step - 1);
    if (target.matches(".dl-after")) to(state.step + 1);
  });
  root.addEventListener("input", ({ target }) => {
    if (target.dataset.key === "step") play.stop();
    if (target.matches(".dl-data") && target.value) set({ points: structuredClone(DATA[target.value]) });
  });
  figure.close.push(play.stop);
  return figure.destroy;
}

export default { render };
