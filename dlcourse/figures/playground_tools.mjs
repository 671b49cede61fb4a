// Tools of the playground, which it loads when a reader first takes one: the editor of a neuron's
// weights, the pen for own points, the quizzes, and Python code that repeats the run.

import { FEATURES, INPUTS, button,  isRegression, layersOf, nameOf, need, option, percent, points, textOf, times } from "./playground.mjs";

// What a figure starts from.
const DEFAULTS = { data: "circle", classes: 2, noise: 0.1, train: 0.5, batch: 10, seed: 1,
  features: ["x1", "x2"], hidden: [4, 2], activation: "tanh", optimizer: "SGD", rate: 0.1,
  regularization: "none", penalty: 0.001, points: "", weights: "", step: 0, show_test: false,
  discrete: false, quiz: "" };

// Own points and weights come as text: throws unless it is good.

const NUMBER = "-?\\d{1,9}(\\.\\d{1,9})?", POINT = `${NUMBER}_${NUMBER}_\\d`;
export function checkTexts(s) {
  const { points: own, weights, classes } = s;
  need(s, typeof own === "string", "points", "text such as 1.5_-2_0~3_1_1");
  if (own || s.data === "own") {
    need(s, own.length <= 15000 && own.split("~").length <= 500, "points", "at most 500", "too many");
    need(s, RegExp(`^${POINT}(~${POINT})+$`).test(own), "points", "two or more, as text such as 1.5_-2_0~3_1_1");
    for (const [x, y, k] of points({ data: "own", points: own })) {
      need(s, Math.abs(x) <= 6 && Math.abs(y) <= 6 && k < classes, "points",
        `x and y from -6 to 6 and a class below ${classes}`, `${x}_${y}_${k}`);
    }
  }
  if (weights === "") return;
  need(s, typeof weights === "string" && RegExp(`^${NUMBER}(_${NUMBER})*$`).test(weights), "weights", "text such as 0.5_-1.25");
  const count = layersOf(s).at(-1).end, came = weights.split("_").length;
  need(s, came === count, "weights", `${count} for this network`, came);
}

// Weights: a neuron is opened, a number is moved, and the neuron is closed.

export function edit(figure, unit, w) {
  const { s, root } = figure, [l, j] = unit, { n, w: start, b } = layersOf(s)[l - 1];
  close(figure);
  figure.selected = unit;
  root.querySelector(`button[data-unit="${l}:${j}"]`).ariaCurrent = "true";
  root.querySelector(".dl-columns").insertAdjacentHTML("afterend", `<div class="dl-edit"><b>Weights of ${nameOf(s, l, j)}</b>${
    button("close", "Close")}${times(n + 1, (i) => {
    const name = i === n ? "bias" : l > 1 ? `neuron ${i + 1}` : FEATURES[s.features[i]];
    const more = `aria-label="${name}" data-w="${i < n ? start + j * n + i : b + j}"`;
    return `<div><span>${name}</span><input type="number" step="0.1" ${more}><input type="range" min="-5" max="5" step="0.05" ${more}></div>`;
  })}</div>`);
  root.querySelector(".dl-edit").addEventListener("input", ({ target }) => weigh(figure, target));
  root.onkeydown = ({ key }) => {
    if (key === "Escape" && figure.selected) close(figure);
  };
  figure.paint();
  if (w) root.querySelector(`.dl-edit [data-w="${w}"]`).focus();
}
function weigh({ root, frame, tell, change }, input) {
  const { value, dataset: { w } } = input, params = frame.params.slice();
  params[w] = value.trim() ? Number(value) : NaN;
  input.ariaInvalid = !(Math.abs(params[w]) < 1e9);
  if (input.ariaInvalid === "true") return tell("Expected a number, such as 0.5.");
  for (const twin of root.querySelectorAll(`.dl-edit [data-w="${w}"]`)) if (twin !== input) twin.value = value;
  change({ weights: textOf(params) });
}
export function close(figure) {
  const unit = figure.root.querySelector("[aria-current]");
  figure.selected = null;
  figure.root.querySelector(".dl-edit")?.remove();
  unit?.removeAttribute("aria-current");
  unit?.focus();
  figure.paint();
}

