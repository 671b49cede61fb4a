// Backpropagation on a small graph, one step at a time. graph_stepper.py is its twin, word for word.

const MAX_CHARACTERS = 120, MAX_NODES = 24, MAX_NAME = 8;
const EXAMPLES = [
  ["One neuron", "sigmoid(w*x + b)", { w: 0.6, x: 1.5, b: -0.4 }],
  ["A neuron's error", "(sigmoid(w*x + b) - t) ** 2", { w: 0.6, x: 1.5, b: -0.4, t: 1 }],
  ["A variable used twice", "x*y + x", { x: 3, y: -2 }],
  ["A dead relu", "relu(w*x + b)", { w: 1, x: -2, b: 0.5 }],
  ["Saturation", "tanh(10*x)", { x: 0.4 }],
];

export function show(number, digits = 4) {
  if (!Number.isFinite(number)) return "not a number";
  const rounded = Number(number.toPrecision(digits)), size = Math.abs(rounded);
  const text = size === 0 || (size >= 1e-4 && size < 1e6) ? String(rounded) : rounded.toExponential();
  return text.replace("+", "").replace(/-/g, "−");
}

// Text, value, derivatives as [formula, function of arguments and value], why there is no value.
const OPERATIONS = {
  add: ["{a} + {b}", (a, b) => a + b, [["1", () => 1], ["1", () => 1]]],
  sub: ["{a} − {b}", (a, b) => a - b, [["1", () => 1], ["−1", () => -1]]],
  mul: ["{a} · {b}", (a, b) => a * b, [["{b}", (a, b) => b], ["{a}", (a) => a]]],
  div: ["{a} / {b}", (a, b) => a / b,
    [["1/{b}", (a, b) => 1 / b], ["−{a}/{b}²", (a, b) => -a / (b * b)]],
    (a, b) => b === 0 && "division by zero"],
  pow: ["{a}^{b}", (a, b) => a ** b,
    [["{b}·{a}^({b} − 1)", (a, b) => (b ? b * a ** (b - 1) : 0)],
      ["{v}·log({a})", (a, b, v) => (a || b < 0 ? v * Math.log(a) : 0)]],
    (a, b) => (a === 0 && b < 0 && "division by zero")
      || (a < 0 && b !== Math.floor(b) && `${show(a)} has no real power ${show(b)}`)],
  neg: ["−{a}", (a) => -a, [["−1", () => -1]]],
  exp: ["exp({a})", Math.exp, [["{v}", (a, v) => v]]],
  log: ["log({a})", Math.log, [["1/{a}", (a) => 1 / a]],
    (a) => a <= 0 && `log needs a number above 0, and ${show(a)} came`],
  sqrt: ["sqrt({a})", Math.sqrt, [["1/(2·{v})", (a, v) => 1 / (2 * v)]],
    (a) => a < 0 && `sqrt needs a number of at least 0, and ${show(a)} came`],
  sin: ["sin({a})", Math.sin, [["cos({a})", Math.cos]]],
  cos: ["cos({a})", Math.cos, [["−sin({a})", (a) => -Math.sin(a)]]],
  tanh: ["tanh({a})", Math.tanh, [["1 − {v}²", (a, v) => 1 - v * v]]],
  sigmoid: ["sigmoid({a})", (a) => 1 / (1 + Math.exp(-a)),
    [["{v}·(1 − {v})", (a, v) => v * (1 - v)]]],
  relu: ["relu({a})", (a) => Math.max(a, 0), [["step({a})", (a) => (a > 0 ? 1 : 0)]]],
};
const FUNCTIONS = Object.keys(OPERATIONS).slice(6);

const finite = (number) => (Number.isFinite(number) ? number : NaN);

function compute(operation, values) {
  const [, forward, , domain] = OPERATIONS[operation];
  const value = finite(forward(...values));
  return [value, value === value ? "" : domain?.(...values) || "it is too large to be held"];
}

// From text to a graph: nodes, parents first, the output last. An argument is a node or a number.
const TOKEN = /([ \t\n\r\f\v]+)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z]\w*)|(\*\*|[-+*/()])/y;
const KINDS = ["space", "number", "name", "sign"];
const isNode = (argument) => typeof argument === "object";
const nameOf = (argument) => (isNode(argument) ? argument.name : show(argument));
const valueOf = (argument) => (isNode(argument) ? argument.value : argument);

