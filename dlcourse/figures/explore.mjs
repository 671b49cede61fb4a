// A picture for each setting of one to three parameters. On a page all pictures are there, drawn when
// it was built; in a notebook Python draws the one that is asked for. explore.py is its other half.

import { check, escape, fail, mount, show } from "./kit.mjs";

const isValue = (value) => ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const write = (value) => (typeof value === "number" ? show(value, 6)
  : value === true ? "yes" : value === false ? "no" : value);

function testParameters(parameters) {
  const good = Array.isArray(parameters) && parameters.length >= 1 && parameters.length <= 3
    && parameters.every((one) => typeof one?.name === "string" && typeof one.label === "string"
      && Array.isArray(one.options) && one.options.length && one.options.length <= 1000
      && one.options.every(isValue));
  return good ? "" : "one to three parameters, each with a name, a label and 1 to 1000 options";
}
const isLines = (list, count, limit) => Array.isArray(list) && list.length === count
  && list.every((k) => Number.isInteger(k) && k >= 0 && k < limit);

function testFrames(frames, parameters) {
  if (frames === null) return "";
  const count = parameters.reduce((product, { options }) => product * options.length, 1);
  const { lines, pictures, which, alts } = frames ?? {};
  const good = Array.isArray(lines) && lines.every((text) => typeof text === "string")
    && Array.isArray(pictures) && pictures.every((one) => isLines(one, one?.length, lines.length))
    && isLines(which, count, pictures.length)
    && Array.isArray(alts) && alts.length === count && alts.every((text) => typeof text === "string");
  return good ? "" : `lines, pictures, and for each of ${count} settings a picture and its alt text`;
}

// The state that the model holds, or an error that says what is wrong with it.
function fieldsOf(model) {
  const { parameters } = check({ parameters: { test: testParameters } }, (key) => model.get(key));
  const testValues = (values) => parameters.map(({ name, options }) =>
    (options.includes(values?.[name]) ? "" : `for ${name} one of ${options.map(write).join(", ")}`))
    .filter(Boolean).join("; ");
  return {
    parameters: { test: testParameters },
    values: { test: testValues },
    frames: { test: (frames) => testFrames(frames, parameters) },
    format: { options: { svg: "", png: "" } },
    keep_colors: { test: (value) => (typeof value === "boolean" ? "" : "true or false") },
    picture: { test: (picture) => (picture === null || typeof picture === "object" ? "" : "a picture") },
  };
}

// Numbers get a slider, everything else a list to choose from.
function control({ name, label, options }) {
  const text = escape(label), key = escape(name);
  if (options.every((option) => typeof option === "number")) {
    return `<label class="dl-slide"><span>${text}</span><output></output><input type="range" name="${key}"
      aria-label="${text}" min="0" max="${options.length - 1}" step="1"></label>`;
  }
  return `<label class="dl-field">${text}<select name="${key}" aria-label="${text}">${options.map((option, i) =>
    `<option value="${i}">${escape(write(option))}</option>`).join("")}</select></label>`;
}

async function render({ model, el }) {
  const fields = fieldsOf(model);
  const { parameters } = check(fields, (key) => model.get(key));
  const page = `<div class="dl-stage-frame"></div>
    <div class="dl-row"><div class="dl-sliders" style="flex: 1 1 260px">${
  parameters.map(control).join("")}</div>
    <button type="button" class="dl-reset">Reset</button></div>
    <p class="dl-says dl-quiet"></p>`;

  let newest = 0, asked = null, shown = Promise.resolve();
  const place = ({ name, options }, values) => options.indexOf(values[name]);
  const index = (values) => parameters.reduce((at, one) => at * one.options.length + place(one, values), 0);

  function draw(figure, changes) {
    if (!changes.length) return;
    const { state, root } = figure, { values, frames } = state;
    for (const [i, input] of root.querySelectorAll("[name]").entries()) {
      const k = place(parameters[i], values);
      input.value = k;
      if (input.type !== "range") continue;
      input.ariaValueText = input.previousElementSibling.textContent = write(parameters[i].options[k]);
    }
    if (frames) {
      const at = index(values);
      shown = exchange(figure, frames.pictures[frames.which[at]].map((k) => frames.lines[k]).join("\n"), frames.alts[at]);
    } else live(figure);
  }

  // In a notebook: ask for one picture at a time, and for the newest setting once it has come.
  function live(figure) {
    const { values, picture } = figure.state;
    if (picture && same(picture.values, asked)) asked = null;
    if (picture && same(picture.values, values)) {
      figure.complain(picture.error ?? "");
      if (!picture.error) shown = exchange(figure, picture.source, picture.alt);
      else figure.find(".dl-stage-frame").ariaBusy = "false";
    } else if (!asked) {
      asked = structuredClone(values);
      figure.find(".dl-stage-frame").ariaBusy = "true";
      model.set("wanted", asked);
      model.save_changes();
    }
  }

  async function exchange(figure, source, alt) {
    const stage = figure.find(".dl-stage-frame"), turn = (newest += 1), image = new Image();
    image.className = `dl-frame${figure.state.keep_colors ? " is-kept" : ""}`;
    image.alt = alt;
    image.src = figure.state.format === "svg" ? `data:image/svg+xml,${encodeURIComponent(source)}`
      : `data:image/png;base64,${source}`;
    figure.say(alt);
    try {
      await image.decode(); // so that nothing flickers
    } catch {
      if (turn === newest) figure.complain("This picture cannot be shown.");
      return;
    }
    if (turn !== newest) return;
    const natural = image.naturalWidth / (figure.state.format === "png" ? 2 : 1);
    image.style.maxWidth = `${natural}px`;
    stage.ariaBusy = "false";
    stage.replaceChildren(image);
  }

  const figure = mount({ model, el }, { fields, page, draw });
  figure.root.style.display = "none"; // until there is a picture to show
  figure.root.addEventListener("input", ({ target }) => {
    const one = parameters.find(({ name }) => name === target.name);
    figure.set({ values: { ...figure.state.values, [one.name]: one.options[target.value] } });
  });
  await shown;
  figure.root.style.display = "";
  return figure.destroy;
}

export default { render };
