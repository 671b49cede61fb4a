// A window walks over a picture, and each sum is written out. convolution_explorer.py is its twin.

import { arrows, clamp, drag, mount, player, show, slider } from "./kit.mjs";

const LEVELS = "0123456789abcdefg";
const grid = (rows, columns, f) => Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => f(i, j)));
const unpack = (text) => {
  const side = Math.sqrt(text.length);
  return grid(side, side, (i, j) => LEVELS.indexOf(text[i * side + j]) / 16);
};
export const PICTURES = Object.fromEntries(Object.entries({
  "digit 3": "007fd10008d6f400021dd000002fb1000001cc1000001a8000845e90007dd900",
  "digit 8": "009e810000ceec00009a0f40003gce20004gg20003g8ad2001f13g8000bgfb10",
  "photograph": "59fffffffffggggg638ffffffffggggg7645cffffffggggg767535bffffggggg23333226adfggggg1100010147fggggg45544664affggggg24533576ffffgggg33335368befffggg44444424879ffffg3323335567efffff232121433affffff1342215449deeeee3443346888cbbccc55555669aaabbbcc333333379989bddd",
  "empty, to draw on": "0".repeat(100),
}).map(([name, text]) => [name, unpack(text)]));

const outer = (one, by = 1) => one.map((a) => one.map((b) => (a * b) / by));
export const KERNELS = {
  "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
  "identity, 5 × 5": outer([0, 0, 1, 0, 0]),
  "blur": outer([1, 1, 1], 9),
  "blur, 5 × 5": outer([1, 4, 6, 4, 1], 256),
  "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
  "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
  "all edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
  "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
};

const span = (size, dilation) => dilation * (size - 1) + 1;
const at = (map, i, j) => map[i]?.[j] ?? 0;

// The terms [row, column, entry, weight] of one sum.
const terms = (map, kernel, { stride, padding, dilation }, row, column) => kernel.flatMap((weights, a) =>
  weights.map((weight, b) => {
    const i = row * stride - padding + a * dilation, j = column * stride - padding + b * dilation;
    return [i, j, at(map, i, j), weight];
  }));

// The output, or null where the window has no room.
export function convolve(map, kernel, settings) {
  const { stride, padding, dilation } = settings;
  const [rows, columns] = [map, map[0]].map(({ length }) =>
    Math.floor((length + 2 * padding - span(kernel.length, dilation)) / stride) + 1);
  if (rows < 1 || columns < 1) return null;
  return grid(rows, columns, (i, j) =>
    terms(map, kernel, settings, i, j).reduce((sum, [, , entry, weight]) => sum + entry * weight, 0));
}

// All maps of a stack of layers.
export function stack(picture, kernel, settings, layers) {
  const maps = [picture];
  for (let k = 0; k < layers && maps.at(-1); k += 1) maps.push(convolve(maps.at(-1), kernel, settings));
  return maps;
}

// Where one entry of the last layer looks: in each map, the picture first, [first entry, how many].
export function sees(place, size, { stride, padding, dilation }, layers) {
  const fields = [[place, 1]];
  for (let k = 0; k < layers; k += 1) {
    const [first, count] = fields[0];
    fields.unshift([first * stride - padding, (count - 1) * stride + span(size, dilation)]);
  }
  return fields;
}

const table = (value, low, high, test) => Array.isArray(value) && test(value.length)
  && value.every((row) => Array.isArray(row) && row.length === value[0].length && test(row.length)
    && row.every((one) => Number.isFinite(one) && low <= one && one <= high));
const whole = (label, low, high) => ({ label, low, high, whole: true, step: 1 });
const FIELDS = {
  pixels: { test: (value) => (table(value, 0, 1, (n) => n >= 4 && n <= 16) ? "" : "4 to 16 rows of 4 to 16 numbers from 0 to 1") },
  kernel: { test: (value) => (table(value, -99, 99, (n) => (n === 3 || n === 5) && n === value.length) ? ""
    : "3 rows of 3 or 5 rows of 5 numbers from -99 to 99") },
  stride: whole("Stride", 1, 4),
  padding: whole("Padding", 0, 3),
  dilation: whole("Dilation", 1, 3),
  layers: whole("Layers", 1, 4),
  position: { ...whole("Position", 0, 440), format: (value) => value + 1 },
};

const choose = (name, label, choices) => `<label class="dl-field">${label} <select class="${name}" aria-label="${label}">
  <option value="" hidden>your own</option>${Object.keys(choices).map((key) => `<option>${key}</option>`).join("")}</select></label>`;