function fail(message) {
  throw new Error(message);
}

function tokenize(text) {
  const tokens = [];
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) {
      const [sign] = text.slice(at);
      fail(`Character ${at + 1} is '${sign}'; ${sign === "^" ? "write a power as **"
        : "expected a number, a name or + - * / ** ( )"}.`);
    }
    const kind = KINDS.find((_, i) => match[i + 1]);
    if (kind !== "space") tokens.push({ kind, text: match[0], at: at + 1 });
  }
  return [...tokens, { kind: "end", text: "", at: text.length + 1 }];
}

export function parse(expression) {
  if (typeof expression !== "string") fail(`an expression is text; ${expression} came`);
  if (expression.length > MAX_CHARACTERS) fail(`The expression has ${expression.length} characters; at most ${MAX_CHARACTERS} are drawn.`);
  const tokens = tokenize(expression), nodes = [];
  let next = 0, last = "";

  const accept = (...signs) => {
    if (!signs.includes(tokens[next].text)) return false;
    last = tokens[next++].text;
    return true;
  };
  const unexpected = (wanted) => {
    const { kind, text, at } = tokens[next];
    fail(`${kind === "end" ? "The expression ends too early" : `At character ${at}, '${text}' came`
    }; expected ${wanted}.`);
  };
  const bracketed = () => {
    const inside = sum();
    return accept(")") ? inside : unexpected("')'");
  };

  function apply(operation, ...args) {
    if (args.some(isNode)) {
      for (const argument of args) if (isNode(argument)) argument.uses += 1;
      nodes.push({ name: "", operation, args, uses: 0 });
      return nodes.at(-1);
    }
    const [value, note] = compute(operation, args);
    if (note) fail(`${fill(OPERATIONS[operation][0], args.map(nameOf))} is not a number: ${note}.`);
    return value;
  }
  function binary(operators, operand) {
    let left = operand();
    while (accept(...Object.keys(operators))) left = apply(operators[last], left, operand());
    return left;
  }
  const sum = () => binary({ "+": "add", "-": "sub" }, product);
  const product = () => binary({ "*": "mul", "/": "div" }, unary);
  function unary() {
    if (accept("-")) return apply("neg", unary());
    if (accept("+")) return unary();
    const base = atom();
    return accept("**") ? apply("pow", base, unary()) : base;
  }
  function atom() {
    const { kind, text, at } = tokens[next];
    const here = `At character ${at},`;
    if (accept("(")) return bracketed();
    if (kind !== "number" && kind !== "name") unexpected("a number, a name or '('");
    next += 1;
    if (kind === "number") {
      return Number.isFinite(Number(text)) ? Number(text) : fail(`${here} ${text} is too large a number.`);
    }
    const called = accept("(");
    if (FUNCTIONS.includes(text)) {
      if (!called) fail(`${here} ${text} stands alone; expected ${text}(...).`);
      return apply(text, bracketed());
    }
    if (called) fail(`${here} '${text}(' came; the functions are ${FUNCTIONS.join(", ")}.`);
    if (text.length > MAX_NAME) fail(`${here} the name '${text}' has ${text.length} letters; expected at most ${MAX_NAME}.`);
    const known = nodes.find((node) => node.name === text);
    if (!known) nodes.push({ name: text, operation: null, args: [], uses: 0 });
    return known ?? nodes.at(-1);
  }

  if (tokens.length === 1) fail("The expression is empty; write one, such as sigmoid(w*x + b).");
  const output = sum();
  if (tokens[next].kind !== "end") unexpected("an operator such as * or the end");
  if (!isNode(output)) fail("The expression has no variable; use at least one name, such as x.");
  if (nodes.length > MAX_NODES) fail(`The graph has ${nodes.length} nodes; at most ${MAX_NODES} are drawn.`);
  nodes.filter((node) => node.operation).forEach((node, i) => {
    node.name = `v${String(i + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit])}`;
    node.text = write(node, node.args.map(nameOf)); // its parents have their names by now
  });
  return nodes;
}

