// Polynomials fitted to noisy points: too stiff, too supple, or right. bias_variance.py is its twin:
// same random numbers, same least squares in Legendre polynomials.

import { LOOKS, arrows, axes, clamp, drag, line, mount, show, slider } from "./kit.mjs";

const DEGREES = 12, SAMPLES = 30, GRID = Array.from({ length: 101 }, (_, k) => k / 50 - 1);
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

const truth = (x) => 0.9 * Math.sin(4.5 * x) + 0.3 * x;

// Numbers in [0, 1): mulberry32, by T. Ettinger.
function randomNumbers(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function sample(seed, number, points, noise) {
  const draw = randomNumbers(1000 * seed + number), xs = [], ys = [];
  for (let i = 0; i < points; i += 1) {
    const x = -1 + (2 * (i + draw())) / points;
    const radius = Math.sqrt(-2 * Math.log(1 - draw())), turn = 2 * Math.PI * draw();
    xs.push(x);
    ys.push(truth(x) + noise * radius * Math.cos(turn));
  }
  return [xs, ys];
}

// Legendre polynomials at x, one list for each degree, of mean square 1 on [-1, 1].
export function basis(xs, degree) {
  const columns = [xs.map(() => 1), xs];
  for (let k = 1; k < degree; k += 1) {
    columns.push(xs.map((x, i) => ((2 * k + 1) * x * columns[k][i] - k * columns[k - 1][i]) / (k + 1)));
  }
  return columns.slice(0, degree + 1).map((column, k) => column.map((value) => value * Math.sqrt(2 * k + 1)));
}

// Least squares with a penalty on all coefficients but the first, as further rows of the same system;
// by Gram and Schmidt's method, modified: the right side is treated as one more column (Björck, 1967).
export function fit(xs, ys, degree, ridge) {
  const pull = Math.sqrt(xs.length * ridge), size = degree + 1;
  const columns = basis(xs, degree).map((column, k) =>
    [...column, ...Array.from({ length: degree }, (_, row) => (row + 1 === k ? pull : 0))]);
  columns.push([...ys, ...Array(degree).fill(0)]);
  const upper = columns.map(() => []);
  for (let k = 0; k < size; k += 1) {
    const length = Math.sqrt(dot(columns[k], columns[k])), unit = columns[k].map((value) => value / length);
    upper[k][k] = length;
    for (let j = k + 1; j <= size; j += 1) {
      const share = upper[k][j] = dot(unit, columns[j]);
      columns[j] = columns[j].map((value, i) => value - share * unit[i]);
    }
  }
  const weights = Array(size).fill(0);
  for (let k = size - 1; k >= 0; k -= 1) {
    let rest = upper[k][size];
    for (let j = k + 1; j < size; j += 1) rest -= upper[k][j] * weights[j];
    weights[k] = rest / upper[k][k];
  }
  return weights;
}

const evaluate = (columns, weights) => columns[0].map((_, i) => weights.reduce((sum, w, k) => sum + w * columns[k][i], 0));

// For each degree: errors on the sample and on new points, bias and variance, and all curves on the grid.
export function errors(points, noise, ridge, seed) {
  const samples = Array.from({ length: SAMPLES }, (_, number) => sample(seed, number, points, noise));
  const goal = GRID.map(truth), whole = basis(GRID, DEGREES);
  const own = samples.map(([xs]) => basis(xs, DEGREES));
  return Array.from({ length: DEGREES + 1 }, (_, degree) => {
    const weights = samples.map(([xs, ys]) => fit(xs, ys, degree, ridge));
    const curves = weights.map((w) => evaluate(whole, w));
    const train = mean(samples.map(([, ys], s) => mean(evaluate(own[s], weights[s]).map((value, i) => (value - ys[i]) ** 2))));
    const middle = GRID.map((_, i) => mean(curves.map((curve) => curve[i])));
    const bias = mean(middle.map((value, i) => (value - goal[i]) ** 2));
    const variance = mean(curves.map((curve) => mean(curve.map((value, i) => (value - middle[i]) ** 2))));
    return { train, test: bias + variance + noise ** 2, bias, variance, curves };
  });
}

const FIELDS = {
  degree: { label: "Degree", low: 0, high: DEGREES, whole: true, step: 1 },
  points: { label: "Points", low: 15, high: 60, whole: true, step: 1 },
  noise: { label: "Noise", low: 0, high: 1, step: 0.05 },
  ridge: { label: "Regularization (ridge)", low: 1e-6, high: 10, log: true, zero: true, step: 0.25 },
  seed: { low: 1, high: 100000, whole: true },
};
const CURVES = [["train", "error on its own points", 0], ["test", "error on new points", 1], ["bias", "bias²", 2], ["variance", "variance", 3]];
const PAGE = `
  <div class="dl-sliders" style="grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr))">${
  ["degree", "points", "noise", "ridge"].map((key) => slider(key, FIELDS[key])).join("")}</div>
  <div class="dl-row"><button type="button" class="dl-new dl-main">New samples</button><button type="button" class="dl-reset">Reset</button></div>
  <div class="dl-panes">
    <div class="dl-pane dl-fits"><svg aria-hidden="true"></svg></div>
    <div class="dl-pane dl-errors" tabindex="0" role="group" aria-label="Errors by degree. Drag sideways, or use the arrow keys, to choose the degree.">
      <svg aria-hidden="true"></svg></div></div>
  <p class="dl-says"></p>`;

function render({ model, el }) {
  let all, area;
  const changed = ({ state: { points, noise, ridge, seed } }, keys) => {
    if (keys.some((key) => key !== "degree")) all = errors(points, noise, ridge, seed);
  };

  function draw({ state, find, say }) {
    const { degree, points, noise, seed } = state, here = all[degree];
    const width = find(".dl-fits").clientWidth, height = Math.min(320, Math.round(width * 0.95));
    const put = (selector, markup) => {
      const svg = find(selector);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.innerHTML = markup;
    };
    const path = (box, list, color, extra = "") => `<path class="dl-curve" style="stroke:${color};${extra}" d="${line(box, list)}"/>`;

    const fits = axes({ x: [-1, 1], y: [-2, 2], width, height, xName: "x", yName: "y" });
    const curve = (values) => GRID.map((x, i) => [x, values[i]]), [xs, ys] = sample(seed, 0, points, noise);
    put(".dl-fits svg", `${fits.markup}<g clip-path="url(#${fits.clip})">
      ${here.curves.slice(1).map((values) => path(fits, curve(values), LOOKS[0].color, "stroke-width:1;stroke-opacity:0.22")).join("")}
      ${path(fits, curve(GRID.map(truth)), "var(--fig-text)", "stroke-width:1.75;stroke-dasharray:6 4")}
      ${path(fits, curve(here.curves[0]), LOOKS[0].color, "stroke-width:3")}
      ${xs.map((x, i) => `<circle cx="${fits.X(x)}" cy="${fits.Y(ys[i])}" r="4" style="fill:${LOOKS[1].color};stroke:var(--fig-ground)"/>`).join("")}</g>`);

    area = axes({ x: [0, DEGREES], y: [1e-4, 100], log: true, width, height, xName: "degree", yName: "mean squared error" });
    put(".dl-errors svg", `${area.markup}<g clip-path="url(#${area.clip})">
      <path d="M${area.X(degree)} ${area.top}V${area.bottom}" stroke="var(--fig-text)" stroke-dasharray="3 3"/>${CURVES.map(([key, , look]) =>
  `<path class="dl-curve" style="stroke:${LOOKS[look].color}" stroke-dasharray="${LOOKS[look].dash}" d="${line(area, all.map((one, k) => [k, one[key]]))}"/>
      <path d="${LOOKS[look].mark(area.X(degree), area.Y(here[key]), 5)}" style="fill:${LOOKS[look].color};stroke:var(--fig-ground)"/>`).join("")}</g>
      ${CURVES.map(([, name, look], i) => `<path class="dl-curve" style="stroke:${LOOKS[look].color}" stroke-dasharray="${LOOKS[look].dash}"
        d="M${area.left + 8} ${area.top + 12 + 17 * i}h26"/><text style="paint-order: stroke; stroke: var(--fig-wash); stroke-width: 4px" x="${area.left + 40}" y="${area.top + 16 + 17 * i}">${name}</text>`).join("")}`);

    const best = all.reduce((least, one, k) => (one.test < all[least].test ? k : least), 0);
    say(`Degree ${degree}, samples ${seed}: on average over ${SAMPLES} fits the squared error is ${show(here.train)} on the points it was fitted to, ${show(here.test)} on new ones (bias² ${
      show(here.bias)}, variance ${show(here.variance)}, noise ${show(noise ** 2)}). ${degree === best ? "No other degree does better on new points."
      : `Degree ${best} would do best; this one is too ${degree < best ? "stiff" : "supple"}.`}`);
  }

  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw, changed });
  const { state, find, set } = figure;
  const to = (degree) => set({ degree: clamp(Math.round(degree), 0, DEGREES) });
  find(".dl-new").addEventListener("click", () => set({ seed: (state.seed % 100000) + 1 }));
  drag(find(".dl-errors"), (x, y) => (x > area.left - 10 && y > area.top && y < area.bottom
    && Math.abs(area.X(state.degree) - x) < 30 ? true : undefined), (held, x) => to(area.fromX(x)));
  find(".dl-errors").addEventListener("click", ({ clientX }) =>
    to(area.fromX(clientX - find(".dl-errors").getBoundingClientRect().left)));
  arrows(find(".dl-errors"), (dx) => to(state.degree + dx));
  return figure.destroy;
}

export default { render };