const PAGE = `
  <div class="dl-row">${choose("dl-picture", "Picture", PICTURES)}${choose("dl-preset", "Kernel", KERNELS)}
    <div class="dl-row"><button type="button" class="dl-play dl-main"></button><button type="button" class="dl-reset">Reset</button></div></div>
  <div class="dl-sliders dl-tight">${["stride", "padding", "dilation", "layers", "position"].map((key) => slider(key, FIELDS[key])).join("")}
    <label class="dl-tick-box"><input type="checkbox" class="dl-pen"> Draw on input</label></div>
  <div class="dl-panes dl-maps">${[0, 1, 2, 3, 4].map((k) => `<div class="dl-pane dl-map" tabindex="0" role="group" aria-label="${
    k ? `Output of layer ${k}. Arrow keys move the window.` : "Input. Arrow keys move the window, or the pen; the space bar draws."}"></div>`).join("")}</div>
  <div class="dl-row"><div class="dl-weights" role="group" aria-label="Kernel"></div><div class="dl-sum"></div></div>
  <p class="dl-says"></p>`;

const nameOf = (choices, value) => Object.keys(choices).find((name) => JSON.stringify(choices[name]) === JSON.stringify(value)) ?? "";
const by = (map) => `${map.length} × ${map[0].length}`;

function render({ model, el }) {
  let maps, last, end, play, exact, cursor = [0, 0];
  const finds = [];
  const place = ({ position }) => [Math.floor(position / last[0].length), position % last[0].length];

  function changed({ state, root }) {
    maps = stack(state.pixels, state.kernel, state, state.layers);
    last = maps.at(-1);
    end = last ? last.length * last[0].length - 1 : 440;
    state.position = Math.min(state.position, end);
    root.querySelector("[data-key=position]").max = end;
  }

  // One map as squares: the picture's are gray, an output's blue above 0 and orange below.
  function picture(pane, k, { layers, padding }, frames) {
    const map = maps[k], ring = k < layers ? padding : 0, rows = map.length + 2 * ring, columns = map[0].length + 2 * ring;
    const width = Math.max(160, pane.clientWidth), cell = Math.min(40, Math.floor((width - 16) / Math.max(rows, columns)));
    const left = Math.round((width - cell * columns) / 2), top = 30, most = Math.max(1e-12, ...map.flat().map(Math.abs));
    finds[k] = (x, y) => [Math.floor((y - top) / cell) - ring, Math.floor((x - left) / cell) - ring];
    const box = ([i, j, high, wide], rest) => {
      const [y, x] = [Math.max(0, i + ring), Math.max(0, j + ring)];
      return `<rect x="${left + cell * x}" y="${top + cell * y}" width="${Math.max(0, cell * (Math.min(columns, j + ring + wide) - x))}" height="${
        Math.max(0, cell * (Math.min(rows, i + ring + high) - y))}" ${rest}/>`;
    };
    const squares = grid(rows, columns, (a, b) => {
      const i = a - ring, j = b - ring, value = map[i]?.[j] ?? 0, inside = map[i]?.[j] !== undefined;
      const fill = !inside ? "none" : `color-mix(in srgb, ${k ? `var(--dl-${value < 0 ? "orange" : "blue"})` : "white"} ${
        Math.round(k ? (85 * Math.abs(value)) / most : 100 * value)}%, ${k ? "var(--fig-ground)" : "black"})`;
      const ink = !inside ? "var(--fig-soft)" : k ? "var(--fig-text)" : value > 0.45 ? "black" : "white";
      return box([i, j, 1, 1], `style="fill:${fill}"`) + (cell < 25 ? "" : `<text text-anchor="middle" x="${left + cell * (b + 0.5)}" y="${
        top + cell * (a + 0.5) + 4}" style="fill:${ink}">${show(Number(value.toFixed(cell < 36 ? 1 : 2)))}</text>`);
    });
    pane.innerHTML = `<svg aria-hidden="true" width="${width}" height="${top + cell * rows + 8}"><text class="dl-axis" x="8" y="19">${k ? `Layer ${k}` : "Input"}: ${by(map)}${
      ring ? `, padded to ${rows} × ${columns}` : ""}</text>${squares.flat().join("")}${
      frames.map(([name, ...frame]) => box(frame, `class="${name}"`)).join("")}</svg>`;
  }

  function draw(figure) {
    const { state, find, root, say } = figure, { kernel, padding, dilation, layers } = state, size = kernel.length;
    find(".dl-picture").value = nameOf(PICTURES, state.pixels);
    find(".dl-preset").value = nameOf(KERNELS, kernel);
    const weights = find(".dl-weights");
    if (weights.children.length !== size * size) {
      weights.style.setProperty("--size", size);
      weights.innerHTML = kernel.flatMap((row, i) => row.map((_, j) => `<input autocomplete="off" data-lm-suppress-shortcuts="true"
        aria-label="Weight in row ${i + 1}, column ${j + 1}">`)).join("");
    }
    kernel.flat().forEach((weight, k) => {
      const input = weights.children[k];
      if (read(input) !== weight) input.value = show(weight);
      input.ariaInvalid = "false";
    });

    let down, across, parts = [];
    if (last) {
      const [row, column] = place(state), value = last[row][column], signed = (number) => show(number).replace(/^−.*/, "($&)");
      [down, across] = [row, column].map((one) => sees(one, size, state, layers));
      parts = terms(maps[layers - 1], kernel, state, row, column);
      find(".dl-sum").innerHTML = `${kernel.map((line, i) => `<div>${i ? "+ " : ""}${parts.slice(i * size, (i + 1) * size).map(([, , entry, weight]) =>
        `<span${entry * weight ? "" : ' class="dl-none"'}>${signed(entry)} · ${signed(weight)}</span>`).join(" + ")}</div>`).join("")}<strong>= ${show(value, 4)}</strong>`;
      say(`Row ${row + 1}, column ${column + 1} of the ${by(last)} output: the sum of ${size * size} products is ${show(value, 4)}. ${
        layers > 1 ? `Through ${layers} layers it` : "It"} sees ${down[0][1]} × ${down[0][1]} entries of the input.`, play?.playing);
    } else {
      const full = maps.length - 1, { length } = maps[full - 1], covers = span(size, dilation);
      find(".dl-sum").innerHTML = "";
      say(`No room for layer ${full}: the window covers ${covers} × ${covers} entries, what it looks at with its padding has ${
        length + 2 * padding} × ${maps[full - 1][0].length + 2 * padding}. Use more padding or less dilation.`);
    }
    root.querySelectorAll(".dl-map").forEach((pane, k) => {
      pane.hidden = !maps[k];
      if (!maps[k]) return;
      const frames = k === layers - 1 && dilation > 1 ? parts.map(([i, j]) => ["dl-tap", i, j, 1, 1]) : [];
      if (last) frames.push(["dl-window", down[k][0], across[k][0], down[k][1], across[k][1]]);
      if (!k && find(".dl-pen").checked) frames.push(["dl-cursor", ...cursor, 1, 1]);
      picture(pane, k, state, frames);
    });
  }

  const read = ({ value }) => (value.trim() ? Number(value.replace("−", "-")) : NaN);
  const figure = mount({ model, el }, { fields: FIELDS, page: PAGE, draw, changed });
  const { state, find, set, root } = figure;
  const go = (...spot) => {
    if (!last) return;
    play.stop();
    const [row, column] = spot.map((one, side) => clamp(one, 0, (side ? last[0] : last).length - 1));
    set({ position: row * last[0].length + column });
  };
  play = player(find(".dl-play"), {
    tick(seconds) {
      if (Math.floor(exact) !== state.position || state.position === end) exact = state.position % end || 0;
      exact = Math.min(end, exact + 6 * seconds);
      set({ position: Math.floor(exact) }, { save: false });
      return last && state.position < end;
    },
    jump: () => set({ position: end }),
    stopped: figure.save,
  });

  const pen = (k) => !k && find(".dl-pen").checked, inside = ([i, j]) => state.pixels[i]?.[j] !== undefined;
  const paint = (level) => set({ pixels: state.pixels.map((row, i) => row.map((value, j) => (`${[i, j]}` === `${cursor}` ? level : value))) });
  const other = () => (at(state.pixels, ...cursor) > 0.5 ? 0 : 1);
  root.querySelectorAll(".dl-map").forEach((pane, k) => {
    drag(pane, (x, y) => (pen(k) && inside(finds[k](x, y)) ? {} : undefined), (held, x, y) => {
      if (!inside(finds[k](x, y))) return;
      cursor = finds[k](x, y);
      held.level ??= other();
      paint(held.level);
    });
    pane.addEventListener("click", ({ clientX, clientY }) => {
      if (pen(k)) return;
      // The output whose field is centered here.
      const { left, top } = pane.getBoundingClientRect(), [first, count] = sees(0, state.kernel.length, state, state.layers)[k];
      go(...finds[k](clientX - left, clientY - top).map((spot) => Math.round((spot - first - (count - 1) / 2) / state.stride ** (state.layers - k))));
    });
    arrows(pane, (dx, dy) => {
      const [row, column] = last ? place(state) : [];
      if (!pen(k)) return go(row - dy, column + dx);
      const next = [cursor[0] - dy, cursor[1] + dx];
      if (inside(next)) cursor = next;
      draw(figure);
      figure.say(`Pen at row ${cursor[0] + 1}, column ${cursor[1] + 1}: ${show(at(state.pixels, ...cursor))}.`);
    });
    pane.addEventListener("keydown", (event) => {
      if (event.key !== " " || !pen(k)) return;
      event.preventDefault();
      paint(other());
    });
  });

  root.addEventListener("input", ({ target }) => {
    const { value } = target;
    if (target.dataset.key) play.stop();
    if (target.matches(".dl-picture")) {
      find(".dl-pen").checked = value.startsWith("empty");
      cursor = [0, 0];
      set({ pixels: structuredClone(PICTURES[value]) });
    } else if (target.matches(".dl-preset")) set({ kernel: structuredClone(KERNELS[value]) });
    else if (target.matches(".dl-pen")) draw(figure);
    else if (target.closest(".dl-weights")) {
      const weight = read(target), size = state.kernel.length, spot = [...target.parentElement.children].indexOf(target);
      const good = Math.abs(weight) <= 99;
      if (good) set({ kernel: grid(size, size, (i, j) => (i * size + j === spot ? weight : state.kernel[i][j])) });
      target.ariaInvalid = String(!good);
      figure.complain(good ? "" : `${value || "Nothing"} came; a weight is a number from −99 to 99.`);
    }
  });
  figure.close.push(play.stop);
  return figure.destroy;
}

export default { render };