const wrap = (text) => (text.startsWith("−") ? `(${text})` : text);
const fill = (template, [a, b], v) => template.replace(/\{(\w)\}/g, (_, key) => ({ a, b, v })[key]);

// A power with a constant exponent: x², x^0.5, and x alone for x¹.
function power(base, exponent) {
  if (exponent === 1) return base;
  return base + ((exponent > 1 && "⁰¹²³⁴⁵⁶⁷⁸⁹"[exponent]) || `^${wrap(show(exponent))}`);
}

// An operation with the given texts in its arguments' places.
function write({ operation, args }, texts) {
  if (operation === "pow" && !isNode(args[1])) return power(wrap(texts[0]), args[1]);
  return fill(OPERATIONS[operation][0], FUNCTIONS.includes(operation) ? texts : texts.map(wrap));
}

// Forward and backward

export function evaluate(expression, inputs) {
  const nodes = parse(expression);
  for (const node of nodes) {
    Object.assign(node, { value: NaN, note: "", terms: [] });
    const lost = node.args.find((argument) => Number.isNaN(valueOf(argument)));
    if (!node.operation) node.value = checkInput(node.name, inputs);
    else if (lost) node.note = `${lost.name} is not a number`;
    else [node.value, node.note] = compute(node.operation, node.args.map(valueOf));
  }
  const edges = [];
  nodes.at(-1).terms.push(1); // The output changes exactly as much as itself.
  for (const node of [...nodes].reverse()) {
    node.gradient = total(node.terms);
    node.args.forEach((parent, place) => {
      if (!isNode(parent)) return;
      const edge = backward(node, parent, place);
      parent.terms.push(edge.passed);
      edges.push(edge);
    });
  }
  return { nodes, edges, steps: tell(nodes, edges) };
}

function checkInput(name, inputs) {
  const value = Object.hasOwn(Object(inputs), name) ? inputs[name] : undefined;
  if (!Number.isFinite(value)) {
    fail(`inputs: ${value ?? "nothing"} came for ${name}; expected a finite number, such as 0.5`);
  }
  return value;
}

function backward(child, parent, place) {
  const [template, slope] = OPERATIONS[child.operation][2][place];
  const [a, b] = child.args;
  const values = child.args.map(valueOf);
  const derivative = child.note ? NaN : finite(slope(...values, child.value));
  let formula;
  if (child.operation === "pow" && !isNode(b)) {
    const constant = show(b);
    formula = b === 0 || b === 1 ? constant : `${wrap(constant)}·${power(parent.name, b - 1)}`;
  } else {
    const names = child.args.map(nameOf);
    formula = fill(template, template.length > 3 ? names.map(wrap) : names, child.name);
  }
  const number = show(derivative);
  const text = `∂${child.name}/∂${parent.name} = ${formula}${formula === number ? "" : ` = ${number}`}`;
  return { child, parent, place, formula, derivative, text, passed: finite(child.gradient * derivative) };
}

// The steps in words. A node learns at which step it is known (`at`), an edge at which it is passed.
function tell(nodes, edges) {
  const operations = nodes.filter((node) => node.operation);
  const last = operations.length + 1 + edges.length;
  const steps = [];
  const add = (phase, node, edge, text) => steps.push({ phase, node, edge,
    text: `Step ${steps.length} of ${last}${steps.length ? `, ${phase}: ` : ". "}${text}` });

  const given = nodes.filter((node) => !node.operation).map(({ name, value }) => `${name} = ${show(value)}`);
  add("start", null, null,
    `Given: ${given.join(", ")}. Next, the forward pass computes one node at a time.`);
  for (const node of operations) {
    node.at = steps.length;
    const values = node.args.map((argument) => show(valueOf(argument)));
    add("forward", node, null, `${node.name} = ${node.text}${node.note ? ` is not a number: ${node.note}.`
      : ` = ${write(node, values)} = ${show(node.value)}.`}`);
  }
  const output = nodes.at(-1);
  add("backward", output, null, `start at the output. ${output.name} changes exactly as much as itself, `
    + "so its gradient is 1.");
  for (const edge of edges) {
    edge.at = steps.length;
    add("backward", edge.parent, edge, tellEdge(edge, edges));
  }
  steps.at(-1).text += " Every gradient is known.";
  return steps;
}

