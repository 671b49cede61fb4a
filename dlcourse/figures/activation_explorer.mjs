// Activation functions and losses with their derivatives, and what a chain of layers makes of them.
// activation_explorer.py is its twin and takes value and slope from the library's own engine.

import { LOOKS, arrows, axes, clamp, drag, line, mount, select, show, slider, spread } from "./kit.mjs";

const { abs, exp, log1p, expm1, max, sign, tanh, sqrt, PI } = Math;
const sigmoid = (z) => 0.5 * (tanh(0.5 * z) + 1);

// The standard normal distribution function, by its series in odd powers.
function normal(z) {
  if (abs(z) > 8) return z > 0 ? 1 : 0;
  let term = z, sum = z;
  for (let n = 3; abs(term) > 1e-17; n += 2) sum += term *= (z * z) / n;
  return 0.5 + sum * density(z);
}
const density = (z) => exp(-0.5 * z * z) / sqrt(2 * PI);

// label, formula, value, derivative
export const ACTIVATIONS = {
  sigmoid: ["sigmoid", "1 / (1 + e⁻ᶻ)", sigmoid, (z) => sigmoid(z) * (1 - sigmoid(z))],
  tanh: ["tanh", "(eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ)", tanh, (z) => 1 - tanh(z) ** 2],
  relu: ["ReLU", "max(z, 0)", (z) => max(z, 0), (z) => (z > 0 ? 1 : 0)],
  leaky_relu: ["leaky ReLU", "z above 0, 0.01 z below", (z) => (z > 0 ? z : 0.01 * z), (z) => (z > 0 ? 1 : 0.01)],
  elu: ["ELU", "z above 0, eᶻ − 1 below", (z) => (z > 0 ? z : expm1(z)), (z) => (z > 0 ? 1 : exp(z))],
  gelu: ["GELU", "z · Φ(z)", (z) => z * normal(z), (z) => normal(z) + z * density(z)],
  silu: ["SiLU (swish)", "z · sigmoid(z)", (z) => z * sigmoid(z), (z) => sigmoid(z) * (1 + z * (1 - sigmoid(z)))],
  softplus: ["softplus", "log(1 + eᶻ)", (z) => log1p(exp(-abs(z))) + max(z, 0), sigmoid],
};

// label, value, derivative; of the prediction p and the target t, which for a class is 0 or 1
export const LOSSES = {
  squared: ["squared error", (p, t) => (p - t) ** 2, (p, t) => 2 * (p - t)],
  absolute: ["absolute error", (p, t) => abs(p - t), (p, t) => sign(p - t)],
  huber: ["Huber", (p, t) => (abs(p - t) < 1 ? 0.5 * (p - t) ** 2 : abs(p - t) - 0.5), (p, t) => clamp(p - t, -1, 1)],
  cross_entropy: ["cross-entropy", (p, t) => log1p(exp(-abs(p))) + max(p, 0) - p * t, (p, t) => sigmoid(p) - t],
  hinge: ["hinge", (p, t) => max(0, 1 - p * (2 * t - 1)), (p, t) => (p * (2 * t - 1) < 1 ? 1 - 2 * t : 0)],
};
const CLASSIFY = ["cross_entropy", "hinge"];

export const activate = (name, z) => ACTIVATIONS[name].slice(2).map((f) => f(z));
export const judge = (name, p, target, trueClass) =>
  LOSSES[name].slice(1).map((f) => f(p, CLASSIFY.includes(name) ? Number(trueClass) : target));

// For each layer of a chain, the derivative of the last neuron's output with respect to that layer's input.
export function chain(name, z, weight, layers) {
  const slopes = [];
  for (let k = 0; k < layers; k += 1) {
    const [value, slope] = activate(name, z), factor = k < layers - 1 ? weight : 1;
    slopes.push(slope * factor);
    z = value * factor;
  }
  return slopes.map((_, k) => slopes.slice(k).reduce((product, slope) => product * slope));
}

