// What several figures share: a state that is checked and kept in step with the model, controls
// bound to it, axes and curves, dragging, playing. On the site it is a module like any other; for a
// notebook, which takes one text alone, `base.module_text` puts it into the figure that imports it.

export const fail = (message) => {
  throw new Error(message);
};
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

// A number as people write it: 0.25, −3, 1e−7.
export function show(number, digits = 3) {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "not a number" : number > 0 ? "∞" : "−∞";
  const rounded = Number(number.toPrecision(digits)), size = Math.abs(rounded);
  const text = size === 0 || (size >= 1e-3 && size < 1e5) ? String(rounded) : rounded.toExponential();
  return text.replace("+", "").replace(/-/g, "−");
}

// State. A field says what a value may be: `options` (an object: value -> label), or `low`, `high`
// and perhaps `whole`, or `test(value)` -> what was expected, "" if the value is good. `label` names
// its control; `log` makes a slider logarithmic, and `zero` gives it a 0 at its left end.

export function check(fields, get) {
  const state = {};
  for (const [key, { options, low, high, whole, zero, test }] of Object.entries(fields)) {
    const value = get(key);
    const inside = Number.isFinite(value) && ((low <= value && value <= high) || (zero && value === 0))
      && (!whole || Number.isInteger(value));
    const wanted = test ? test(value)
      : options ? (typeof value === "string" && Object.hasOwn(options, value) ? ""
        : `one of ${Object.keys(options).join(", ")}`)
        : inside ? "" : `a ${whole ? "whole " : ""}number from ${low} to ${high}`;
    if (wanted) fail(`${key}: ${(JSON.stringify(value) ?? "nothing").slice(0, 60)} came; expected ${wanted}`);
    state[key] = value;
  }
  return state;
}

export const slider = (key, { label, low, high, step, log, zero }) => `<label class="dl-slide">
  <span>${label}</span><output></output><input type="range" data-key="${key}" aria-label="${label}"
  min="${log ? Math.log10(low) - (zero ? step : 0) : low}" max="${log ? Math.log10(high) : high}" step="${step}"></label>`;
export const select = (key, { label, options }) => `<label class="dl-field">${label}
  <select data-key="${key}" aria-label="${label}">${Object.entries(options).map(([value, text]) =>
    `<option value="${escape(value)}">${escape(text)}</option>`).join("")}</select></label>`;

export function readSlider({ value }, { log, zero, low }) {
  if (!log) return Number(value);
  return zero && Number(value) < Math.log10(low) - 1e-9 ? 0 : Number((10 ** value).toPrecision(2));
}
export function writeSlider(input, { log, zero, low, step, format = show }, value) {
  input.value = !log ? value : value || !zero ? Math.log10(value) : Math.log10(low) - step;
  input.previousElementSibling.textContent = input.ariaValueText = format(value);
}

// Builds the figure: `page` is its inside, `draw(figure, keys that changed)` shows the state. Elements
// with `data-key` move the state's value of that name; `.dl-reset` brings back the first state.
export function mount({ model, el }, { fields, page, draw, changed = () => {} }) {
  const keys = Object.keys(fields);
  const read = () => check(fields, (key) => structuredClone(model.get(key)));
  const first = read();
  let saving = false, width = 0;

  const root = document.createElement("div");
  root.className = "dl-figure-body dl-kit";
  root.innerHTML = `${page}<p class="dl-message" role="status"></p>`;
  // JupyterLab has keys of its own, for any focused element that does not say it wants none of them.
  for (const part of root.querySelectorAll("input, select, button, [tabindex]")) part.dataset.lmSuppressShortcuts = true;
  const message = root.querySelector(":scope > .dl-message"), says = root.querySelector(".dl-says");
  if (says) says.ariaLive = "polite";

  const figure = {
    root, first,
    state: structuredClone(first),
    find: (selector) => root.querySelector(selector),
    set(changes, { save = true } = {}) {
      Object.assign(figure.state, changes);
      message.textContent = "";
      changed(figure, Object.keys(changes));
      update(Object.keys(changes));
      if (save) figure.save();
    },
    save() {
      saving = true;
      for (const key of keys) model.set(key, structuredClone(figure.state[key]));
      saving = false;
      model.save_changes();
    },
    say(text, quiet = false) {
      says.ariaLive = quiet ? "off" : "polite";
      if (says.textContent !== text) says.textContent = text;
    },
    complain: (text) => { message.textContent = text; },
    close: [],
  };

  function update(changes) {
    for (const control of root.querySelectorAll("[data-key]")) {
      const key = control.dataset.key, value = figure.state[key];
      if (control.type === "range") writeSlider(control, fields[key], value);
      else if (control.type === "checkbox") control.checked = value;
      else control.value = value;
    }
    draw(figure, changes);
  }
  root.addEventListener("input", ({ target }) => {
    const { key } = target.dataset;
    if (!(key in fields)) return;
    figure.set({ [key]: target.type === "range" ? readSlider(target, fields[key])
      : target.type === "checkbox" ? target.checked : target.value });
  });
  root.addEventListener("click", ({ target }) => {
    if (target.matches(".dl-reset")) figure.set(structuredClone(first));
  });
  const receive = () => {
    if (saving) return;
    try {
      figure.set(read(), { save: false });
    } catch (error) {
      figure.complain(`${error.message}. The figure stays as it was.`);
    }
  };
  for (const key of keys) model.on(`change:${key}`, receive);
  const watch = new ResizeObserver(() => {
    if (root.clientWidth === width) return;
    width = root.clientWidth;
    draw(figure, []);
  });
  el.append(root);
  width = root.clientWidth;
  try {
    changed(figure, keys);
    update(keys);
  } catch (error) {
    root.remove();
    throw error;
  }
  watch.observe(root);
  figure.close.push(() => {
    watch.disconnect();
    for (const key of keys) model.off(`change:${key}`, receive);
    root.remove();
  });
  figure.destroy = () => figure.close.forEach((end) => end());
  return figure;
}