// The gradients that have reached a node by some step.
function termsBy(step, node, edges) {
  const terms = edges.filter((edge) => edge.parent === node && edge.at <= step).map((edge) => edge.passed);
  return !node.uses && step > (node.at ?? 0) ? [1] : terms;
}

function tellEdge({ parent, child, derivative, passed, text: equation, at }, edges) {
  const terms = termsBy(at, parent, edges);
  let text = `the gradient at ${child.name} is ${show(child.gradient)}; times the local derivative ${
    equation}, this passes ${show(passed)} to ${parent.name}.`;
  if (derivative === 0) text += " Where the slope is 0, nothing gets through.";
  if (parent.uses > 1) {
    text += terms.length === 1
      ? ` ${parent.name} is used ${parent.uses} times: this is the first term of a sum.`
      : ` It is added to what came before: ${addition(terms)}.`;
  }
  if (!parent.operation && terms.length === parent.uses && Number.isFinite(parent.gradient)) {
    text += ` So adding 0.01 to ${parent.name} would add about ${
      show(0.01 * parent.gradient)} to the output.`;
  }
  return text;
}

const total = (terms) => terms.reduce((sum, term) => sum + term, 0);
const join = (terms, write = show) => terms.map((t, i) => (i ? wrap(write(t)) : write(t))).join(" + ");
const addition = (terms) => `${join(terms)} = ${show(total(terms))}`;

// Nodes in layers, top to bottom: a variable just before its first use; an edge that skips layers bends
// through a cell of its own in each. Places are written onto nodes and edges.
const mean = (numbers) => total(numbers) / numbers.length;
const label = ({ name, operation, text }) => (operation ? `${name} = ${text}` : name);
// Where an edge's number comes from, unless that is the number itself.
const source = ({ formula }) => (/^−?[\d.]+$/.test(formula) ? "" : formula);