const labels = (table) => Object.fromEntries(Object.entries(table).map(([key, [label]]) => [key, label]));
const two = (value) => show(value, 3);
const FIELDS = {
  view: { label: "Show", options: { activation: "activation functions", loss: "losses" } },
  activation: { label: "Function", options: labels(ACTIVATIONS) },
  z: { label: "Input z", low: -6, high: 6, step: 0.1, format: two },
  weight: { label: "Weight between layers", low: 0.1, high: 3, step: 0.1, format: two },
  layers: { label: "Layers", low: 1, high: 30, whole: true, step: 1 },
  loss: { label: "Loss", options: labels(LOSSES) },
  prediction: { label: "Prediction", low: -4, high: 4, step: 0.1, format: two },
  target: { label: "Target", low: -4, high: 4, step: 0.1, format: two },
  true_class: { label: "True class", options: { 0: "class 0", 1: "class 1" } },
};
const PAGE = `
  <div class="dl-row">${["view", "activation", "loss", "true_class"].map((key) => select(key, FIELDS[key])).join("")}
    <button type="button" class="dl-reset">Reset</button></div>
  <div class="dl-sliders">${["z", "weight", "layers", "prediction", "target"].map((key) => slider(key, FIELDS[key])).join("")}</div>
  <div class="dl-panes">
    <div class="dl-pane dl-first" tabindex="0" role="group" aria-label="Function. Drag sideways, or use the arrow keys, to move the input.">
      <svg aria-hidden="true"></svg></div>
    <div class="dl-pane dl-second"><svg aria-hidden="true"></svg></div></div>
  <p class="dl-says"></p>`;
const SHOWN = { activation: ["activation", "z", "weight", "layers"], loss: ["loss", "prediction"] };

