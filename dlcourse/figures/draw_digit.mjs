// What is drawn becomes a picture as MNIST has them, and LeNet-5 reads it. draw_digit.py is its twin;
// benchmarks/draw_digit.py has trained the net.

import { arrows, clamp, drag, mount, show, slider } from "./kit.mjs";
import { NET } from "./draw_digit_weights.mjs";

// One layer's weights, (outputs, inputs, k, k), from int8 and a scale for each output.
function unpack({ shape, weight, scale, bias }) {
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer;
  const [levels, scales] = [new Int8Array(bytes(weight)), new Float32Array(bytes(scale))];
  const each = levels.length / shape[0];
  return { shape, weight: Float64Array.from(levels, (level, i) => level * scales[Math.floor(i / each)]), bias: new Float32Array(bytes(bias)) };
}
let net;

// Convolution at stride 1 of square maps; a linear layer is one of maps of a single entry.
function conv(x, side, { shape: [outputs, inputs, k = 1], weight, bias }, padding = 0) {
  const n = side + 2 * padding - k + 1, y = new Float64Array(outputs * n * n);
  for (let o = 0; o < outputs; o += 1) {
    y.fill(bias[o], o * n * n, (o + 1) * n * n);
    for (let c = 0; c < inputs; c += 1) {
      for (let a = 0; a < k; a += 1) {
        for (let b = 0; b < k; b += 1) {
          const w = weight[((o * inputs + c) * k + a) * k + b], shift = b - padding;
          const first = Math.max(0, -shift), end = Math.min(n, side - shift);
          for (let i = Math.max(0, padding - a); i < Math.min(n, side + padding - a); i += 1) {
            const to = (o * n + i) * n, from = (c * side + i + a - padding) * side + shift;
            for (let j = first; j < end; j += 1) y[to + j] += w * x[from + j];
          }
        }
      }
    }
  }
  return y;
}
const relu = (x) => x.map((value) => Math.max(0, value));
const pool = (x, side) => Float64Array.from({ length: x.length / 4 }, (_, at) => {
  const half = side / 2, i = 2 * side * Math.floor(at / half) + 2 * (at % half);
  return Math.max(x[i], x[i + 1], x[i + side], x[i + side + 1]);
});

// All layers of the net for one picture of 28 x 28 levels from 0 to 1.
export function forward(input) {
  net ??= Object.fromEntries(Object.entries(NET).map(([name, layer]) => [name, unpack(layer)]));
  const c1 = relu(conv(input, 28, net.c1, 2)), s2 = pool(c1, 28), c3 = relu(conv(s2, 14, net.c3)), s4 = pool(c3, 10);
  const c5 = relu(conv(s4, 5, net.c5)), f6 = relu(conv(c5, 1, net.f6));
  return { input, c1, s2, c3, s4, c5, f6, output: conv(f6, 1, net.output) };
}

export function softmax(scores) {
  const most = Math.max(...scores), powers = Array.from(scores, (score) => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// The picture of 28 x 28 that the net gets: as in MNIST, the drawing fills a box of 20 x 20, and its
// center of mass is moved, by whole pixels, to the center. The pen has always the same width there.
export function raster(strokes, turn, pen) {
  const picture = new Float64Array(784), angle = (turn * Math.PI) / 180, [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const lines = strokes.map((stroke) => stroke.map(([x, y]) => [cos * (x - 50) - sin * (y - 50), sin * (x - 50) + cos * (y - 50)]));
  const ends = [0, 1].map((axis) => [Math.min, Math.max].map((f) => lines.flat().reduce((best, point) => f(best, point[axis]), lines[0]?.[0][axis])));
  const scale = (20 - pen) / Math.max(10, ...ends.map(([low, high]) => high - low)), reach = pen / 2 + 0.5;
  const paint = (shift) => {
    picture.fill(0);
    for (const line of lines) {
      const dots = line.map((point) => point.map((value, axis) => scale * (value - (ends[axis][0] + ends[axis][1]) / 2) + 14 + shift[axis]));
      dots.forEach(([x, y], k) => {
        const [x0, y0] = dots[Math.max(0, k - 1)], dx = x - x0, dy = y - y0, long = dx * dx + dy * dy;
        const range = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - reach - 0.5)), Math.min(27, Math.ceil(Math.max(a, b) + reach))];
        const [top, bottom] = range(y0, y), [left, right] = range(x0, x);
        for (let i = top; i <= bottom; i += 1) {
          for (let j = left; j <= right; j += 1) {
            const u = j + 0.5 - x0, v = i + 0.5 - y0, t = long ? clamp((u * dx + v * dy) / long, 0, 1) : 0;
            picture[28 * i + j] = Math.max(picture[28 * i + j], clamp(reach - Math.hypot(u - t * dx, v - t * dy), 0, 1));
          }
        }
      });
    }
  };
  paint([0, 0]);
  const mass = picture.reduce((a, b) => a + b), mean = (f) => picture.reduce((sum, ink, k) => sum + ink * (f(k) + 0.5), 0) / mass;
  if (mass) paint([mean((k) => k % 28), mean((k) => Math.floor(k / 28))].map((center) => Math.floor(14 - center + 0.5)));
  return picture;
}

