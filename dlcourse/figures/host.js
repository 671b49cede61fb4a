// Runs the figures of a static page: gives each `<module>.mjs` what anywidget would. What the reader
// changes goes into the address, `#section&graph_stepper-1=<changes>`, for links.

const figures = new Map(); // id -> { initial, state, changes (as in the address), tell }
let anchor, waiting;

function readAddress() {
  const parts = location.hash.slice(1).split("&").map((part) => part.split("="));
  const asked = parts.filter(([id, changes]) => changes && figures.has(id));
  anchor = parts.filter((part) => !asked.includes(part)).map((part) => part.join("=")).join("&");
  for (const [id, changes] of asked) {
    const figure = figures.get(id);
    figure.changes = changes;
    if (figure.state) Object.keys(Object.assign(figure.state, changed(figure))).forEach(figure.tell);
  }
  if (asked.length) document.getElementById(anchor || asked[0][0])?.scrollIntoView();
}

// The state that the address asks for, or else the page's own.
function changed({ initial, changes }) {
  try {
    return { ...initial, ...JSON.parse(decodeURIComponent(changes)) };
  } catch {
    return { ...initial };
  }
}

function save(figure) {
  const news = Object.entries(figure.state).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(figure.initial[key]));
  figure.changes = news.length && encodeURIComponent(JSON.stringify(Object.fromEntries(news)));
  clearTimeout(waiting); // Browsers allow only so many changes of the address.
  waiting = setTimeout(() => {
    const parts = [...figures].map(([id, { changes }]) => changes && `${id}=${changes}`);
    const hash = [anchor, ...parts].filter(Boolean).join("&");
    history.replaceState(history.state, "", `#${hash}`);
  }, 300);
}

async function run({ render }, div, figure, state) {
  const el = document.createElement("div"), changes = new EventTarget();
  const tell = (key) => changes.dispatchEvent(new Event(`change:${key}`));
  Object.assign(figure, { state, tell });
  div.append(el);
  try {
    await render({ el, model: {
      get: (key) => state[key],
      set(key, value) {
        state[key] = value;
        tell(key);
      },
      on: (...pair) => changes.addEventListener(...pair),
      off: (...pair) => changes.removeEventListener(...pair),
      save_changes: () => save(figure),
    } });
  } catch (error) {
    el.remove();
    figure.state = null;
    throw error;
  }
}

async function open(div) {
  const figure = figures.get(div.id);
  try {
    figure.initial = JSON.parse(div.querySelector(".dl-state").textContent);
    const { default: module } = await import(`./${div.dataset.module}.mjs`);
    const plain = () => run(module, div, figure, { ...figure.initial });
    await run(module, div, figure, changed(figure)).catch(plain); // The address may be at fault.
    div.dataset.ready = "true";
  } catch ({ message }) {
    div.prepend(Object.assign(document.createElement("p"), { className: "dl-figure-error", role: "alert",
      textContent: `This figure does not run here; its picture is shown instead. ${message}` }));
  }
}

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    open(target);
  }
}, { rootMargin: "600px" });

for (const div of document.querySelectorAll(".dl-figure")) {
  for (let number = 1; !div.id; number += 1) {
    const id = `${div.dataset.module}-${number}`;
    if (!document.getElementById(id)) div.id = id;
  }
  figures.set(div.id, {});
  near.observe(div);
}
addEventListener("hashchange", readAddress);
readAddress();
