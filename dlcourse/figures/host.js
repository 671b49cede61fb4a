// Runs the figures of a static page: gives each `<module>.mjs` what anywidget would. What the reader
// changes goes into the address, `#section&graph_stepper-1=<changes>`, for links.

const figures = new Map(); // id -> { initial, state, changes (as in the address), listeners, tell }
let anchor, waiting;

function readAddress() {
  const parts = location.hash.slice(1).split("&");
  const asked = parts.map((part) => part.split("=")).filter(([id, changes]) => changes && figures.has(id));
  anchor = parts.filter((part) => !asked.some(([id]) => part.startsWith(`${id}=`))).join("&");
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
    const parts = [...figures].filter(([, { changes }]) => changes).map(([id, { changes }]) => `${id}=${changes}`);
    const hash = [anchor, ...parts].filter(Boolean).join("&");
    history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
  }, 300);
}

async function run(module, div, figure, state) {
  const el = document.createElement("div");
  const tell = (key) => figure.listeners.forEach(([event, listener]) => event === `change:${key}` && listener());
  Object.assign(figure, { state, tell, listeners: [] });
  div.append(el);
  try {
    await module.render({ el, model: {
      get: (key) => figure.state[key],
      set: (key, value) => {
        figure.state[key] = value;
        tell(key);
      },
      on: (...pair) => figure.listeners.push(pair),
      off: (...pair) => {
        figure.listeners = figure.listeners.filter((other) => !pair.every((part, i) => part === other[i]));
      },
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
    const { default: module } = await import(new URL(`${div.dataset.module}.mjs`, import.meta.url));
    const plain = () => run(module, div, figure, { ...figure.initial });
    await run(module, div, figure, changed(figure)).catch(plain); // The address may be at fault.
    div.dataset.ready = "true";
  } catch (error) {
    const message = document.createElement("p");
    message.className = "dl-figure-error";
    message.setAttribute("role", "alert");
    message.textContent = `This figure does not run here; its picture is shown instead. ${error.message}`;
    div.prepend(message);
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
