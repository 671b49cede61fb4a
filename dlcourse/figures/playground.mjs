// A small network that learns in the page: data, neurons, weights and loss, step by step, after the
// TensorFlow Playground (Smilkov et al., 2017). playground.py is its twin: same data, same first
// weights, same batches, same numbers.

const DEFAULTS = { data: "circle", classes: 2, noise: 0.1, train: 0.5, batch: 10, seed: 1,
  features: ["x1", "x2"], hidden: [4, 2], activation: "tanh", optimizer: "SGD", rate: 0.1,
  regularization: "none", penalty: 0.001, points: "", weights: "", step: 0, show_test: false,
  discrete: false, quiz: "" };
const KEYS = Object.keys(DEFAULTS);
const FEATURES = { x1: "x₁", x2: "x₂", "x1^2": "x₁²", "x2^2": "x₂²", x1x2: "x₁x₂", "sin x1": "sin x₁", "sin x2": "sin x₂" };
const INPUTS = Object.keys(FEATURES);
const DATA = { circle: "Circle", xor: "Quadrants", gauss: "Clouds", spiral: "Spiral", plane: "Plane (values)",
  bumps: "Bumps (values)", own: "Your own points" };
const CLOUDS = [[3, 3, 0], [-3, 3, 1], [-3, -3, 0], [3, -3, 1]].flatMap(([x, y, k]) =>
  [0, 1, 2, 3, 4].map((i) => `${x + [0, 1, -0.5, -1, 0.5][i]}_${y + [0, 0.5, 1, -0.5, -1][i]}_${k}`)).join("~");
// Name, what it sets, what it asks for, and its limits: neurons, whether x₁ and x₂ alone, no steps.
const QUIZZES = {
  "": ["none"],
  two: ["Two neurons", { data: "own", points: CLOUDS, train: 1, hidden: [1] },
    "One neuron draws one line. Separate the four clouds with two.", 2, true],
  three: ["Three neurons", { noise: 0, hidden: [1] }, "Fence in the disc with at most three neurons.", 3, true],
  input: ["No neuron", { data: "xor", hidden: [] }, "Separate the quadrants without a hidden neuron: choose what goes in.", 0],
  hand: ["By hand", { data: "gauss", hidden: [] },
    "Separate the clouds without a step of training: open the neuron at the right and set its weights.", 0, true, true],
  spiral: ["The spiral", { data: "spiral", noise: 0, hidden: [4] },
    "Unwind the spirals with at most 16 neurons; all else is allowed.", 16],
};
const CHOICES = { data: Object.keys(DATA), activation: ["relu", "tanh", "sigmoid", "linear"],
  optimizer: ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"], regularization: ["none", "L1", "L2"],
  quiz: Object.keys(QUIZZES), show_test: [false, true], discrete: [false, true] };
const RANGES = { classes: [2, 4, 1], noise: [0, 0.5], train: [0.1, 1], batch: [1, 50, 1], seed: [0, 999999, 1],
  rate: [0.0001, 10], penalty: [0, 10], step: [0, 100000, 1] };
const NUMBER = "-?\\d{1,9}(\\.\\d{1,9})?", POINT = `${NUMBER}_${NUMBER}_\\d`;

