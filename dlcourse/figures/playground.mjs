// A small network that learns in the page: data, neurons, weights and loss, step by step, after the
// TensorFlow Playground (Smilkov et al., 2017). playground.py is its twin, to the same numbers.
// What it needs later is in playground_tools.mjs.

export const FEATURES = { x1: "x₁", x2: "x₂", "x1^2": "x₁²", "x2^2": "x₂²", x1x2: "x₁x₂", "sin x1": "sin x₁", "sin x2": "sin x₂" };
const DATA = { circle: "Circle", xor: "Quadrants", gauss: "Clouds", spiral: "Spiral", plane: "Plane (values)",
  bumps: "Bumps (values)", own: "Your own points" };
const QUIZZES = { "": "none", two: "Two neurons", three: "Three neurons", input: "No neuron", hand: "By hand", spiral: "The spiral" };
export const INPUTS = Object.keys(FEATURES);
const CHOICES = { data: Object.keys(DATA), activation: ["relu", "tanh", "sigmoid", "linear"],
  optimizer: ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"], regularization: ["none", "L1", "L2"],
  quiz: Object.keys(QUIZZES), show_test: [false, true], discrete: [false, true] };
const RANGES = { classes: [2, 4, 1], noise: [0, 0.5, 0.05], train: [0.1, 1, 0.1], batch: [1, 50, 1], seed: [0, 999999, 1],
  rate: [0.0001, 10], penalty: [0, 10], step: [0, 100000, 1] };
const KEYS = [...Object.keys(CHOICES), ...Object.keys(RANGES), "features", "hidden", "points", "weights"];

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
    const square = (side) => [uniform(-side, side), uniform(-side, side)];
    const polar = (radius, angle) => [radius * cos(angle), radius * sin(angle)];
    const draw = {
      circle: (k) => [...polar(uniform((5 * k + (k ? 2 : 0)) / K, (5 * (k + 1)) / K), uniform(0, 2 * PI)), k],
      xor() {
        const [x, y] = square(5), quadrant = x > 0 ? (y > 0 ? 0 : 3) : y > 0 ? 1 : 2;
        return [x + 0.3 * Math.sign(x), y + 0.3 * Math.sign(y), quadrant % K];
      },
      gauss(k) {
        const [x, y] = polar(2.8, PI / 4 + (2 * PI * k) / K);
        const [dx, dy] = polar(0.8 * sqrt(-2 * log(next())), uniform(0, 2 * PI));
        return [x + dx, y + dy, k];
      },
      spiral: (k, t) => [...polar(5 * t, (2 * PI * (3.5 * t + k)) / K), k],
      plane() {
        const [x, y] = square(6);
        return [x, y, (x + y) / 12];
      },
      bumps() { // cones too far apart to meet, so that the nearest counts
        const [x, y] = square(6), column = Math.round(x / 4), row = y > 0 ? 1 : -1;
        return [x, y, row * (column ? 1 : -1) * max(0, 1 - Math.hypot(x - 4 * column, y - 2.5 * row) / 2)];
      },
    }[s.data];
    return shuffle(Array.from({ length: COUNT }, (_, i) => {
      const [x, y, target] = draw(i % K, i / COUNT), noise = (far) => uniform(-far, far) * s.noise;
      return isRegression(s) ? [x, y, target + noise(1)] : [x + noise(4), y + noise(4), target];
    }), next);
  }
  const cutOf = (s, all) => max(1, floor(all.length * s.train + 0.5));

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
    const all = points(s), cut = cutOf(s, all), layers = layersOf(s);
    const inputs = (x, y) => Float64Array.from(s.features, (name) => inputOf[name](x, y));
    const examples = all.map(([x, y, target]) => [inputs(x, y), target]);
    const training = examples.slice(0, cut), tests = examples.slice(cut);
    const K = layers.at(-1).m, last = layers.length - 1, regression = isRegression(s);

    const next = random(s.seed, 1);
    const P = Float64Array.from(s.weights ? s.weights.split("_") : layers.flatMap(({ n, m }) => [
      ...Array.from({ length: n * m }, () => (2 * next() - 1) * sqrt(6 / (n + m))), ...Array(m).fill(0)]));
    const [G, U, V] = [1, 2, 3].map(() => new Float64Array(P.length));
    const [values, errors] = [1, 2].map(() => layers.map(({ m }) => new Float64Array(m)));
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
        for (let i = w; i < end; i += 1) P[i] -= s.rate * direction(i < b ? G[i] + pull(P[i]) : G[i], i);
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
      return { loss: loss / set.length, right: right / set.length };
    }

    // What each input and neuron answers all over the plane, from 0 for -1 to 255 for 1; outputs are
    // probabilities from 0 to 1, or values.
    const plane = Array.from({ length: GRID * GRID }, (_, i) =>
      [(i % GRID) + 0.5, GRID - floor(i / GRID) - 0.5].map((at) => (12 * at) / GRID - 6));
    const placed = plane.map(([x, y]) => inputs(x, y));
    const picture = () => new Uint8ClampedArray(GRID * GRID);
    const given = Object.values(inputOf).map((input) => picture().map((_, i) => 127.5 + 127.5 * input(...plane[i])));
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
      history.push([steps, measure(training).loss, measure(tests).loss]);
      if (history.length > 300) history = history.filter((_, i) => i % 2 === 0);
    }
    const frame = () => ({ step: steps, perEpoch: Math.ceil(cut / s.batch), params: P.slice(), surfaces: surfaces(), history,
      results: [["training", training], ["test", tests]].slice(0, tests.length ? 2 : 1).map(([name, set]) => ({ name, ...measure(set) })) });
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
  return { points, cutOf, layersOf, isRegression, start, handle, GRID };
}