// Pictures. Axes are drawn for a box of `width` by `height` pixels; `X` and `Y` take numbers to pixels,
// `fromX` and `fromY` back.

export function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.7);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(k * step);
  return found.map((tick) => Number(tick.toPrecision(12)));
}

let clips = 0;
export function axes({ x, y, width, height, xName = "", yName = "", log = false, left = 44, top = yName ? 26 : 10 }) {
  // A figure may be drawn before it has a place, of no width; it is drawn again when it has one.
  const right = Math.max(width, 160) - 12, bottom = Math.max(height, 120) - (xName ? 42 : 24);
  const scale = log ? (value) => Math.log10(Math.max(value, 1e-300)) : Number;
  const [y0, y1] = y.map(scale), far = 4 * (width + height);
  const X = (value) => clamp(left + ((right - left) * (value - x[0])) / (x[1] - x[0]), -far, far);
  const Y = (value) => clamp(bottom + ((top - bottom) * (scale(value) - y0)) / (y1 - y0), -far, far);
  const decades = Math.ceil((y1 - y0) / Math.max(2, (bottom - top) / 28));
  const rows = log ? ticks(Math.ceil(y0 / decades) * decades, y1, (y1 - y0) / decades).map((power) => 10 ** power)
    : ticks(y0, y1, Math.max(2, (bottom - top) / 44));
  const columns = ticks(...x, Math.max(2, (right - left) / 64));
  const clip = `dl-clip-${(clips += 1)}`;
  const markup = `<clipPath id="${clip}"><rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/></clipPath>
    <path class="dl-grid" d="${rows.map((v) => `M${left} ${Y(v).toFixed(1)}H${right}`).join("")}${
  columns.map((v) => `M${X(v).toFixed(1)} ${top}V${bottom}`).join("")}"/>
    ${rows.map((v) => `<text class="dl-tick" text-anchor="end" x="${left - 7}" y="${Y(v) + 4}">${show(v)}</text>`).join("")}
    ${columns.map((v) => `<text class="dl-tick" text-anchor="middle" x="${X(v)}" y="${bottom + 17}">${show(v)}</text>`).join("")}
    <text class="dl-axis" text-anchor="middle" x="${(left + right) / 2}" y="${height - 6}">${xName}</text>
    <text class="dl-axis" x="${Math.min(left, 10)}" y="14">${yName}</text>`;
  return { X, Y, left, right, top, bottom, clip, markup,
    fromX: (px) => x[0] + ((px - left) / (right - left)) * (x[1] - x[0]),
    fromY: (px) => y0 + ((px - bottom) / (top - bottom)) * (y1 - y0) };
}