function render({ model, el }) {
  let first;
  const [cold, warm] = LOOKS;
  const curve = (area, points, { color, dash }) =>
    `<path class="dl-curve" style="stroke:${color}" stroke-dasharray="${dash}" d="${line(area, points)}"/>`;
  const dot = (area, x, y, { color, mark }) => `<path d="${mark(area.X(x), area.Y(y), 6)}" style="fill:${color};stroke:var(--fig-ground)"/>`;
  const inside = (area, markup) => `${area.markup}<g clip-path="url(#${area.clip})">${markup}</g>`;
  const legend = (area, names) => names.map(([name, { color, dash }], i) =>
    `<path class="dl-curve" style="stroke:${color}" stroke-dasharray="${dash}" d="M${area.left + 10} ${area.top + 14 + 19 * i}h26"/>
    <text style="paint-order: stroke; stroke: var(--fig-wash); stroke-width: 4px" x="${area.left + 42}" y="${area.top + 18 + 19 * i}">${name}</text>`).join("");

  function activation({ z, weight, layers, activation: name }, width, height) {
    const [label, formula, f, slope] = ACTIVATIONS[name], xs = spread(-6, 6, 240);
    const bounded = ["sigmoid", "tanh"].includes(name);
    first = axes({ x: [-6, 6], y: bounded ? [-1.2, 1.8] : [-1.2, 4], width, height, xName: "input z (shaded: slope &lt; 0.05)" });
    // Where the slope is below a twentieth, next to nothing is learned: a wash marks it.
    const flat = xs.slice(1).filter((x) => abs(slope(x)) < 0.05)
      .map((x) => `M${first.X(x - 0.05)} ${first.top}V${first.bottom}H${first.X(x) + 0.5}V${first.top}Z`).join("");
    const left = inside(first, `<path d="${flat}" fill="var(--fig-grad-wash)"/>${curve(first, xs.map((x) => [x, f(x)]), cold)}${
      curve(first, xs.map((x) => [x, slope(x)]), warm)}
      <path class="dl-grid" style="stroke:var(--fig-text)" stroke-dasharray="3 3" d="M${first.X(z)} ${first.top}V${first.bottom}"/>
      ${dot(first, z, f(z), cold)}${dot(first, z, slope(z), warm)}`) + legend(first, [[`${label}: ${formula}`, cold], ["its derivative", warm]]);

    const gradients = chain(name, z, weight, layers);
    const area = axes({ x: [0, layers + 1], y: [1e-9, 1e6], log: true, width, height, xName: "layer", yName: "gradient that reaches it", left: 52 });
    const bar = (area.right - area.left) / (layers + 1) * 0.6;
    const right = inside(area, gradients.map((g, k) => {
      const y = area.Y(abs(g)), one = area.Y(1), x = area.X(k + 1) - bar / 2;
      return g ? `<rect x="${x}" width="${bar}" y="${Math.min(y, one)}" height="${max(1.5, abs(one - y))}" fill="${warm.color}" fill-opacity="0.85"/>` : "";
    }).join("") + `<path class="dl-grid" style="stroke:var(--fig-text);stroke-width:1.5" d="M${area.left} ${area.Y(1)}H${area.right}"/>`);
    const whole = gradients[0];
    const verdict = whole === 0 ? "nothing reaches the first layer: it cannot learn" : `${show(whole)} reaches the first layer${
      abs(whole) < 1e-3 ? ": it hardly learns" : abs(whole) > 1e3 ? ": it explodes" : ""}`;
    return [left, right, `${label}(${show(z)}) = ${show(f(z))}, its derivative is ${show(slope(z))}${
      abs(slope(z)) < 0.05 ? " (saturated)" : ""}. Of a gradient of 1 at the output of ${layers} ${layers > 1 ? "layers" : "layer"} with weight ${show(weight)}, ${verdict}.`];
  }

  function loss({ loss: name, prediction, target, true_class: trueClass }, width, height) {
    const [label] = LOSSES[name], xs = spread(-4, 4, 240), both = (p) => judge(name, p, target, trueClass);
    const [value, slope] = both(prediction), aim = CLASSIFY.includes(name) ? null : target;
    const goal = (area) => (aim === null ? "" : `<path stroke="var(--fig-text)" stroke-dasharray="3 3" d="M${area.X(aim)} ${area.top}V${area.bottom}"/>`);
    const xName = aim === null ? "score for class 1" : "prediction";
    first = axes({ x: [-4, 4], y: [0, 8], width, height, xName, yName: "loss" });
    const left = inside(first, goal(first) + curve(first, xs.map((p) => [p, both(p)[0]]), cold) + dot(first, prediction, value, cold));
    const area = axes({ x: [-4, 4], y: [-4, 4], width, height, xName, yName: "its derivative" });
    const right = inside(area, goal(area) + curve(area, xs.map((p) => [p, both(p)[1]]), warm) + dot(area, prediction, slope, warm));
    return [left, right, `${label}, ${aim === null ? `score ${show(prediction)} for a case of class ${trueClass}`
      : `prediction ${show(prediction)} for the target ${show(target)}`}: the loss is ${show(value)}, its derivative ${show(slope)}${
      slope === 0 ? ": nothing is left to learn" : `, so descent ${slope > 0 ? "lowers" : "raises"} the prediction`}.`];
  }

  function draw({ state, find, root, say }) {
    const shown = [...SHOWN[state.view], "view"];
    if (state.view === "loss") shown.push(CLASSIFY.includes(state.loss) ? "true_class" : "target");
    for (const control of root.querySelectorAll("[data-key]")) {
      control.closest("label").hidden = !shown.includes(control.dataset.key);
    }
    const width = find(".dl-first").clientWidth, height = Math.min(300, Math.round(width * 0.85));
    const [left, right, text] = (state.view === "loss" ? loss : activation)(state, width, height);
    for (const [selector, markup] of [[".dl-first svg", left], [".dl-second svg", right]]) {
      const svg = find(selector);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.innerHTML = markup;
    }
    say(text);
  }

  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw });
  const { state, find, set } = figure;
  const input = () => (state.view === "loss" ? "prediction" : "z");
  const move = (value) => {
    const { low, high } = FIELDS[input()];
    set({ [input()]: Number(clamp(value, low, high).toFixed(2)) });
  };
  drag(find(".dl-first"), (x) => (abs(first.X(state[input()]) - x) < 30 ? true : undefined), (held, x) => move(first.fromX(x)));
  arrows(find(".dl-first"), (dx) => move(state[input()] + dx / 10));
  return figure.destroy;
}

export default { render };
