/* Three things that style sheets cannot do. Everything works without this file, only less well. */

// Paper is light, and paper cannot open a folded answer.
let before = null;
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  const folded = [...document.querySelectorAll("article details:not([open])")];
  before = { theme: root.dataset.theme, folded };
  root.dataset.theme = "light";
  folded.forEach((box) => { box.open = true; });
});
addEventListener("afterprint", () => {
  if (!before) return;
  document.documentElement.dataset.theme = before.theme;
  before.folded.forEach((box) => { box.open = false; });
  before = null;
});

// A box that scrolls must be reachable by keyboard; the theme does it for code and tables, not for formulas.
function markScrollable() {
  for (const box of document.querySelectorAll('article mjx-container[display="true"]')) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Formula, scrolls sideways");
    } else {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  }
}
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  markScrollable();
  addEventListener("resize", markScrollable);
});