export const { points, cutOf, layersOf, isRegression, GRID } = engine();

const show = (value) => (JSON.stringify(value) ?? "nothing").replace(/(?<=^.{30}).+/, "…");
export const fits = (value, [low, high, step]) => Number.isFinite(value) && value >= low && value <= high && !(step === 1 && value % 1);
export function need(s, good, key, wanted, came = show(s[key])) {
  if (!good) throw new Error(`${key}: ${came} came; expected ${wanted}`);
}
// Throws unless the settings are good, in Python's words; own points and weights the tools check.
export function check(s) {
  for (const [key, all] of Object.entries(CHOICES)) need(s, all.includes(s[key]), key, `one of ${all.map(show).join(", ")}`);
  for (const [key, range] of Object.entries(RANGES)) {
    need(s, fits(s[key], range), key, `a ${range[2] === 1 ? "whole " : ""}number from ${range[0]} to ${range[1]}`);
  }
  const { features, hidden } = s, known = INPUTS.filter((name) => features?.includes?.(name)).length;
  need(s, known && known === features.length, "features", `one or more of ${INPUTS.join(", ")}`);
  need(s, hidden?.every?.((size) => fits(size, [1, 8, 1])) && hidden.length < 7, "hidden", "up to six whole numbers from 1 to 8");
  return s;
}

// The page

const COLORS = ["orange", "blue", "green", "purple"], RATES = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
export const each = (all, html) => all.map(html).join("");
export const times = (n, html) => each([...Array(n).keys()], html);
export const percent = (share) => `${Math.round(100 * share)} %`;
const short = (number) => String(Number(number.toPrecision(3))).replace("-", "−");
export const option = (value, name = value) => `<option value="${value}">${name}</option>`;
const select = (key, label, all = CHOICES[key], names = all) => `<label class="dl-field">${label}<select name="${
  key}">${each(all, (value, i) => option(value, names[i]))}</select></label>`;
const range = (key, label, [low, high, step] = RANGES[key]) => `<label class="dl-field"><span>${label} <b></b></span><input
  type="range" name="${key}" min="${low}" max="${high}" step="${step}"></label>`;