const MOST = 2000;
const good = (value) => Array.isArray(value) && value.length <= 100
  && value.every((stroke) => Array.isArray(stroke) && stroke.length && stroke.length <= MOST && stroke.every((point) => Array.isArray(point)
    && point.length === 2 && point.every((one) => Number.isFinite(one) && one >= 0 && one <= 100))) && value.flat().length <= MOST;
const FIELDS = {
  strokes: { test: (value) => (good(value) ? "" : `up to 100 strokes of points [x, y] from 0 to 100, at most ${MOST} in all`) },
  turn: { label: "Turn the drawing", low: -180, high: 180, step: 5, whole: true, format: (value) => `${show(value)}°` },
  pen: { label: "Pen, in pixels", low: 1, high: 5, step: 0.2 },
};
// Layers to show: maps in a row, rows, side of a map, name.
const MAPS = { input: [1, 1, 28, "What the net gets: 28 × 28"], c1: [6, 1, 28, "C1: 6 maps of 28 × 28"], s2: [6, 1, 14, "S2: the largest of each 2 × 2"],
  c3: [8, 2, 10, "C3: 16 maps of 10 × 10"], s4: [8, 2, 5, "S4: the largest of each 2 × 2"], c5: [24, 5, 1, "C5: 120 numbers"], f6: [21, 4, 1, "F6: 84 numbers"] };
const DIGITS = [...Array(10).keys()];
const PAGE = `
  <div class="dl-panes"><div><div class="dl-pane dl-paper" tabindex="0" role="group"
    aria-label="Drawing. Draw with mouse or finger, or move with the arrow keys and put the pen down or lift it with the space bar.">
    <svg aria-hidden="true" viewBox="0 0 100 100"></svg></div>
    <div class="dl-row"><button type="button" class="dl-undo">Undo</button><button type="button" class="dl-clear dl-main">Clear</button>
    <button type="button" class="dl-reset">Reset</button></div></div>
    <div><div class="dl-bars">${DIGITS.map((digit) => `<b>${digit}</b><i></i><span></span>`).join("")}</div>
    ${slider("turn", FIELDS.turn)}${slider("pen", FIELDS.pen)}</div></div>
  <p class="dl-says"></p>
  <div class="dl-layers">${Object.entries(MAPS).map(([name, [wide, high, side, label]]) => `<div style="--wide:${wide * (side + 1)}"><span>${label}</span>
    <canvas class="dl-${name}" width="${wide * (side + 1) - 1}" height="${high * (side + 1) - 1}" aria-hidden="true"></canvas></div>`).join("")}</div>`;