// A path through points [x, y]; it breaks where one is not finite.
export function line({ X, Y }, points) {
  let pen = "M", path = "";
  for (const [x, y] of points) {
    const there = Number.isFinite(x) && Number.isFinite(y);
    if (there) path += `${pen}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
    pen = there ? "L" : "M";
  }
  return path;
}
export const spread = (low, high, count) =>
  Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);

// Marks differ in form as well as in color.
const around = (n, turn, radii) => (x, y, r) => `M${Array.from({ length: n }, (_, i) => {
  const angle = ((i + turn) * 2 * Math.PI) / n - Math.PI / 2, far = r * radii[i % radii.length];
  return `${(x + far * Math.cos(angle)).toFixed(1)} ${(y + far * Math.sin(angle)).toFixed(1)}`;
}).join("L")}Z`;
export const MARKS = {
  circle: around(20, 0, [1]), square: around(4, 0.5, [1.25]), diamond: around(4, 0, [1.35]),
  triangle: around(3, 0, [1.45]), down: around(3, 0.5, [1.45]), star: around(10, 0, [1.5, 0.65]),
  cross: around(12, 0.5, [1.4, 1.4, 0.62]),
};

// Colors, dashes and marks of lines that are compared: none of the three alone tells them apart.
export const LOOKS = [["blue", "", "circle"], ["orange", "8 4", "square"], ["green", "8 3 2 3", "triangle"],
  ["purple", "2 3", "diamond"], ["sky", "10 3 2 3 2 3", "cross"], ["amber", "5 3", "star"], ["ink", "12 3", "down"],
].map(([color, dash, mark]) => ({ color: `color-mix(in srgb, var(--dl-${color}) 85%, var(--fig-text))`, dash, mark: MARKS[mark] }));

// A surface f(x, y) in bands that darken downhill, with a line where two meet. It is drawn as a mask over the
// text color, so it follows the page from light to dark. `level` turns a height into a band (0 = lowest).
export function relief(element, f, { fromX, fromY, left, right, top, bottom }, level, bands) {
  const scale = Math.min(2, globalThis.devicePixelRatio || 1);
  const w = Math.round((right - left) * scale), h = Math.round((bottom - top) * scale);
  const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
  const context = canvas.getContext("2d"), image = context.createImageData(w, h), band = new Int16Array(w * h);
  const xs = Array.from({ length: w }, (_, i) => fromX(left + (i + 0.5) / scale));
  for (let j = 0, at = 0; j < h; j += 1) {
    const y = fromY(top + (j + 0.5) / scale);
    for (let i = 0; i < w; i += 1, at += 1) {
      band[at] = clamp(Math.floor(level(f(xs[i], y))), 0, bands);
      const edge = (i && band[at] !== band[at - 1]) || (j && band[at] !== band[at - w]);
      image.data[4 * at + 3] = 255 * (0.04 + 0.36 * (1 - band[at] / bands) ** 1.5) + (edge ? 40 : 0);
    }
  }
  context.putImageData(image, 0, 0);
  element.style.cssText = `left:${left}px;top:${top}px;width:${right - left}px;height:${bottom - top}px;`
    + `-webkit-mask:url(${canvas.toDataURL()}) 0 0/100% 100%;mask:url(${canvas.toDataURL()}) 0 0/100% 100%`;
}

// Dragging: `hit(x, y)` says what is held at a place of the element (undefined: nothing, and the page
// scrolls), `move(held, x, y)` moves it, `drop()` ends it.
export function drag(element, hit, move, drop = () => {}) {
  let held;
  const place = ({ clientX, clientY }) => {
    const box = element.getBoundingClientRect();
    return [clientX - box.left - element.clientLeft, clientY - box.top - element.clientTop];
  };
  element.addEventListener("touchstart", (event) => {
    if (hit(...place(event.touches[0])) !== undefined) event.preventDefault();
  }, { passive: false });
  element.addEventListener("pointerdown", (event) => {
    held = event.button ? undefined : hit(...place(event));
    if (held === undefined) return;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    move(held, ...place(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (held !== undefined) return move(held, ...place(event));
    element.style.cursor = hit(...place(event)) === undefined ? "" : "grab";
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => {
      if (held !== undefined) drop();
      held = undefined;
    });
  }
}

// Playing: `tick(seconds since the last)` -> whether to go on. Where readers ask for less motion,
// `jump()` goes to the end at once.
export function player(button, { tick, jump, stopped }) {
  let request = 0, last;
  const stop = () => {
    const was = request;
    cancelAnimationFrame(request);
    request = 0;
    button.textContent = "▶\uFE0E Play";
    if (was) stopped();
  };
  const beat = (now) => {
    const go = tick(Math.min(0.1, (now - last) / 1000));
    last = now;
    if (go) request = requestAnimationFrame(beat);
    else stop();
  };
  button.addEventListener("click", () => {
    if (request) return stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return jump();
    last = performance.now();
    button.textContent = "❚❚ Pause";
    request = requestAnimationFrame(beat);
  });
  stop();
  return { stop, get playing() { return Boolean(request); } };
}

// Arrow keys on an element: `move(dx, dy)` in units of one press, ten times as far with Shift.
export function arrows(element, move) {
  element.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (dx === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    move(far * dx, far * dy);
  });
}