export const button = (act, label, more = "") => `<button type="button" data-act="${act}" ${more}>${label}</button>`;
const box = (key, label) => `<label class="dl-bar dl-box"><input type="checkbox" name="${key}">${label}</label>`;
const PAGE = `<div class="dl-bar dl-drive">${button("run", "", 'class="dl-main"')}${button("step", "Step")}${button("restart", "Restart")}<output></output>
    <p class="dl-message" role="status"></p></div>
  <div class="dl-fields">${select("activation", "Activation")}${select("optimizer", "Optimizer")}${
  select("rate", "Learning rate", RATES)}${select("regularization", "Penalty")}${
  select("penalty", "Penalty rate", RATES)}${select("quiz", "Quiz", CHOICES.quiz, Object.values(QUIZZES))}
  </div><p class="dl-message dl-quiz"></p>
  <div class="dl-columns"><div class="dl-data"><fieldset class="dl-sets"><legend>Data</legend>${each(CHOICES.data, (key) =>
  `<label title="${DATA[key]}"><input type="radio" name="data" value="${key}" aria-label="${DATA[key]}"><svg
    viewBox="-6 -6 12 12" aria-hidden="true"></svg></label>`)}</fieldset>${select("classes", "Classes", [2, 3, 4])}${
  range("noise", "Noise")}${range("train", "Training")}${range("batch", "Batch")}<label class="dl-field">Seed<input
    type="number" name="seed" min="0"></label></div>
  <div class="dl-net"><div class="dl-bar dl-depth">${button("fewer", "−", 'aria-label="Remove a hidden layer"')}<span></span>${
  button("more", "+", 'aria-label="Add a hidden layer"')}</div><div class="dl-graph" role="group"
    aria-label="Network. Arrow keys move between neurons, Enter opens one."></div><p class="dl-hint"></p></div>
  <div><p class="dl-hint"></p><div class="dl-plane"><canvas width="${GRID}" height="${GRID}"></canvas><svg
    viewBox="-6 -6 12 12" role="img"></svg></div><div class="dl-score"></div><svg class="dl-curve" viewBox="0 0 100 40" preserveAspectRatio="none" role="img"
    aria-label="Loss over the steps, solid for training, dashed for test"></svg>${
  box("show_test", "Show test points")}${box("discrete", "Hard edges")}</div></div>
  <p class="dl-sentence" aria-live="polite"></p>
  <div class="dl-bar">${button("copy", "Copy NumPy code")}${button("copy", "Copy PyTorch code", 'data-torch="1"')}${button("reset", "Reset figure")}</div>`;

// Points as SVG: a mark for each class; for values discs below 0, squares above, paler near it.
const MARKS = ["m-.15 0a.15.15 0 1 0 .3 0a.15.15 0 1 0-.3 0", "m-.14-.14h.28v.28h-.28z", "m0-.2l.19.34h-.38z",
  "m0-.2l.2.2l-.2.2l-.2-.2z"];
const marks = (s, all, kind = "") => each(all, ([x, y, target]) => {
  const [k, much] = isRegression(s) ? [Number(target > 0), 30 + 70 * Math.abs(target)] : [target, 100];
  return `<path class="${kind}" d="M${x.toFixed(2)} ${(-y).toFixed(2)}${MARKS[k]}" style="--hue:color-mix(in srgb,var(--dl-${
    COLORS[k]}) ${much}%,var(--fig-ground))"/>`;
});