// Own points: a click on the plane draws one or, with the eraser, takes the nearest away. The keyboard
// moves a cross and draws there.

const TWO_POINTS = "-2_0_0~2_0_1";
export const own = ({ change }) => change({ data: "own", points: TWO_POINTS, train: 1 });
export const clear = ({ change }) => change({ points: TWO_POINTS });
export function pen(figure) {
  const { s, root } = figure, plane = root.querySelector(".dl-plane");
  if (!root.elements.pen) {
    plane.insertAdjacentHTML("beforeend", `<svg class="dl-own dl-aim" viewBox="-6 -6 12 12" tabindex="0" role="group"
      aria-label="Arrow keys move the cross, Enter draws a point."><path d="M-.4 0h.8M0-.4v.8"/></svg>`);
    plane.insertAdjacentHTML("afterend", `<div class="dl-own dl-bar"><select aria-label="What a click draws" name="pen">${
      times(4, (k) => option(k, `class ${k + 1}`))}${option("", "eraser")}</select>${button("clear", "Clear")}</div>`);
    aim(figure, plane.lastChild);
  }
  for (const choice of root.elements.pen) choice.disabled = choice.value >= s.classes;
}
function aim(figure, sheet) {
  let cross = [0, 0];
  sheet.addEventListener("click", ({ clientX, clientY }) => {
    const { left, top, width } = sheet.getBoundingClientRect();
    put(figure, 12 * (clientX - left) / width - 6, 6 - 12 * (clientY - top) / width);
  });
  sheet.addEventListener("keydown", (event) => {
    const [x, y] = { ArrowRight: [0.5, 0], ArrowLeft: [-0.5, 0], ArrowUp: [0, 0.5], ArrowDown: [0, -0.5], Enter: [0, 0], " ": [0, 0] }[event.key] ?? [];
    if (x === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (!x && !y) put(figure, ...cross);
    cross = [cross[0] + x, cross[1] + y].map((at) => Math.max(-5.5, Math.min(5.5, at)));
    sheet.firstChild.setAttribute("transform", `translate(${cross[0]} ${-cross[1]})`);
  });
}
function put({ s, root, change }, x, y) {
  const all = points(s), far = ([a, b]) => Math.hypot(a - x, b - y), round = (at) => Math.round(10 * at) / 10;
  const kind = root.elements.pen.value;
  if (kind) all.push([x, y, kind]);
  else all.splice(all.findIndex((point) => far(point) === Math.min(...all.map(far))), 1);
  change({ points: all.map(([a, b, k]) => [round(a), round(b), k].join("_")).join("~") });
}

// Quizzes: what one sets, what it asks for, and its limits: neurons, whether x₁ and x₂ alone, no steps.

const CLOUDS = [[3, 3, 0], [-3, 3, 1], [-3, -3, 0], [3, -3, 1]].flatMap(([x, y, k]) =>
  [0, 1, 2, 3, 4].map((i) => `${x + [0, 1, -0.5, -1, 0.5][i]}_${y + [0, 0.5, 1, -0.5, -1][i]}_${k}`)).join("~");
const QUIZZES = {
  two: [{ data: "own", points: CLOUDS, train: 1, hidden: [1] },
    "One neuron draws one line. Separate the four clouds with two.", 2, true],
  three: [{ noise: 0, hidden: [1] }, "Fence in the disc with at most three neurons.", 3, true],
  input: [{ data: "xor", hidden: [] }, "Separate the quadrants without a hidden neuron: choose what goes in.", 0],
  hand: [{ data: "gauss", hidden: [] },
    "Separate the clouds without a step of training: open the neuron at the right and set its weights.", 0, true, true],
  spiral: [{ data: "spiral", noise: 0, hidden: [4] },
    "Unwind the spirals with at most 16 neurons; all else is allowed.", 16],
};
export const pose = ({ s, go }, quiz) => go({ ...s, ...DEFAULTS, ...QUIZZES[quiz][0], quiz });
// Shows the task and what is lacking, and stops a run that has solved it.
export function judge({ s, frame, root, run }, before) {
  const [, task, most, only, still] = QUIZZES[s.quiz];
  const neurons = s.hidden.reduce((sum, size) => sum + size, 0), right = Math.min(...frame.results.map((set) => set.right));
  const lacks = [right < 0.95 && `${percent(right)} right, 95 % wanted`, neurons > most && `${neurons} neurons, at most ${most}`,
    only && s.features.join() !== "x1,x2" && "x₁ and x₂ alone", still && s.step && "no steps"].filter(Boolean).join("; ");
  root.querySelector(".dl-quiz").textContent = `${task} ${lacks ? `Still: ${lacks}.` : "Solved!"}`;
  if (!lacks && !before?.solved) run(false);
  return { solved: !lacks, still: still && "This quiz is solved by hand, without a step." };
}

// Python that repeats the run, with dlcourse or with PyTorch alone.

export async function copy({ s, root, tell }, { torch }) {
  if (!root.elements.code) {
    root.insertAdjacentHTML("beforeend", `<textarea name="code" readonly aria-label="Python code" rows="12" spellcheck="false"></textarea>`);
  }
  const area = root.elements.code;
  area.value = code(s, torch);
  area.select();
  tell("This code repeats the run. It is selected: copy it.");
  await navigator.clipboard.writeText(area.value).then(() => tell("Copied: this code repeats the run."), () => {});
}
const SETS = {
  circle: `k = i % K
radius = uniform((5 * k + (2 if k else 0)) / K, 5 * (k + 1) / K)
angle = uniform(0, 2 * math.pi)
x, y = radius * math.cos(angle), radius * math.sin(angle)`,
  xor: `x, y = uniform(-5, 5), uniform(-5, 5)
k = ((0 if y > 0 else 3) if x > 0 else (1 if y > 0 else 2)) % K
x, y = x + math.copysign(0.3, x), y + math.copysign(0.3, y)`,
  gauss: `k = i % K
place = math.pi / 4 + 2 * math.pi * k / K
radius, angle = 0.8 * math.sqrt(-2 * math.log(uniform(0, 1))), uniform(0, 2 * math.pi)
x = 2.8 * math.cos(place) + radius * math.cos(angle)
y = 2.8 * math.sin(place) + radius * math.sin(angle)`,
  spiral: `k, t = i % K, i / 400
angle = 2 * math.pi * (3.5 * t + k) / K
x, y = 5 * t * math.cos(angle), 5 * t * math.sin(angle)`,
  plane: `x, y = uniform(-6, 6), uniform(-6, 6)
value = (x + y) / 12`,
  bumps: `x, y = uniform(-6, 6), uniform(-6, 6)
value = 0.0
for row in (-1, 1):
    for column in (-1, 0, 1):
        distance = math.sqrt((x - 4 * column) ** 2 + (y - 2.5 * row) ** 2)
        value += row * (1 if column else -1) * max(0, 1 - distance / 2)`,
};
const FORMULAS = ["x", "y", "x * x", "y * y", "x * y", "math.sin(x)", "math.sin(y)"];
const STARTS = ["data", "classes", "noise", "train", "batch", "seed", "features", "hidden", "points", "weights"];

export function code(s, torch) {
  const indent = (text) => text.replace(/^(?=.)/gm, "    "), list = (text) => text.replaceAll("_", ", ");
  const layers = layersOf(s), K = layers.at(-1).m, regression = isRegression(s);
  const between = { relu: ", nn.ReLU()", tanh: ", nn.Tanh()", sigmoid: ", nn.Sigmoid()", linear: "" }[s.activation];
  const net = layers.map(({ n, m }, i) =>
    `    nn.Linear(${n}, ${m})${i < layers.length - 1 ? between : ""},\n`).join("");
  const momentum = { Momentum: ", momentum=0.9", Nesterov: ", momentum=0.9, nesterov=True" }[s.optimizer] ?? "";
  const loss = regression ? "mse_loss" : K > 1 ? "cross_entropy" : "binary_cross_entropy_with_logits";
  const size = { L1: torch ? "p.abs()" : "ops.abs(p)", L2: "(p**2)" }[s.regularization];
  const penalty = size ? `    loss = loss + ${s.penalty}${s.regularization === "L2" ? " / 2" : ""} * sum(${
    size}.sum() for p in model.parameters() if len(p.shape) == 2)\n` : "";
  const steps = s.step || 500;
  const model = `model = nn.Sequential(\n${net})\n`;
  const optimizer = `optimizer = ${torch ? "torch." : ""}optim.${momentum ? "SGD" : s.optimizer
  }(model.parameters(), lr=${s.rate}${momentum})\n`;
  const test = s.data === "own" && s.train === 1 ? "" : "\n    print(\"test loss\", loss_of(x_test, t_test).item())";
  const loop = (over) => `
def loss_of(x, t):
    return ${torch ? "F" : "losses"}.${loss}(model(${torch ? "x" : "Tensor(x)"}), t)


for batch in ${over}:
    loss = loss_of(x[batch], t[batch])
${penalty}    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with ${torch ? "torch." : ""}no_grad():
    print("training loss", loss_of(x, t).item())${test}
`;
  if (!torch) {
    const given = STARTS.filter((key) => JSON.stringify(s[key]) !== JSON.stringify(DEFAULTS[key]) && (key !== "points" || s.data === "own"))
      .map((key) => `    ${key}=${JSON.stringify(s[key])},\n`).join("");
    return `from dlcourse import optim
from dlcourse.autograd import Tensor, losses, nn, no_grad${s.regularization === "L1" ? ", ops" : ""}
from dlcourse.figures import playground

# Data, first weights and batches are the figure's: all of them follow from the seed.
settings = playground.settings(${given && `\n${given}`})
x, t, x_test, t_test = playground.examples(settings)

${model}for parameter, start in zip(model.parameters(), playground.weights(settings)):
    parameter.data = start
${optimizer}
${loop(`playground.batches(settings, steps=${steps})`)}`;
  }
  const noisy = regression ? "points.append((x, y, value + uniform(-1, 1) * noise))"
    : "points.append((x + uniform(-4, 4) * noise, y + uniform(-4, 4) * noise, k))";
  const made = s.data === "own" ? `points = [  # x, y, class
${s.points.split("~").map((point) => `    (${list(point)}),\n`).join("")}]
` : `points, ${regression ? "" : `K, `}noise = [], ${regression ? "" : `${s.classes}, `}${s.noise}
uniform = random(stream=0)
for i in range(400):
${indent(SETS[s.data])}
    ${noisy}
shuffle(points, uniform)
`;
  const weights = s.weights ? `weights = [${s.weights.split("_").map((w, i) =>
    (i % 10 ? " " : "\n    ") + w).join(",")},\n]
` : `weights, uniform = [], random(stream=1)
for layer in model:
    if isinstance(layer, nn.Linear):
        m, n = layer.weight.shape
        weights += [uniform(-1, 1) * math.sqrt(6 / (n + m)) for _ in range(m * n)] + [0.0] * m
`;
  return `import math

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)


def random(stream, seed=${s.seed}):
    """uniform(low, high) that gives the figure's own numbers: xorshift (Marsaglia, 2003)."""
    state = 2654435769 * (3 * seed + stream + 1) % 2**32

    def uniform(low, high):
        nonlocal state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        return low + (high - low) * (state / 2**32)

    return uniform


def shuffle(items, uniform):
    for i in range(len(items) - 1, 0, -1):
        j = int(uniform(0, 1) * (i + 1))
        items[i], items[j] = items[j], items[i]


${made}
inputs = torch.tensor([[${s.features.map((name) => FORMULAS[INPUTS.indexOf(name)]).join(", ")}] for x, y, _ in points])
targets = torch.tensor([${K > 1 ? "k" : "[float(k)]"} for _, _, k in points])
cut = max(1, math.floor(len(points) * ${s.train} + 0.5))
x, t, x_test, t_test = inputs[:cut], targets[:cut], inputs[cut:], targets[cut:]

${model}${weights}nn.utils.vector_to_parameters(torch.tensor(weights), model.parameters())
${optimizer}

def batches(steps, size=${s.batch}):
    order, uniform = list(range(cut)), random(stream=2)
    while True:
        shuffle(order, uniform)
        for start in range(0, cut, size):
            if not steps:
                return
            yield order[start : start + size]
            steps -= 1

${loop(`batches(steps=${steps})`)}`;
}