// All that is computed. The function stands on its own, because a worker is made of its text.
export function engine() {
  const { PI, sqrt, sin, cos, log, exp, floor, max, abs } = Math;
  const COUNT = 400, GRID = 64;
  const inputOf = { x1: (x) => x, x2: (x, y) => y, "x1^2": (x) => x * x, "x2^2": (x, y) => y * y,
    x1x2: (x, y) => x * y, "sin x1": (x) => sin(x), "sin x2": (x, y) => sin(y) };
  const isRegression = ({ data }) => data === "plane" || data === "bumps";

  // Numbers from 0 to 1 that are the same in Python: xorshift (Marsaglia, 2003).
  function random(seed, stream) {
    let x = Math.imul(2654435769, 3 * seed + stream + 1);
    return () => {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      return (x >>> 0) / 2 ** 32;
    };
  }
  function shuffle(items, next) {
    for (let i = items.length - 1; i > 0; i -= 1) {
      const j = floor(next() * (i + 1));
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  // The data set as [x, y, target], those for training first.
  function points(s) {
    if (s.data === "own") return s.points.split("~").map((point) => point.split("_").map(Number));
    const next = random(s.seed, 0), K = s.classes;
    const uniform = (low, high) => low + (high - low) * next();
    const draw = {
      circle(k) {
        const radius = uniform((5 * k + (k ? 2 : 0)) / K, (5 * (k + 1)) / K), angle = uniform(0, 2 * PI);
        return [radius * cos(angle), radius * sin(angle), k];
      },
      xor() {
        const x = uniform(-5, 5), y = uniform(-5, 5), quadrant = x > 0 ? (y > 0 ? 0 : 3) : y > 0 ? 1 : 2;
        return [x + (x < 0 ? -0.3 : 0.3), y + (y < 0 ? -0.3 : 0.3), quadrant % K];
      },
      gauss(k) {
        const place = PI / 4 + (2 * PI * k) / K, radius = 0.8 * sqrt(-2 * log(next())), angle = uniform(0, 2 * PI);
        return [2.8 * cos(place) + radius * cos(angle), 2.8 * sin(place) + radius * sin(angle), k];
      },
      spiral(k, t) {
        const angle = (2 * PI * (3.5 * t + k)) / K;
        return [5 * t * cos(angle), 5 * t * sin(angle), k];
      },
      plane() {
        const x = uniform(-6, 6), y = uniform(-6, 6);
        return [x, y, (x + y) / 12];
      },
      bumps() {
        const x = uniform(-6, 6), y = uniform(-6, 6);
        let value = 0;
        for (const row of [-1, 1]) {
          for (const column of [-1, 0, 1]) {
            const distance = sqrt((x - 4 * column) ** 2 + (y - 2.5 * row) ** 2);
            value += row * (column ? 1 : -1) * max(0, 1 - distance / 2);
          }
        }
        return [x, y, value];
      },
    }[s.data];
    const all = [];
    for (let i = 0; i < COUNT; i += 1) {
      const [x, y, target] = draw(i % K, i / COUNT);
      all.push(isRegression(s) ? [x, y, target + uniform(-1, 1) * s.noise]
        : [x + uniform(-4, 4) * s.noise, y + uniform(-4, 4) * s.noise, target]);
    }
    return shuffle(all, next);
  }

  // n inputs and m outputs of each layer, and where its weights (m, n) and biases stand among all.
  function layersOf(s) {
    const outputs = isRegression(s) || s.classes === 2 ? 1 : s.classes;
    const sizes = [s.features.length, ...s.hidden, outputs];
    let w = 0;
    return sizes.slice(1).map((m, i) => {
      const n = sizes[i], layer = { n, m, w, b: w + n * m, end: w + n * m + m };
      w = layer.end;
      return layer;
    });
  }

  function start(s) {
    const all = points(s), cut = max(1, floor(all.length * s.train + 0.5)), layers = layersOf(s);
    const inputs = (x, y) => Float64Array.from(s.features, (name) => inputOf[name](x, y));
    const examples = all.map(([x, y, target]) => [inputs(x, y), target]);
    const training = examples.slice(0, cut), tests = examples.slice(cut);
    const K = layers.at(-1).m, last = layers.length - 1, regression = isRegression(s);

    const next = random(s.seed, 1);
    const P = Float64Array.from(s.weights ? s.weights.split("_").map(Number) : layers.flatMap(({ n, m }) => [
      ...Array.from({ length: n * m }, () => (2 * next() - 1) * sqrt(6 / (n + m))), ...Array(m).fill(0)]));
    const [G, U, V] = [1, 2, 3].map(() => new Float64Array(P.length));
    const values = layers.map(({ m }) => new Float64Array(m)), errors = layers.map(({ m }) => new Float64Array(m));
    const [activate, slope] = {
      relu: [(z) => (z > 0 ? z : 0), (a) => (a > 0 ? 1 : 0)],
      tanh: [Math.tanh, (a) => 1 - a * a],
      sigmoid: [(z) => 1 / (1 + exp(-z)), (a) => a * (1 - a)],
      linear: [(z) => z, () => 1],
    }[s.activation];

    function forward(x) {
      for (let l = 0; l <= last; l += 1) {
        const { n, m, w, b } = layers[l], out = values[l];
        for (let j = 0; j < m; j += 1) {
          let z = P[b + j];
          for (let i = 0, at = w + j * n; i < n; i += 1) z += P[at + i] * x[i];
          out[j] = l < last ? activate(z) : z;
        }
        x = out;
      }
      return x;
    }
    // The loss of scores z; their derivatives go into the last layer's errors.
    function lossOf(z, target) {
      const error = errors[last];
      if (regression) {
        error[0] = 2 * (z[0] - target);
        return (z[0] - target) ** 2;
      }
      if (K === 1) {
        error[0] = 1 / (1 + exp(-z[0])) - target;
        return max(z[0], 0) - z[0] * target + Math.log1p(exp(-abs(z[0])));
      }
      const top = max(...z);
      let sum = 0;
      for (let k = 0; k < K; k += 1) sum += error[k] = exp(z[k] - top);
      for (let k = 0; k < K; k += 1) error[k] = error[k] / sum - (k === target);
      return top + log(sum) - z[target];
    }
    function backward(x, share) {
      for (let l = last; l >= 0; l -= 1) {
        const { n, m, w, b } = layers[l], from = l ? values[l - 1] : x, error = errors[l], sent = errors[l - 1];
        if (l) sent.fill(0);
        for (let j = 0; j < m; j += 1) {
          const e = error[j];
          G[b + j] += e * share;
          for (let i = 0, at = w + j * n; i < n; i += 1) {
            G[at + i] += e * from[i] * share;
            if (l) sent[i] += e * P[at + i];
          }
        }
        if (l) for (let i = 0; i < n; i += 1) sent[i] *= slope(from[i]);
      }
    }

    let steps = 0, left1 = 1, left2 = 1; // left: 0.9 and 0.999 to the power of the steps, for Adam
    const direction = {
      SGD: (g) => g,
      Momentum: (g, i) => (U[i] = 0.9 * U[i] + g),
      Nesterov: (g, i) => g + 0.9 * (U[i] = 0.9 * U[i] + g),
      Adagrad: (g, i) => g / (sqrt(V[i] += g * g) + 1e-10),
      RMSprop: (g, i) => g / (sqrt(V[i] = 0.99 * V[i] + (1 - 0.99) * g * g) + 1e-8),
      Adam(g, i) {
        U[i] = 0.9 * U[i] + (1 - 0.9) * g;
        V[i] = 0.999 * V[i] + (1 - 0.999) * g * g;
        return U[i] / (1 - left1) / (sqrt(V[i] / (1 - left2)) + 1e-8);
      },
    }[s.optimizer];
    const pull = { none: () => 0, L1: (p) => s.penalty * Math.sign(p), L2: (p) => s.penalty * p }[s.regularization];
    const order = training.map((_, i) => i), nextBatch = random(s.seed, 2);
    let at = cut;

    function step() {
      if (at >= cut) {
        shuffle(order, nextBatch);
        at = 0;
      }
      const end = Math.min(at + s.batch, cut), share = 1 / (end - at);
      G.fill(0);
      for (; at < end; at += 1) {
        const [x, target] = training[order[at]];
        lossOf(forward(x), target);
        backward(x, share);
      }
      steps += 1;
      left1 *= 0.9;
      left2 *= 0.999;
      for (const { w, b, end } of layers) {
        for (let i = w; i < b; i += 1) P[i] -= s.rate * direction(G[i] + pull(P[i]), i);
        for (let i = b; i < end; i += 1) P[i] -= s.rate * direction(G[i], i);
      }
      if (at === cut) record();
    }
    // Mean loss and share of right answers.
    function measure(set) {
      let loss = 0, right = 0;
      for (const [x, target] of set) {
        const z = forward(x);
        loss += lossOf(z, target);
        right += K === 1 ? z[0] > 0 === target > 0 : z.indexOf(max(...z)) === target;
      }
      return set.length ? { loss: loss / set.length, right: right / set.length, count: set.length } : null;
    }

    // What each input and neuron answers all over the plane, from 0 for -1 to 255 for 1; outputs are
    // probabilities from 0 to 1, or values.
    const plane = Array.from({ length: GRID * GRID }, (_, i) =>
      [(i % GRID) + 0.5, GRID - floor(i / GRID) - 0.5].map((at) => (12 * at) / GRID - 6));
    const picture = () => new Uint8ClampedArray(GRID * GRID);
    const given = Object.values(inputOf).map((input) => picture().map((_, i) => 127.5 + 127.5 * input(...plane[i])));
    const placed = plane.map(([x, y]) => inputs(x, y));
    function surfaces() {
      const made = layers.map(({ m }) => Array.from({ length: m }, picture));
      placed.forEach((x, i) => {
        const z = forward(x);
        if (!regression) lossOf(z, 0); // whose derivative is the probability, less 1 for class 0 of many
        made.forEach((layer, l) => layer.forEach((surface, j) => {
          surface[i] = l < last || regression ? 127.5 + 127.5 * values[l][j] : 255 * (errors[l][j] + (K > 1 && j === 0));
        }));
      });
      return [given, ...made];
    }

    let history = [];
    function record() { // once an epoch
      history.push([steps, measure(training).loss, measure(tests)?.loss]);
      if (history.length > 300) history = history.filter((_, i) => i % 2 === 0);
    }
    const frame = () => ({ step: steps, perEpoch: Math.ceil(cut / s.batch), train: measure(training), test: measure(tests),
      params: P.slice(), surfaces: surfaces(), history });
    record();
    return { step, frame };
  }

  // A message opens a run, or goes on with it for some steps; an answer comes within about 12 ms.
  let run;
  function handle({ id, settings, steps }) {
    if (settings) run = start(settings);
    const end = performance.now() + 12;
    let left = steps;
    for (; left > 0 && performance.now() < end; left -= 1) run.step();
    return { id, left, ...run.frame() };
  }
  return { points, layersOf, isRegression, start, handle, GRID };
}

const { points, layersOf, isRegression, GRID } = engine();

// Throws unless all settings are there and fit together, in Python's words.
function show(value) {
  const text = JSON.stringify(value);
  return text.length > 30 ? `${text.slice(0, 30)}…` : text;
}
export function check(s) {
  function need(good, key, wanted, came = `${show(s[key])} came; `) {
    if (!good) throw new Error(`${key}: ${came}expected ${wanted}`);
  }
  const fits = (value, [low, high, whole]) => Number.isFinite(value) && value >= low && value <= high
    && !(whole && value % 1);
  for (const key of KEYS) need(s[key] !== undefined, key, "the complete settings", "nothing came; ");
  for (const [key, all] of Object.entries(CHOICES)) need(all.includes(s[key]), key, `one of ${all.map(show).join(", ")}`);
  for (const [key, [low, high, whole]] of Object.entries(RANGES)) {
    need(fits(s[key], RANGES[key]), key, `${whole ? "a whole number" : "a number"} from ${low} to ${high}`);
  }
  const { features, hidden, points: own, weights, classes } = s, isList = Array.isArray;
  need(isList(features) && features.length && features.every((name) => INPUTS.includes(name))
    && new Set(features).size === features.length, "features", `one or more of ${INPUTS.join(", ")}`);
  need(isList(hidden) && hidden.length < 7 && hidden.every((size) => fits(size, [1, 8, 1])),
    "hidden", "up to six whole numbers from 1 to 8");
  need(typeof own === "string", "points", "text such as 1.5_-2_0~3_1_1");
  if (own || s.data === "own") {
    need(own.length <= 15000 && own.split("~").length <= 500, "points", "at most 500", "too many came; ");
    need(RegExp(`^${POINT}(~${POINT})+$`).test(own), "points", "two or more, as text such as 1.5_-2_0~3_1_1");
    for (const point of own.split("~")) {
      const [x, y, k] = point.split("_");
      need(Math.abs(x) <= 6 && Math.abs(y) <= 6 && k < classes, "points",
        `x and y from -6 to 6 and a class below ${classes}`, `${point} came; `);
    }
  }
  need(weights === "" || typeof weights === "string" && RegExp(`^${NUMBER}(_${NUMBER})*$`).test(weights), "weights", "text such as 0.5_-1.25");
  const count = layersOf(s).at(-1).end, came = String(weights).split("_").length;
  need(!weights || came === count, "weights", `${count} for this network`, `${came} came; `);
  return s;
}

// Python that repeats the run, with dlcourse or with PyTorch alone.
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
    const given = STARTS.filter((key) => !same(s[key], DEFAULTS[key]) && (key !== "points" || s.data === "own"))
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

// The page

const COLORS = ["orange", "blue", "green", "purple"], RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const percent = (share) => `${Math.round(100 * share)} %`;
const short = (number) => String(Number(number.toPrecision(3))).replace("-", "−");
const option = (value, name = value) => `<option value="${value}">${name}</option>`;
const select = (key, label, all = CHOICES[key], names = all) => `<label class="dl-field">${label}<select name="${
  key}">${all.map((value, i) => option(value, names[i])).join("")}</select></label>`;
const range = (key, label, step) => `<label class="dl-field"><span>${label} <b></b></span><input
  type="range" name="${key}" min="${RANGES[key][0]}" max="${RANGES[key][1]}" step="${step}"></label>`;
const button = (act, label, more = "") => `<button type="button" data-act="${act}" ${more}>${label}</button>`;
const box = (key, label) => `<label class="dl-box"><input type="checkbox" name="${key}">${label}</label>`;
const PAGE = `<div class="dl-bar dl-drive">${button("run", "")}${button("step", "Step")}${button("restart", "Restart")}<output></output></div>
  <div class="dl-options"><div class="dl-fields">${select("activation", "Activation")}${select("optimizer", "Optimizer")}${
  select("rate", "Learning rate", RATES)}${select("regularization", "Penalty")}${
  select("penalty", "Penalty rate", RATES)}${select("quiz", "Quiz", CHOICES.quiz, Object.values(QUIZZES).map(([name]) => name))}
  </div><p class="dl-quiz"></p><p class="dl-message" role="status"></p></div>
  <div class="dl-columns"><div class="dl-data"><fieldset class="dl-sets"><legend>Data</legend>${CHOICES.data.map((key) =>
  `<label title="${DATA[key]}"><input type="radio" name="data" value="${key}" aria-label="${DATA[key]}"><svg
    viewBox="-6 -6 12 12" aria-hidden="true"></svg></label>`).join("")}</fieldset>${select("classes", "Classes", [2, 3, 4])}${
  range("noise", "Noise", 0.05)}${range("train", "Training", 0.1)}${range("batch", "Batch", 1)}<label class="dl-field">Seed<input
    type="number" name="seed" min="0"></label></div>
  <div class="dl-net"><div class="dl-depth">${button("fewer", "−", 'aria-label="Remove a hidden layer"')}<span></span>${
  button("more", "+", 'aria-label="Add a hidden layer"')}</div><div class="dl-graph" role="group"
    aria-label="Network. Arrow keys move between neurons, Enter opens one."></div><p class="dl-hint"></p></div>
  <div class="dl-answer"><div class="dl-hint"></div><div class="dl-plane"><canvas width="${GRID}" height="${GRID}"></canvas><svg
    viewBox="-6 -6 12 12" role="img"></svg></div><div class="dl-pen"><select aria-label="What a click draws" name="pen"></select>${
  button("clear", "Clear")}</div><div class="dl-score"></div><svg class="dl-curve" viewBox="0 0 100 40" preserveAspectRatio="none" role="img"
    aria-label="Loss over the steps, solid for training, dashed for test"></svg>${
  box("show_test", "Show test points")}${box("discrete", "Hard edges")}</div></div>
  <div class="dl-edit"></div><p class="dl-sentence" aria-live="polite"></p>
  <div class="dl-bar">${button("numpy", "Copy NumPy code")}${button("torch", "Copy PyTorch code")}${button("reset", "Reset figure")}</div>
  <textarea readonly hidden aria-label="Python code" rows="12" spellcheck="false"></textarea>`;

// Points as SVG: a disc, square, triangle or diamond for a class; discs below 0, squares above, paler near it.
const MARKS = ["m-.15 0a.15.15 0 1 0 .3 0a.15.15 0 1 0-.3 0", "m-.14-.14h.28v.28h-.28z", "m0-.2l.19.34h-.38z",
  "m0-.2l.2.2l-.2.2l-.2-.2z"];
function marks(s, all, kind = "") {
  return all.map(([x, y, target]) => {
    const k = isRegression(s) ? Number(target > 0) : target, much = isRegression(s) ? 30 + 70 * Math.abs(target) : 100;
    return `<path class="${kind}" d="M${x.toFixed(2)} ${(-y).toFixed(2)}${MARKS[k]}" style="--hue:color-mix(in srgb,var(--dl-${
      COLORS[k]}) ${much}%,var(--fig-ground))"/>`;
  }).join("");
}

// Messages go to a worker made of the engine's text or, where workers are refused, to an engine here.
function connect(receive) {
  const own = engine();
  let worker, opened;
  function send(message) {
    if (message.settings) opened = message;
    if (worker) worker.postMessage(message);
    else setTimeout(() => receive(own.handle(message)));
  }
  try {
    const text = `const { handle } = (${engine})(); onmessage = ({ data }) => postMessage(handle(data));`;
    worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker = null;
      send(opened);
    };
  } catch {} // then there is none
  return { send, close: () => worker?.terminate() };
}

const KEEP = ["batch", "optimizer", "rate", "regularization", "penalty", "points", "weights", "quiz"]; // keep the weights
const TWO_POINTS = "-2_0_0~2_0_1", ROW = 36, TOP = 204; // pixels from neuron to neuron, and to the middle one

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function render({ model, el }) {
  const read = () => check(Object.fromEntries(KEYS.map((key) => [key, model.get(key)])));
  const first = read();
  let s, frame, id = 0, running, busy, saving, saved, solved, closed, shape, selected, seen, shade, mix, cross = [0, 0];

  const root = document.createElement("form"); // so that its radio buttons are its own
  root.className = "dl-figure-body dl-playground";
  root.dataset.lmSuppressShortcuts = true; // JupyterLab has keys of its own.
  root.innerHTML = PAGE;
  const get = (selector) => root.querySelector(selector), all = (selector) => [...root.querySelectorAll(selector)];
  const graph = get(".dl-graph"), plane = get(".dl-plane"), editor = get(".dl-edit"), fields = root.elements;
  const [hint, caption] = all(".dl-hint"), [canvas, over] = plane.children;
  const tell = (text) => { get(".dl-message").textContent = text; };
  const port = connect(receive);

  // What is computed

  function open(next) {
    s = { ...next, step: 0 };
    id += 1;
    solved = false;
    tell("");
    build();
    busy = true;
    port.send({ id, settings: s, steps: next.step });
  }
  function ask(steps) {
    busy = true;
    port.send({ id, steps: Math.min(steps, RANGES.step[1] - s.step) });
  }
  function receive(answer) {
    if (answer.id !== id || closed) return;
    busy = false;
    frame = answer;
    s.step = frame.step;
    if (!Number.isFinite(frame.train.loss)) {
      run(false);
      tell(`The loss is no longer a number at step ${s.step}: restart with a smaller learning rate.`);
    } else if (frame.left && !running) return ask(frame.left);
    requestAnimationFrame(draw);
  }
  function draw() {
    if (closed || busy) return;
    if (s.step === RANGES.step[1]) run(false);
    if (running) ask(frame.perEpoch);
    paint();
    if (!running) settle();
    else if (performance.now() - saved > 1000) save();
  }
  function run(on) {
    running = on;
    get("button").textContent = on ? "❚❚ Pause" : "▶\uFE0E Run";
  }
  const textOf = (params) => Array.from(params, (p) => Math.round(p * 1e5) / 1e5).join("_");
  // Takes changed settings; some start from new weights, some go on from those there are.
  function change(news) {
    const keys = Object.keys(news), next = { ...s, ...news };
    if (!keys.every((key) => KEEP.includes(key))) next.weights = "";
    else if (!("weights" in news) && s.step) next.weights = textOf(frame.params);
    if (keys.some((key) => ["data", "classes", "noise", "train", "points"].includes(key))) next.quiz = "";
    try {
      open(check({ ...next, step: 0 }));
    } catch (error) {
      tell(error.message);
      fill();
    }
  }

  // What is shown

  function fill() {
    const values = isRegression(s), own = s.data === "own";
    if (fields.pen.length !== s.classes + 1) {
      fields.pen.innerHTML = [0, 1, 2, 3].slice(0, s.classes).map((k) => option(k, `class ${k + 1}`)).join("") + option("", "eraser");
    }
    for (const field of fields) {
      const { name, type, parentNode } = field, value = s[name];
      if (value === undefined) continue;
      if (type === "checkbox") field.checked = value;
      else if (type === "radio") field.checked = value === field.value;
      else if (field.value !== String(value) && !(type === "number" && Number(field.value) === value)) {
        field.value = value;
        if (field.selectedIndex < 0) field.add(new Option(value, value, true, true));
      }
      if (type === "range") parentNode.querySelector("b").textContent = name === "batch" ? value : percent(value);
      if (type === "radio") {
        const sample = { ...s, data: field.value };
        parentNode.lastChild.innerHTML = field.value === "own" ? '<path class="dl-plus" d="M-1 0h2M0-1v2"/>'
          : marks(sample, points(sample).slice(0, 60));
      }
    }
    fields.classes.parentNode.hidden = values;
    fields.noise.parentNode.hidden = own;
    get(".dl-pen").hidden = !own;
    plane.tabIndex = own ? 0 : -1;
    plane.role = own ? "group" : "none";
    plane.ariaLabel = own ? "Arrow keys move the cross, Enter draws a point." : null;
  }
  function nameOf(l, j) {
    if (!l) return FEATURES[INPUTS[j]];
    if (l <= s.hidden.length) return `neuron ${j + 1} of layer ${l}`;
    return isRegression(s) || s.classes === 2 ? "the output" : `the output for class ${j + 1}`;
  }
  // Fields, points, and the network if its shape is new.
  function build() {
    fill();
    const data = points(s), cut = Math.max(1, Math.floor(data.length * s.train + 0.5));
    over.innerHTML = (s.show_test ? marks(s, data.slice(cut), "dl-test") : "") + marks(s, data.slice(0, cut))
      + '<path class="dl-cross" d="M-.4 0h.8M0-.4v.8"/>';
    over.ariaLabel = `${cut} training points and ${data.length - cut} test points over the answer`;
    const layers = layersOf(s), counts = [INPUTS.length, ...layers.map(({ m }) => m)];
    const news = [s.features, counts, isRegression(s)].join(";");
    if (shape === news) return;
    shape = news;
    frame = null;
    const had = graph.contains(document.activeElement) && document.activeElement.ariaLabel;
    const place = (l, j) => [(100 * l + 150 + (l && 50)) / (layers.length + 2.2), TOP + ROW * (j - (counts[l] - 1) / 2)];
    const wires = layers.map(({ n, m, w }, l) => Array.from({ length: n * m }, (_, k) => {
      const j = Math.floor(k / n), i = l ? k % n : INPUTS.indexOf(s.features[k % n]);
      const [x0, y0] = place(l, i), [x1, y1] = place(l + 1, j), half = (x0 + x1) / 2;
      const line = `d="M${x0} ${y0}C${half} ${y0} ${half} ${y1} ${x1} ${y1}" data-w="${w + k}"`;
      return `<path ${line}/><path class="dl-hit" ${line} data-unit="${l + 1}:${j}"/>`;
    }).join("")).join("");
    const units = counts.map((count, l) => Array.from({ length: count }, (_, j) => {
      const [x, y] = place(l, j), input = !l && `aria-pressed="${s.features.includes(INPUTS[j])}"`;
      return `<button type="button" class="dl-unit" data-unit="${l}:${j}" tabindex="-1" aria-label="${nameOf(l, j)}" ${input || ""}
        style="left:${x}%;top:${y}px"><canvas width="${GRID}" height="${GRID}"></canvas>${l ? "" : nameOf(0, j)}</button>`;
    }).join("") + (l && l < layers.length ? ["more", "fewer"].map((act, k) => button(act, "+−"[k], `data-layer="${l}"
      style="left:${place(l, 0)[0]}%;top:${28 * k}px" aria-label="${["Add", "Remove"][k]} a neuron, layer ${l}"`)).join("") : "")).join("");
    get(".dl-depth span").textContent = `${s.hidden.length} hidden layer${s.hidden.length === 1 ? "" : "s"}`;
    graph.innerHTML = `<svg viewBox="0 0 100 352" preserveAspectRatio="none" aria-hidden="true">${wires}</svg>${units}`;
    graph.querySelector(".dl-unit").tabIndex = 0;
    if (had) graph.querySelector(`[aria-label="${had}"]`)?.focus();
    edit(null);
  }

  function recolor() {
    const style = getComputedStyle(root), ground = style.backgroundColor.match(/\d+/g);
    const hues = COLORS.map((name) => style.getPropertyValue(`--dl-${name}`).trim().match(/\w\w/g).map((part) => parseInt(part, 16)));
    // A pixel with parts of the hues over the ground.
    mix = (parts) => [0, 1, 2].reduce((pixel, c) => pixel
      | (parts.reduce((sum, part, k) => sum + 0.72 * part * (hues[k][c] - ground[c]), Number(ground[c])) << (8 * c)), 255 << 24);
    shade = Uint32Array.from({ length: 256 }, (_, i) => mix([Math.max(0, 1 - i / 127.5), Math.max(0, i / 127.5 - 1)]));
  }
  // Draws what neuron j of layer l answers, or what all of the outputs do.
  function picture(target, l, j) {
    const outputs = frame.surfaces.at(-1), shares = Array(outputs.length);
    const surface = l < frame.surfaces.length - 1 ? frame.surfaces[l][j] : !outputs[1] && outputs[0];
    const steps = s.discrete && l === undefined ? (isRegression(s) ? 4 : 1) : 255;
    const colors = shade.map((_, i) => shade[Math.round(Math.round(i * steps / 255) * 255 / steps)]);
    const image = new ImageData(GRID, GRID), pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i += 1) {
      if (surface) pixels[i] = colors[surface[i]];
      else {
        outputs.forEach((output, k) => { shares[k] = j === undefined || j === k ? output[i] / 255 : 0; });
        const best = shares.indexOf(Math.max(...shares));
        pixels[i] = mix(steps > 1 ? shares : shares.map((_, k) => Number(k === best)));
      }
    }
    target.getContext("2d").putImageData(image, 0, 0);
  }
  function paint() {
    if (!frame) return;
    if (!mix) recolor();
    const unit = seen ?? selected, { train, test, history, params } = frame;
    caption.textContent = unit ? nameOf(...unit) : "the network’s answer";
    picture(canvas, ...(unit ?? []));
    for (const it of all(".dl-unit")) picture(it.firstChild, ...unitOf(it));
    for (const line of all(".dl-graph path:not(.dl-hit)")) {
      const w = params[line.dataset.w];
      line.style.strokeWidth = 0.6 + 5 * Math.tanh(Math.abs(w) / 2);
      line.classList.toggle("is-minus", w < 0);
    }
    for (const input of all(".dl-edit input")) if (input !== document.activeElement) input.value = params[input.dataset.w].toFixed(3);
    get(".dl-score").innerHTML = [["", "training", "test"], ["loss", ...[train, test].map((it) => (it ? short(it.loss) : "–"))],
      ["right", ...[train, test].map((it) => (it ? percent(it.right) : "–"))]].slice(0, isRegression(s) ? 2 : 3).flat()
      .map((cell) => `<span>${cell}</span>`).join("");
    const most = Math.max(...history.flatMap((row) => row.slice(1)).filter(Number.isFinite)) || 1;
    get(".dl-curve").innerHTML = [1, 2].map((column) => history.filter((row) => Number.isFinite(row[column])).map((row, i) =>
      `${i ? "L" : `<path class="${column > 1 ? "dl-test" : ""}" d="M`}${100 * row[0] / (s.step || 1)} ${39 - 38 * row[column] / most}`)
      .concat('"/>').join("")).join("");
    get("output").textContent = `epoch ${Math.floor(s.step / frame.perEpoch)}, step ${s.step}`;
    judge();
  }
  function judge() {
    const [, news, task, most, only, still] = QUIZZES[s.quiz], { train, test } = frame;
    const neurons = s.hidden.reduce((sum, size) => sum + size, 0), right = Math.min(train.right, test?.right ?? 1);
    const lacks = [right < 0.95 && `${percent(right)} right, 95 % wanted`, neurons > most && `${neurons} neurons, at most ${most}`,
      only && s.features.join() !== "x1,x2" && "x₁ and x₂ alone", still && s.step && "no steps"].filter(Boolean).join("; ");
    get(".dl-quiz").textContent = news ? `${task} ${lacks ? `Still: ${lacks}.` : "Solved!"}` : "";
    if (news && !lacks && !solved) run(false);
    solved = news && !lacks;
  }
  function settle() {
    get(".dl-sentence").textContent = `${solved ? "Quiz solved. " : ""}Step ${s.step}: ${[["training", frame.train], ["test", frame.test]]
      .filter(([, it]) => it).map(([name, it]) => `${name} loss ${short(it.loss)}${isRegression(s) ? "" : `, ${percent(it.right)} right`}`).join("; ")}.`;
    save();
  }
  // Opens a neuron, so that its weights and bias can be edited.
  function edit(unit, w) {
    selected = unit;
    editor.hidden = !unit;
    graph.querySelector("[aria-current]")?.removeAttribute("aria-current");
    if (!unit) return paint();
    const [l, j] = unit, { n, w: start, b } = layersOf(s)[l - 1];
    graph.querySelector(`button[data-unit="${l}:${j}"]`).ariaCurrent = "true";
    const from = (i) => (l > 1 ? `neuron ${i + 1}` : FEATURES[s.features[i]]);
    editor.innerHTML = `<b>Weights of ${nameOf(l, j)}</b>${button("close", "Close")}${Array.from({ length: n + 1 }, (_, i) => {
      const name = i < n ? from(i) : "bias", more = `aria-label="${name}" data-w="${i < n ? start + j * n + i : b + j}"`;
      return `<div class="dl-knob"><span>${name}</span><input type="number" step="0.1" ${more}><input type="range" min="-5" max="5"
        step="0.05" ${more}></div>`;
    }).join("")}`;
    paint();
    if (w) editor.querySelector(`[data-w="${w}"]`).focus();
  }
  function look({ target }) {
    seen = target ? unitOf(target) : null;
    const w = target?.dataset.w;
    if (w) seen = null;
    hint.textContent = w && frame ? `This weight is ${short(frame.params[w])}.` : "Click a neuron or a line to edit its weights.";
    if (!running) paint();
  }

  // What the reader does

  function put(x, y) {
    const data = points(s), far = ([a, b]) => Math.hypot(a - x, b - y), round = (at) => Math.round(10 * at) / 10;
    if (fields.pen.value) data.push([x, y, fields.pen.value]);
    else data.splice(data.findIndex((point) => far(point) === Math.min(...data.map(far))), 1);
    change({ points: data.map(([a, b, k]) => [round(a), round(b), k].join("_")).join("~") });
  }
  async function copy(torch) {
    const area = get("textarea");
    area.hidden = false;
    area.value = code(s, torch);
    area.select();
    tell("This code repeats the run. It is selected: copy it.");
    await navigator.clipboard.writeText(area.value).then(() => tell("Copied: this code repeats the run."), () => {});
  }
  const still = () => QUIZZES[s.quiz][5] && (tell("This quiz is solved by hand, without a step."), true);
  const grow = (by) => ({ layer }) => {
    const hidden = [...s.hidden];
    if (layer) hidden[layer - 1] += by;
    else if (by > 0) hidden.push(4);
    else hidden.pop();
    change({ hidden: hidden.filter(Boolean) });
  };
  const actions = {
    run() {
      run(!running && !still());
      if (running && !busy) draw();
    },
    step() {
      run(false);
      if (!busy && !still()) ask(1);
    },
    restart() {
      run(false);
      open({ ...s, step: 0, weights: "" });
    },
    reset() {
      run(false);
      open(first);
    },
    more: grow(1),
    fewer: grow(-1),
    clear: () => change({ points: TWO_POINTS }),
    close() {
      const unit = graph.querySelector("[aria-current]");
      edit(null);
      unit.focus();
    },
    numpy: () => copy(false),
    torch: () => copy(true),
  };
  const unitOf = (target) => target.closest("[data-unit]")?.dataset.unit.split(":").map(Number);

  root.addEventListener("submit", (event) => event.preventDefault());
  root.addEventListener("click", ({ target, clientX, clientY }) => {
    const act = target.closest("[data-act]"), unit = unitOf(target);
    if (act) actions[act.dataset.act](act.dataset);
    else if (unit?.[0]) edit(unit, target.dataset.w);
    else if (unit) change({ features: INPUTS.filter((name, i) => s.features.includes(name) !== (i === unit[1])) });
    else if (s.data === "own" && plane.contains(target)) {
      const { left, top, width } = plane.getBoundingClientRect();
      put(12 * (clientX - left) / width - 6, 6 - 12 * (clientY - top) / width);
    }
  });
  root.addEventListener("input", ({ target }) => {
    const { name, type, value, checked, dataset: { w } } = target;
    const number = value.trim() ? Number(value) : NaN;
    if (w) {
      const bad = !Number.isFinite(number), params = frame.params.slice();
      target.ariaInvalid = bad;
      if (bad) return tell("Expected a number, such as 0.5.");
      params[w] = number;
      for (const twin of all(`.dl-edit [data-w="${w}"]`)) if (twin !== target) twin.value = value;
      return change({ weights: textOf(params) });
    }
    const news = { [name]: type === "checkbox" ? checked : typeof DEFAULTS[name] === "number" ? number : value };
    if (type === "checkbox") {
      Object.assign(s, news);
      build();
      paint();
      return save();
    }
    if (name === "quiz" && value) {
      run(false);
      return open({ ...DEFAULTS, ...QUIZZES[value][1], quiz: value });
    }
    if (value === "own") Object.assign(news, { points: TWO_POINTS, train: 1 });
    else if (s.data === "own" && name === "data") Object.assign(news, { points: "", train: 0.5 });
    if (KEYS.includes(name)) change(news);
  });
  root.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey } = event, unit = graph.contains(target) && unitOf(target);
    const [x, y] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key] ?? [0, 0];
    if (altKey || ctrlKey || metaKey) return;
    if (key === "Escape" && selected) actions.close();
    else if (unit && (x || y)) {
      const column = all(".dl-unit").filter((other) => unitOf(other)[0] === unit[0] + x);
      const next = column[Math.min(unit[1] - y, column.length - 1)] ?? target;
      target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (target === plane && (x || y)) {
      cross = [cross[0] + x / 2, cross[1] + y / 2].map((at) => Math.max(-5.5, Math.min(5.5, at)));
      get(".dl-cross").setAttribute("transform", `translate(${cross[0]} ${-cross[1]})`);
    } else if (target === plane && (key === "Enter" || key === " ")) put(...cross);
    else return;
    event.preventDefault();
  });
  for (const kind of ["pointerover", "focusin"]) graph.addEventListener(kind, look);
  for (const kind of ["pointerleave", "focusout"]) graph.addEventListener(kind, () => look({}));

  // State

  function save() {
    if (!Number.isFinite(frame?.train.loss)) return;
    saved = performance.now();
    saving = true;
    for (const key of KEYS) if (!same(model.get(key), s[key])) model.set(key, s[key]);
    saving = false;
    model.save_changes();
  }
  function update() {
    try {
      const next = saving ? s : read();
      if (KEYS.every((key) => same(next[key], s[key]))) return;
      run(false);
      open(next);
    } catch (error) {
      tell(error.message);
    }
  }
  for (const key of KEYS) model.on(`change:${key}`, update);
  const theme = new MutationObserver(() => {
    mix = null;
    paint();
  });
  for (const node of [document.documentElement, document.body]) theme.observe(node, { attributes: true });
  el.append(root);
  look({});
  run(false);
  open(first);
  return () => {
    closed = true;
    theme.disconnect();
    port.close();
    for (const key of KEYS) model.off(`change:${key}`, update);
    root.remove();
  };
}

export default { render };