function render({ model, el }) {
  let cursor, down = false, busy = false;

  function picture(canvas, values, [wide, , side]) {
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    const most = Math.max(1e-12, ...values), size = side * side;
    // The gaps between maps stay clear; in a map, clear is 0 and full is the layer's largest value.
    values.forEach((value, k) => {
      const map = Math.floor(k / size), i = Math.floor((k % size) / side), j = k % side;
      const at = (Math.floor(map / wide) * (side + 1) + i) * canvas.width + (map % wide) * (side + 1) + j;
      image.data[4 * at + 3] = 20 + (235 * value) / most;
    });
    context.putImageData(image, 0, 0);
  }

  function draw({ state: { strokes, turn, pen }, find, root, say }) {
    const layers = forward(raster(strokes, turn, pen)), any = strokes.length > 0;
    const chances = any ? softmax(layers.output) : DIGITS.map(() => 0), order = [...DIGITS].sort((a, b) => chances[b] - chances[a]);
    const percent = (digit) => `${show(100 * chances[digit], chances[digit] > 0.995 ? 4 : 2)} %`;
    find(".dl-paper svg").innerHTML = `<g transform="rotate(${turn} 50 50)">${strokes.map((stroke) =>
      `<path d="M${[...stroke, stroke.at(-1)].join("L")}"/>`).join("")}</g>${
      cursor ? `<circle class="dl-handle" r="${down ? 3.5 : 2.5}" cx="${cursor[0]}" cy="${cursor[1]}"/>` : ""}`;
    find(".dl-paper").style.setProperty("--pen", 2.4 * pen);
    root.querySelectorAll(".dl-bars i").forEach((bar, digit) => {
      bar.style.setProperty("--share", chances[digit]);
      bar.nextElementSibling.textContent = any ? percent(digit) : "";
      bar.previousElementSibling.className = any && digit === order[0] ? "is-best" : "";
    });
    for (const [name, form] of Object.entries(MAPS)) picture(find(`.dl-${name}`), layers[name], form);
    find(".dl-undo").ariaDisabled = find(".dl-clear").ariaDisabled = !any;
    const turned = turn ? ` Turned by ${show(turn)}°.` : "";
    say(any ? `It reads a ${order[0]} (${percent(order[0])}); next comes ${order[1]} (${percent(order[1])}).${turned}`
      : `Draw a digit, from 0 to 9.${turned}`, busy);
  }

  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw });
  const { state, find, set, root } = figure, paper = find(".dl-paper");
  // Points lie in the drawing as it was made; what the hand sees may be turned.
  const point = (x, y) => {
    const angle = (-state.turn * Math.PI) / 180, [u, v] = [x - 50, y - 50];
    return [Math.cos(angle) * u - Math.sin(angle) * v, Math.sin(angle) * u + Math.cos(angle) * v].map((one) => clamp(Number((one + 50).toFixed(1)), 0, 100));
  };
  function add(place, fresh) {
    const stroke = fresh ? [] : state.strokes.at(-1) ?? [], [x, y] = stroke.at(-1) ?? [-9, -9];
    if (Math.hypot(place[0] - x, place[1] - y) < 1) return;
    const strokes = [...(fresh ? state.strokes : state.strokes.slice(0, -1)), [...stroke, place]];
    if (!good(strokes)) return figure.complain("The paper is full: clear it.");
    set({ strokes }, { save: !busy });
  }
  drag(paper, () => ({ fresh: true }), (held, x, y) => {
    busy = true;
    cursor = undefined;
    add(point(...[x, y].map((one) => (100 * one) / paper.clientWidth)), held.fresh);
    held.fresh = false;
  }, () => {
    busy = false;
    draw(figure);
    figure.save();
  });
  arrows(paper, (dx, dy) => {
    cursor = (cursor ?? [50, 50]).map((one, axis) => clamp(one + 2 * (axis ? -dy : dx), 0, 100));
    if (down) add(point(...cursor));
    else draw(figure);
  });
  paper.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    down = !down;
    cursor ??= [50, 50];
    if (down) add(point(...cursor), true);
    else draw(figure);
  });
  paper.addEventListener("blur", () => {
    down = false;
    cursor = undefined;
    draw(figure);
  });
  root.addEventListener("click", ({ target }) => {
    if (target.matches(".dl-clear")) set({ strokes: [] });
    if (target.matches(".dl-undo")) set({ strokes: state.strokes.slice(0, -1) });
  });
  return figure.destroy;
}

export default { render };