// Messages go to a worker or, where those are refused, to an engine here.
function connect(receive) {
  const own = engine();
  let worker, opened;
  function send(message) {
    if (message.settings) opened = message;
    if (worker) worker.postMessage(message);
    else setTimeout(() => receive(own.handle(message)));
  }
  try {
    const text = `const { handle } = (${engine})(); onmessage = ({ data }) => postMessage(handle(data))`;
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

export const textOf = (params) => Array.from(params, (p) => Math.round(p * 1e5) / 1e5).join("_");
export function nameOf(s, l, j) {
  if (!l) return FEATURES[INPUTS[j]];
  if (l <= s.hidden.length) return `neuron ${j + 1} of layer ${l}`;
  return isRegression(s) || s.classes === 2 ? "the output" : `the output for class ${j + 1}`;
}

async function render({ model, el }) {
  const load = () => import("./playground_tools.mjs");
  async function read() {
    const news = check(Object.fromEntries(KEYS.map((key) => [key, model.get(key)])));
    if (news.points !== "" || news.weights !== "" || news.data === "own") (await load()).checkTexts(news);
    return news;
  }
  const first = await read();
  let s, frame, id = 0, running, busy, saving, saved, quiz, shape, seen, hues;

  const root = document.createElement("form"); // so that its radio buttons are its own
  root.className = "dl-figure-body dl-playground";
  root.dataset.lmSuppressShortcuts = true; // JupyterLab has keys of its own.
  root.innerHTML = PAGE;
  const get = (selector) => root.querySelector(selector), all = (selector) => [...root.querySelectorAll(selector)];
  const graph = get(".dl-graph"), fields = root.elements;
  const [hint, caption] = all(".dl-hint"), [canvas, over] = get(".dl-plane").children;
  const tell = (text) => { get(".dl-message").textContent = text; };
  const port = connect(receive);
  const figure = { root, go, run, change, tell, paint, get s() { return s; }, get frame() { return frame; } };
  async function use(tool, ...given) {
    try {
      return (await load())[tool](figure, ...given);
    } catch (error) {
      tell(error.message);
    }
  }

  // What is computed

  function open(next) {
    s = { ...next, step: 0 };
    id += 1;
    quiz = null;
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
    if (answer.id !== id) return;
    busy = false;
    frame = answer;
    s.step = frame.step;
    if (!Number.isFinite(frame.results[0].loss)) {
      run(false);
      tell(`The loss is no longer a number at step ${s.step}: restart with a smaller learning rate.`);
    } else if (frame.left && !running) return ask(frame.left);
    requestAnimationFrame(draw);
  }
  async function draw() {
    if (busy) return;
    if (s.step === RANGES.step[1]) run(false);
    if (running) ask(frame.perEpoch);
    paint();
    quiz = s.quiz && await use("judge", quiz);
    if (running || busy) {
      if (performance.now() - saved > 1000) save();
      return;
    }
    get(".dl-sentence").textContent = `${quiz?.solved ? "Quiz solved. " : ""}Step ${s.step}: ${frame.results.map(({ name, loss, right }) =>
      `${name} loss ${short(loss)}${isRegression(s) ? "" : `, ${percent(right)} right`}`).join("; ")}.`;
    save();
  }
  function run(on) {
    running = on;
    get("button").textContent = on ? "❚❚ Pause" : "▶\uFE0E Run";
  }
  function go(next) {
    run(false);
    open(next);
  }
  // Takes changed settings; some start from new weights, some go on from those there are.
  async function change(news) {
    const keys = Object.keys(news).join(), anew = /data|classes|noise|train|seed|features|hidden|activation/.test(keys);
    const next = { ...s, weights: anew ? "" : s.step ? textOf(frame.params) : s.weights, ...news, step: 0 };
    if (/data|classes|noise|train|points/.test(keys)) next.quiz = "";
    try {
      check(next);
      if (next.points) (await load()).checkTexts(next);
      open(next);
    } catch (error) {
      tell(error.message);
      fill();
    }
  }

  // What is shown

  function fill() {
    const own = s.data === "own";
    for (const key of KEYS) {
      const field = fields[key], value = s[key];
      if (!field) continue;
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
      if (field.selectedIndex < 0) field.add(new Option(value, value, true, true));
      if (field.type === "range") field.parentNode.querySelector("b").textContent = key === "batch" ? value : percent(value);
    }
    for (const { value: data, nextSibling } of fields.data) {
      nextSibling.innerHTML = data === "own" ? '<path class="dl-plus" d="M-1 0h2M0-1v2"/>'
        : marks({ data }, points({ ...s, data }).slice(0, 60));
    }
    get(".dl-quiz").hidden = !s.quiz;
    fields.classes.parentNode.hidden = isRegression(s);
    fields.noise.parentNode.hidden = own;
    if (own) use("pen");
    else for (const part of all(".dl-own")) part.remove();
  }
  // Fields, points, and the network if its shape is new.
  function build() {
    fill();
    const data = points(s), cut = cutOf(s, data);
    over.innerHTML = (s.show_test ? marks(s, data.slice(cut), "dl-test") : "") + marks(s, data.slice(0, cut));
    over.ariaLabel = `${cut} training points and ${data.length - cut} test points over the answer`;
    const layers = layersOf(s), counts = [INPUTS.length, ...layers.map(({ m }) => m)];
    const news = [s.features, counts, isRegression(s)].join(";");
    if (shape === news) return;
    shape = news;
    frame = null;
    const had = graph.contains(document.activeElement) && document.activeElement.ariaLabel;
    const place = (l, j) => [(100 * l + 150 + (l && 50)) / (layers.length + 2.2), 204 + 36 * (j - (counts[l] - 1) / 2)];
    const wires = each(layers, ({ n, m, w }, l) => times(n * m, (k) => {
      const j = Math.floor(k / n), i = l ? k % n : INPUTS.indexOf(s.features[k % n]);
      const [x0, y0] = place(l, i), [x1, y1] = place(l + 1, j), half = (x0 + x1) / 2;
      const line = `d="M${x0} ${y0}C${half} ${y0} ${half} ${y1} ${x1} ${y1}" data-w="${w + k}"`;
      return `<path ${line}/><path class="dl-hit" ${line} data-unit="${l + 1}:${j}"/>`;
    }));
    const units = each(counts, (count, l) => times(count, (j) => {
      const [x, y] = place(l, j), name = nameOf(s, l, j);
      return `<button type="button" class="dl-unit" data-unit="${l}:${j}" tabindex="-1" aria-label="${name}" ${
        l ? "" : `aria-pressed="${s.features.includes(INPUTS[j])}"`} style="left:${x}%;top:${y}px">${l ? "" : name}<canvas width="${GRID}" height="${GRID}"></canvas></button>`;
    })) + each(s.hidden, (_, l) => each(["more", "fewer"], (act, k) => button(act, "+−"[k], `data-layer="${l + 1}"
      style="left:${place(l + 1, 0)[0]}%;top:${30 * k}px" aria-label="${["Add", "Remove"][k]} a neuron, layer ${l + 1}"`)));
    get(".dl-depth span").textContent = `${s.hidden.length} hidden layer${s.hidden.length === 1 ? "" : "s"}`;
    graph.innerHTML = `<svg viewBox="0 0 100 352" preserveAspectRatio="none" aria-hidden="true">${wires}</svg>${units}`;
    get(".dl-unit").tabIndex = 0;
    if (had) graph.querySelector(`[aria-label="${had}"]`)?.focus();
    figure.selected = null;
    get(".dl-edit")?.remove();
  }

  // Draws what neuron j of layer l answers, or all outputs: hues say what, their strength how surely.
  function picture(target, l, j) {
    const image = new ImageData(GRID, GRID), pixels = new Uint32Array(image.data.buffer), all = l === undefined;
    const outputs = frame.surfaces.at(-1), many = outputs.length > 1, surface = frame.surfaces[l]?.[j] ?? outputs[0];
    const hard = (strength) => (!all || !s.discrete ? strength : isRegression(s) ? Math.round(2 * strength) / 2 : 1);
    const ink = (k, strength) => hues[k] | (184 * hard(strength)) << 24;
    const shades = Uint32Array.from({ length: 256 }, (_, i) =>
      (many && surface === outputs[j] ? ink(j, i / 255) : ink(Number(i > 127), Math.abs(i / 127.5 - 1))));
    for (let i = 0; i < pixels.length; i += 1) {
      if (all && many) {
        const shares = outputs.map((output) => output[i]), [second, best] = [...shares].sort((a, b) => a - b).slice(-2);
        pixels[i] = ink(shares.indexOf(best), (best - second) / 255);
      } else pixels[i] = shades[surface[i]];
    }
    target.getContext("2d").putImageData(image, 0, 0);
  }
  function paint() {
    if (!frame) return;
    const unit = seen || figure.selected, { history, params, results } = frame;
    const style = getComputedStyle(root);
    hues ??= COLORS.map((name) => parseInt(style.getPropertyValue(`--dl-${name}`).match(/\w\w/g).reverse().join(""), 16));
    caption.textContent = unit ? nameOf(s, ...unit) : "the network’s answer";
    picture(canvas, ...(unit ?? []));
    for (const it of all(".dl-unit")) picture(it.lastChild, ...unitOf(it));
    for (const line of all(".dl-graph path:not(.dl-hit)")) {
      const w = params[line.dataset.w];
      line.style.strokeWidth = 0.6 + 5 * Math.tanh(Math.abs(w) / 2);
      line.classList.toggle("is-minus", w < 0);
    }
    for (const input of all(".dl-edit input:not(:focus)")) input.value = params[input.dataset.w].toFixed(3);
    get(".dl-score").innerHTML = each([{ name: "" }, ...results], ({ name, loss, right }) => `<span>${name}</span><span>${
      name ? short(loss) : "loss"}</span><span>${isRegression(s) ? "" : name ? percent(right) : "right"}</span>`);
    const most = Math.max(...history.flatMap(([, ...losses]) => losses).filter(Number.isFinite)) || 1;
    get(".dl-curve").innerHTML = each(results, (_, i) => `<polyline class="${i ? "dl-test" : ""}" points="${
      history.filter((row) => Number.isFinite(row[i + 1])).map((row) => [100 * row[0] / (s.step || 1), 39 - 38 * row[i + 1] / most])}"/>`);
    get("output").textContent = `epoch ${Math.floor(s.step / frame.perEpoch)}, step ${s.step}`;
  }
  function look({ target }) {
    const w = target?.dataset.w;
    seen = target && !w && unitOf(target);
    hint.textContent = w && frame ? `This weight is ${short(frame.params[w])}.` : "Click a neuron or a line to edit its weights.";
    if (!running) paint();
  }

  // What the reader does

  const still = () => quiz?.still && !tell(quiz.still);
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
    restart: () => go({ ...s, step: 0, weights: "" }),
    reset: () => go(first),
    more: grow(1),
    fewer: grow(-1),
  };
  const unitOf = (target) => target.closest("[data-unit]")?.dataset.unit.split(":").map(Number);

  root.addEventListener("submit", (event) => event.preventDefault());
  root.addEventListener("click", ({ target }) => {
    const { dataset } = target.closest("[data-act]") ?? {}, unit = unitOf(target);
    if (dataset) (actions[dataset.act] ?? use.bind(null, dataset.act))(dataset);
    else if (unit?.[0]) use("edit", unit, target.dataset.w);
    else if (unit) change({ features: INPUTS.filter((name, i) => s.features.includes(name) !== (i === unit[1])) });
  });
  root.addEventListener("input", ({ target }) => {
    const { name, type, value, checked } = target;
    if (name === "quiz" && value) use("pose", value);
    else if (value === "own") use("own");
    else if (type === "checkbox") {
      s[name] = checked;
      build();
      paint();
      save();
    } else if (KEYS.includes(name)) {
      change({ [name]: typeof s[name] === "number" ? value && Number(value) : value,
        ...(name === "data" && s.data === "own" && { points: "", train: 0.5 }) });
    }
  });
  graph.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey } = event, unit = unitOf(target);
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!way || !unit || altKey || ctrlKey || metaKey) return;
    event.preventDefault();
    const column = all(".dl-unit").filter((other) => unitOf(other)[0] === unit[0] + way[0]);
    const next = column[Math.min(unit[1] + way[1], column.length - 1)] ?? target;
    target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  for (const kind of ["pointerover", "focusin"]) graph.addEventListener(kind, look);
  for (const kind of ["pointerleave", "focusout"]) graph.addEventListener(kind, () => look({}));

  // State

  function save() {
    if (!Number.isFinite(frame?.results[0].loss)) return;
    saved = performance.now();
    saving = true;
    for (const key of KEYS) model.set(key, s[key]);
    saving = false;
    model.save_changes();
  }
  async function update() {
    if (saving) return;
    try {
      const next = await read();
      if (JSON.stringify(next) === JSON.stringify(s)) return;
      go(next);
    } catch (error) {
      tell(error.message);
    }
  }
  for (const key of KEYS) model.on(`change:${key}`, update);
  const theme = new MutationObserver(() => { // when the page becomes dark
    hues = null;
    paint();
  });
  for (const node of [document.documentElement, document.body]) theme.observe(node, { attributes: true });
  el.append(root);
  look({});
  run(false);
  open(first);
  return () => {
    busy = id = -1; // nothing is drawn any more
    theme.disconnect();
    port.close();
    for (const key of KEYS) model.off(`change:${key}`, update);
    root.remove();
  };
}

export default { render };