function layout({ nodes, edges }) {
  const rows = [];
  const put = (cell) => {
    const row = (rows[cell.layer] ??= []);
    if (!row.includes(cell)) row.push(cell);
    return cell;
  };
  for (const node of nodes) {
    Object.assign(node, { w: Math.max(118, 7 * label(node).length + 22), h: node.uses > 1 ? 78 : 62,
      near: [], heavy: node.operation,
      layer: 1 + Math.max(-1, ...node.args.filter(isNode).map((parent) => parent.layer)) });
  }
  for (const node of nodes) {
    const children = edges.filter((edge) => edge.parent === node).map((edge) => edge.child.layer);
    if (!node.operation && node.uses) node.layer = Math.min(...children) - 1;
  }
  put(nodes.at(-1));
  for (const edge of edges) {
    const { parent, child } = edge, text = source(edge);
    edge.chip = text ? { w: Math.max(text.length * 6.3, 58) + 8, h: 34 } : { w: 8 * edge.formula.length + 26, h: 20 };
    edge.route = [put(parent)];
    for (let at = parent; at !== child; at = edge.route.at(-1)) {
      const layer = at.layer + 1;
      const next = layer === child.layer ? child : put({ w: edge.chip.w, layer, near: [], heavy: parent.heavy });
      at.near.push(next);
      next.near.push(at);
      edge.route.push(next);
    }
  }

  // Each row in the order of its children; then cells are drawn to their neighbors and pushed apart.
  for (const row of [...rows].reverse()) {
    for (const cell of row) {
      const children = cell.near.filter((other) => other.layer > cell.layer);
      cell.order = children.length && mean(children.map((child) => child.x));
    }
    row.sort((a, b) => a.order - b.order).forEach((cell, i) => { cell.x = i; });
  }
  for (let sweep = 0; sweep < 30; sweep += 1) {
    for (const row of sweep % 2 ? rows : [...rows].reverse()) {
      row.forEach((cell, i) => {
        const weights = cell.near.map((other) => (other.heavy ? 1 : 0.02)), before = row[i - 1];
        cell.wanted = total(cell.near.map((other, k) => weights[k] * other.x)) / total(weights) || 0;
        cell.x = Math.max(cell.wanted, before ? before.x + (before.w + cell.w) / 2 + 10 : -Infinity);
      });
      const pulling = row.some((cell) => cell.heavy) ? row.filter((cell) => cell.heavy) : row;
      const shift = mean(pulling.map((cell) => cell.wanted - cell.x));
      for (const cell of row) cell.x += shift;
    }
  }
  let y = 12;
  rows.forEach((row, layer) => {
    const height = Math.max(...row.map((cell) => cell.h ?? 0));
    const into = edges.filter(({ child }) => child.layer === layer);
    if (layer) y += Math.max(...into.map(({ chip }) => chip.h)) + 22 + 6 * Math.max(2, into.length);
    for (const cell of row) cell.y = y + height / 2;
    y += height;
  });

  // Edges leave and reach a node side by side.
  const port = (edge, end, beyond) => {
    const { x, w } = edge[end], here = edges.filter((other) => other[end] === edge[end]);
    here.sort((a, b) => a.route.at(beyond).x - b.route.at(beyond).x);
    return x + (here.indexOf(edge) - (here.length - 1) / 2) * Math.min(44, (0.8 * w) / here.length);
  };
  for (const edge of edges) {
    const { parent, child, route } = edge;
    edge.points = [[port(edge, "parent", 1), parent.y + parent.h / 2],
      ...route.slice(1, -1).map((cell) => [cell.x, cell.y]), [port(edge, "child", -2), child.y - child.h / 2]];
    edge.samples = edge.points.slice(1).flatMap(([x1, y1], i) => [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((t) => {
      const [x0, y0] = edge.points[i];
      return { x: x0 + (x1 - x0) * t * t * (3 - 2 * t), y: y0 + (y1 - y0) * (1.5 * t * (1 - t) + t ** 3), w: 6, h: 6 };
    }));
  }
  // A label stands beside its edge where nothing is in the way, else on it.
  const taken = [...nodes];
  for (const edge of edges) {
    const { chip, child, points, points: [[x0, y0], [x1, y1], ...more], samples } = edge;
    const spot = (x, y, price) => {
      const hits = (it) => Math.abs(x - it.x) < (chip.w + it.w) / 2 && Math.abs(y - it.y) < (chip.h + it.h) / 2;
      const crossed = edges.flatMap((other) => (price < 2 || other !== edge ? other.samples : []));
      return { x, y, cost: price + 9 * taken.filter(hits).length + crossed.filter(hits).length };
    };
    const side = points.at(-1)[0] < child.x ? -1 : 1;
    const beside = more.length ? [] : [side, -side].map((way, i) => spot(
      way * (Math.max(way * x0, way * x1) + chip.w / 2 + 7), (y0 + y1) / 2, i));
    const on = samples.map(({ x, y }, i) => spot(x, y, 2 + Math.abs(i + 0.5 - samples.length / 2) / 9));
    taken.push(Object.assign(chip, [...beside, ...on].reduce((a, b) => (b.cost < a.cost ? b : a))));
  }

  const all = [...taken, ...edges.flatMap(({ samples }) => samples)];
  const left = Math.min(...all.map(({ x, w }) => x - w / 2)) - 8;
  for (const it of all) it.x = Math.round(it.x - left);
  for (const edge of edges) {
    const points = edge.points.map(([x, y]) => [Math.round(x - left), y]);
    const path = (shift) => points.map(([x, y], i) => {
      const [x0, y0] = points[i - 1] ?? [], half = (y0 + y) / 2, end = `${x + shift} ${y}`;
      return i ? `C${x0 + shift} ${half} ${x + shift} ${half} ${end}` : `M${end}`;
    }).join("");
    const tip = ([x, y], shift, by) => `M${x + shift - 4} ${y + by}h8l-4 ${-by}z`;
    edge.there = [path(-3), tip(points.at(-1), -3, -8)];
    edge.home = [path(3), tip(points[0], 3, 8)];
  }
  return { width: Math.max(...all.map(({ x, w }) => x + w / 2)) + 8, height: y + 12 };
}

// The graph as it is after a step. Names are letters, digits and _: there is nothing to escape.
function draw({ nodes, edges, steps }, { width, height, scale }, step) {
  const { phase, node: active, edge: activeEdge } = steps[step];
  const short = (number) => (Number.isFinite(number) ? show(number, 3) : "NaN");
  const flags = (all) => Object.keys(all).filter((flag) => all[flag]).map((flag) => ` is-${flag}`).join("");
  const text = (kind, x, y, content) => `<text class="dl-${kind}" x="${x}" y="${y}">${content}</text>`;
  const rect = ({ x, y, w, h }, rx) =>
    `<rect x="${x - w / 2}" y="${y - h / 2}" width="${w}" height="${h}" rx="${rx}"/>`;
  const summary = [], wires = [], labels = [];
  const boxes = nodes.map((node) => {
    const { x, y, w, h, uses } = node, left = x - w / 2 + 10, right = x + w / 2 - 10, top = y - h / 2;
    const known = (node.at ?? 0) <= step, terms = termsBy(step, node, edges), now = node === active;
    const value = known ? short(node.value) : "–", grad = terms.length ? short(total(terms)) : "–";
    const sum = !terms.length ? `used ${uses} times` : uses > 3 ? `${terms.length} of ${uses} terms`
      : `= ${join(terms, short)}${terms.length < uses ? " + …" : ""}`;
    summary.push(`${label(node)}: value ${value}, gradient ${grad}`);
    return `<g class="dl-node${flags({ input: !node.operation, known, graded: terms.length,
      from: activeEdge?.child === node, now: now && phase === "forward",
      "now-grad": now && phase === "backward" })}">${rect(node, node.operation ? 10 : 20)}
      <path d="M${left - 10} ${top + 23}h${w}"/>${text("name", x, top + 16, label(node))}
      ${text("label", left, top + 37, "value")}${text("value", right, top + 37, value)}
      ${text("label", left, top + 54, "grad")}${text("grad", right, top + 54, grad)}
      ${uses > 1 ? text("sum", right, top + 71, sum) : ""}</g>`;
  });
  for (const edge of edges) {
    const { chip, chip: { x, y }, there, home } = edge, above = source(edge);
    const known = edge.child.at <= step, now = edge === activeEdge, graded = edge.at <= step;
    const state = flags({ known, now, graded, feeds: phase === "forward" && edge.child === active });
    wires.push(`<g class="dl-edge${state}"><path class="dl-wire" d="${there[0]}"/><path d="${there[1]}"/>
      <g class="dl-back"><path class="dl-wire" d="${home[0]}"/><path d="${home[1]}"/></g>
      <circle r="5" style='offset-path: path("${there[0]}")'/></g>`);
    labels.push(`<g class="dl-chip${state}">${rect(chip, 8)}${text("formula", x, y - 4, above)}
      ${text("slope", x, y + (above ? 12 : 4), `× ${short(edge.derivative)}`)}</g>`);
  }
  return `<svg role="img" aria-label="${summary.join("; ")}" viewBox="0 0 ${width} ${height}" width="${
    width * scale}">${[...wires, ...boxes, ...labels].join("")}</svg>`;
}

// The step as an equation, each number over what it is.
function equation({ nodes, edges, steps }, step) {
  const { phase, node, edge } = steps[step];
  const term = (text, caption, kind = "") =>
    `<span class="dl-term ${kind}"><b>${text}</b><small>${caption}</small></span>`;
  if (phase === "start") {
    return nodes.filter(({ operation }) => !operation)
      .map(({ name, value }) => term(show(value), name, "is-value")).join("&emsp;");
  }
  if (phase === "forward") {
    return `${term(write(node, node.args.map((argument) => show(valueOf(argument)))), node.text)} = ${
      term(show(node.value), node.name, "is-value")}`;
  }
  const sum = `gradient at ${node.name}`;
  if (!edge) return term("1", sum, "is-grad");
  const terms = termsBy(step, node, edges), more = terms.length < node.uses;
  const product = `${term(show(edge.child.gradient), `gradient at ${edge.child.name}`, "is-grad")} × ${
    term(show(edge.derivative), source(edge) || "local slope")} = ${
    term(show(edge.passed), `passed to ${node.name}`, "is-grad")}`;
  return node.uses < 2 ? product : `${product}<hr>${term(join(terms) + (more ? " + …" : ""), sum, "is-grad")}${
    terms.length > 1 ? ` = ${term(show(total(terms)), more ? "so far" : "the sum", "is-grad")}` : ""}`;
}

const PAGE = `
  <div class="dl-setup">
    <label class="dl-field dl-grow">Expression
      <input type="text" spellcheck="false" autocomplete="off" autocapitalize="off"></label>
    <label class="dl-field">Example <select><option value="">your own</option>${
  EXAMPLES.map(([name], i) => `<option value="${i}">${name}</option>`).join("")}</select></label>
    <button type="button" class="dl-reset">Reset</button>
    <p class="dl-message" role="status"></p>
  </div>
  <div class="dl-stage" tabindex="0" role="group" aria-label="Graph. Arrow keys step, Space plays."></div>
  <div class="dl-run">
    <div class="dl-buttons"><button type="button" class="dl-step-back">← Back</button><button type="button"
      class="dl-step dl-main">Step →</button><button type="button" class="dl-play"></button></div>
    <div><div class="dl-passes" aria-hidden="true"><span>forward</span><span>backward</span></div>
      <input type="range" class="dl-scrub" min="0" aria-label="Step"></div>
    <div class="dl-strip" aria-hidden="true"></div>
    <p class="dl-sentence" aria-live="polite"></p>
  </div>
  <div class="dl-inputs"><div class="dl-knobs"></div><p class="dl-message" role="status"></p></div>`;
const KEYS = ["expression", "inputs", "step"];

// The state that the model holds, or an error that says what is wrong with it.
function read(model) {
  const [expression, inputs, step] = KEYS.map((key) => model.get(key));
  const last = evaluate(expression, inputs).steps.length - 1;
  if (!Number.isInteger(step) || step < 0) fail(`step: ${step} came; expected a whole number from 0 to ${last}`);
  return [expression, step, inputs];
}

function render({ model, el }) {
  const first = read(model);
  const values = Object.create(null); // of names no longer in use, too
  let expression, graph, size, step, room, timer, typing, saving;

  const root = document.createElement("div");
  root.className = "dl-figure-body dl-stepper";
  root.dataset.lmSuppressShortcuts = true; // JupyterLab has keys of its own.
  root.innerHTML = PAGE;
  const [field, examples, stage, back, forth, play, slider, strip, sentence, knobs] = [".dl-grow input",
    "select", ".dl-stage", ".dl-step-back", ".dl-step", ".dl-play", ".dl-scrub", ".dl-strip", ".dl-sentence",
    ".dl-knobs"].map((selector) => root.querySelector(selector));
  const [trouble, numberTrouble] = root.querySelectorAll(".dl-message");

  const last = () => graph.steps.length - 1;
  const variables = () => graph.nodes.filter((node) => !node.operation);
  const inputs = () => Object.fromEntries(variables().map((node) => [node.name, node.value]));

  function go(to) {
    step = Math.max(0, Math.min(last(), to));
    update();
    save();
    if (timer || innerWidth > 600) return; // On a phone, the node comes into view.
    stage.querySelector(".dl-node.is-now, .is-now-grad")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  function start() {
    if (step === last()) step = 0;
    play.textContent = "❚❚ Pause";
    timer = setInterval(() => {
      if (step < last()) go(step + 1);
      else pause();
    }, 2200); // milliseconds
    go(step + 1);
  }
  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "▶\uFE0E Play";
  }
  // Take an expression, with the values last seen for its names and 1 for new ones. Throws if bad.
  function adopt(text, at = 0, news = {}) {
    const names = parse(text).filter((node) => !node.operation).map((node) => node.name);
    Object.assign(values, news);
    graph = evaluate(text, Object.fromEntries(names.map((name) => [name, values[name] ?? 1])));
    expression = text;
    step = Math.min(at, last());
    pause();
    if (field.value !== text) field.value = text;
    say("");
    // A number and a slider for each variable.
    knobs.innerHTML = variables().map(({ name, value }) => `<div class="dl-knob"><span aria-hidden="true">${name}</span>
      <input type="number" step="0.1" aria-label="${name}" value="${value}"><input type="range" step="0.05" min="-5" max="5"
      aria-label="${name}, slider" value="${value}"></div>`).join("");
    numberTrouble.textContent = "";
    fit();
  }
  function edit(patience) {
    clearTimeout(typing);
    try {
      if (field.value === expression) return say("");
      adopt(field.value);
      save();
    } catch (error) {
      typing = setTimeout(() => say(error.message), patience); // The reader may not be done.
    }
  }
  function say(text) {
    clearTimeout(typing);
    trouble.textContent = text && `${text} The graph is still that of ${expression}.`;
    field.ariaInvalid = Boolean(text);
    const bare = (typed) => typed.replace(/\s/g, "");
    examples.selectedIndex = 1 + EXAMPLES.findIndex((example) => bare(example[1]) === bare(expression));
  }
  function fit() {
    room = root.clientWidth - 34;
    size = layout(graph);
    const beside = room - size.width >= 270;
    size.scale = beside ? 1 : Math.max(0.8, Math.min(1, room / size.width));
    root.dataset.layout = beside ? "side" : "stack";
    root.classList.toggle("is-shared", graph.nodes.some((node) => node.uses > 1));
    update();
  }
  function update() {
    const { phase, text } = graph.steps[step];
    stage.innerHTML = draw(graph, size, step);
    strip.innerHTML = equation(graph, step);
    sentence.textContent = text;
    Object.assign(slider, { max: last(), value: step, ariaValueText: `${step} of ${last()}, ${phase}` });
    root.style.setProperty("--dl-forward", `${(100 * (graph.nodes.length - variables().length)) / last()}%`);
    back.ariaDisabled = step === 0; // not `disabled`, which would lose the focus
    forth.ariaDisabled = step === last();
  }

  knobs.addEventListener("input", ({ target }) => {
    const { value: text, valueAsNumber: value } = target, bad = !Number.isFinite(value);
    const [{ textContent: name }, number, range] = target.parentNode.children;
    number.ariaInvalid = bad;
    numberTrouble.textContent = bad ? `${name}: ${text || "no number"} came; expected a finite number, such as 0.5. The graph still has ${
      name} = ${show(values[name] ?? 1)}.` : "";
    if (bad) return;
    (target === range ? number : range).value = text;
    values[name] = value;
    graph = evaluate(expression, { ...inputs(), [name]: value });
    fit();
    save();
  });
  field.addEventListener("input", () => edit(900));
  field.addEventListener("change", () => edit(0));
  examples.addEventListener("change", () => {
    const [, text, news] = EXAMPLES[examples.value] ?? ["", expression];
    adopt(text, 0, news);
    save();
  });
  slider.addEventListener("input", () => {
    pause();
    go(Number(slider.value));
  });
  root.addEventListener("click", ({ target }) => {
    if (target === play) return timer ? pause() : start();
    if (target.matches("button")) pause();
    if (target === back) go(step - 1);
    if (target === forth) go(step + 1);
    if (target.matches(".dl-reset")) {
      adopt(...first);
      save();
    }
  });
  root.addEventListener("keydown", (event) => {
    const { key, target, altKey, ctrlKey, metaKey, shiftKey } = event;
    if (altKey || ctrlKey || metaKey || shiftKey || target.matches("input:not(.dl-scrub), select")) return;
    const to = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: last() }[key];
    if (to === undefined && (key !== " " || target.matches("button"))) return;
    event.preventDefault();
    if (to === undefined && !timer) return start();
    pause();
    if (to !== undefined) go(to);
  });

  function save() {
    saving = true;
    for (const [key, value] of Object.entries({ expression, inputs: inputs(), step })) model.set(key, value);
    saving = false;
    model.save_changes();
  }
  function receive() {
    try {
      if (!saving) adopt(...read(model));
    } catch (error) {
      say(error.message);
    }
  }
  for (const key of KEYS) model.on(`change:${key}`, receive);
  const watch = new ResizeObserver(() => room !== root.clientWidth - 34 && fit());
  el.append(root);
  adopt(...first);
  watch.observe(root);
  return () => {
    pause();
    watch.disconnect();
    for (const key of KEYS) model.off(`change:${key}`, receive);
    root.remove();
  };
}

export default { render };
