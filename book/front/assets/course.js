// What the course's pages do by script. Without it they can be read whole; folds are open then.
(() => {
  // Interactive figures: the one shared plotly file is loaded when the first of them is
  // about to come into view.
  const root = document.currentScript.src.replace(/course\.js.*$/, "");

  let library;
  const plotly = () =>
    (library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = root + "plotly-basic.min.js";
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("The plotting library could not be loaded."));
      document.head.append(script);
    }));

  async function draw(figure) {
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const Plotly = await plotly();
    await Plotly.newPlot(figure, data, { ...layout, dragmode: false }, { responsive: true, displayModeBar: false });
    // A drag is the page's, which a finger scrolls. The line that is pointed at stands out among many. A tap tells by click alone.
    const leave = () => figure.querySelector(".pointed")?.classList.remove("pointed");
    const point = ({ points }) => (leave(), figure.querySelector(".trace" + points[0].fullData.uid)?.classList.add("pointed"));
    figure.on("plotly_hover", point).on("plotly_click", point).on("plotly_unhover", leave);
  }

  function start() {
    const figures = document.querySelectorAll(".plotly-figure");
    const watcher = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries)
          if (isIntersecting) {
            watcher.unobserve(target);
            draw(target).catch(() => {
              target.hidden = true; // its still stands for it
              target.closest("figure, .cell_output").querySelector(".plotly-still")?.classList.remove("plotly-still");
            });
          }
      },
      { rootMargin: "400px" },
    );
    figures.forEach((figure) => watcher.observe(figure));
    // Paper has no scrolling: pictures are fetched that have not come into view yet.
    addEventListener("beforeprint", () => document.querySelectorAll("img[loading]").forEach((picture) => (picture.loading = "eager")));

    // A box that scrolls must be reachable by keyboard; whether it does changes with its width.
    const boxes = new ResizeObserver((entries) => {
      const scrolls = entries.map(({ target }) => target.scrollWidth > target.clientWidth); // all are read before one is changed
      entries.forEach(({ target }, at) => (scrolls[at] ? (target.tabIndex = 0) : target.removeAttribute("tabindex")));
    });
    for (const box of document.querySelectorAll("div.math, .cell_output .output.text_html, .bd-article pre, .pst-scrollable-table-container"))
      boxes.observe(box);
  }
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();

  // The list of chapters opens at the current one, not where it was left: the theme keeps its place in this item.
  try {
    sessionStorage.removeItem("sidebar-scroll-top");
  } catch {} // a browser that keeps nothing
  for (const side of ["primary", "secondary"]) {
    const button = document.querySelector(`.${side}-toggle`), drawer = document.getElementById(`pst-${side}-sidebar-modal`);
    if (!button || !drawer) continue;
    let followed;
    const changed = () => {
      if (drawer.open) (followed = false), drawer.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
      else if (!followed) button.focus(); // where the reader came from
    };
    addEventListener("pagehide", () => drawer.close()); // or it would lie over the page to which a reader comes back
    new MutationObserver(changed).observe(drawer, { attributeFilter: ["open"] });
    drawer.addEventListener("click", ({ target }) => {
      followed = !!target.closest("a[href^='#']");
      if (followed || target.closest(".drawer-close")) drawer.close();
    });
  }

  // The theme takes the focus from these buttons when they are pressed, also from the keyboard.
  for (const button of document.querySelectorAll(".theme-switch-button, .search-button, .primary-toggle, .secondary-toggle")) button.blur = () => {};
  const sayMode = () => document.querySelectorAll(".theme-switch-button").forEach((button) => button.setAttribute("aria-label", `Color mode: ${document.documentElement.dataset.mode}`));
  new MutationObserver(sayMode).observe(document.documentElement, { attributeFilter: ["data-mode"] });
  sayMode();

  // The contents mark the section that is read. The line at which one begins to be read goes down the window as
  // the window goes down the page, so that each has its turn, the last ones too. What was chosen stays marked
  // until the reader scrolls on.
  function followReader() {
    const links = new Map([...document.querySelectorAll("#pst-page-toc-nav a")].map((link) => [document.getElementById(decodeURIComponent(link.hash.slice(1))), link]));
    links.delete(null);
    if (!links.size) return;
    let chosen = document.getElementById(decodeURIComponent(location.hash.slice(1))), waiting;
    const mark = () => {
      waiting = false;
      const room = document.documentElement.scrollHeight - innerHeight, line = room > 0 ? (innerHeight * scrollY) / room : 0;
      const read = links.has(chosen) ? chosen : [...links.keys()].findLast((section) => section.getBoundingClientRect().top <= Math.max(line, 90));
      for (const [section, link] of links) {
        section === read ? link.setAttribute("aria-current", "location") : link.removeAttribute("aria-current");
        link.classList.toggle("active", !!read && section.contains(read));
      }
    };
    const soon = () => (waiting ||= requestAnimationFrame(mark));
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    addEventListener("hashchange", () => ((chosen = document.getElementById(decodeURIComponent(location.hash.slice(1)))), soon()));
    for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(kind, () => (chosen = undefined), { passive: true });
    soon();
  }
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", followReader) : followReader();

  // A link to a term or an equation shows it beside the link: by pointer, by keyboard focus, and by a
  // first tap (a second one follows the link). Escape hides it; it stays while the pointer is on it.
  const card = document.createElement("div");
  card.id = "course-card";
  card.role = "tooltip";
  card.hidden = true;
  let owner, leaving;

  function show(link, content) {
    clearTimeout(leaving);
    if (owner === link) return;
    hide();
    owner = link;
    link.setAttribute("aria-describedby", card.id);
    card.replaceChildren(content.content.cloneNode(true));
    card.hidden = false;
    card.style.left = 0; // where it has its whole width
    const at = link.getBoundingClientRect(); // all its lines
    const below = at.bottom + card.offsetHeight + 8 < innerHeight;
    card.style.top = (below ? at.bottom + 4 : at.top - card.offsetHeight - 4) + scrollY + "px";
    card.style.left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - card.offsetWidth - 8)) + "px";
  }
  function hide() {
    card.hidden = true;
    owner?.removeAttribute("aria-describedby");
    owner = undefined;
  }
  const leave = () => (leaving = setTimeout(hide, 200));

  function startCards() {
    const known = new Map([...document.querySelectorAll("template[data-card]")].map((t) => [t.dataset.card, t]));
    if (!known.size) return;
    document.body.append(card);
    addEventListener("pagehide", hide);
    card.addEventListener("pointerenter", () => clearTimeout(leaving));
    card.addEventListener("pointerleave", leave);
    addEventListener("keydown", (event) => event.key === "Escape" && hide());
    addEventListener("pointerdown", (event) => owner && !owner.contains(event.target) && !card.contains(event.target) && hide());
    for (const link of document.querySelectorAll('article a.internal[href*="#term-"], article a.internal[href*="#equation-"]')) {
      const content = known.get(decodeURIComponent(link.hash.slice(1)));
      if (!content) continue;
      let touched;
      link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(link, content));
      link.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());
      link.addEventListener("focus", () => link.matches(":focus-visible") && show(link, content));
      link.addEventListener("blur", () => card.matches(":hover") || hide()); // at once: it may lie over what has the focus now
      link.addEventListener("pointerdown", (event) => (touched = event.pointerType === "touch" && owner !== link));
      link.addEventListener("click", (event) => touched && (event.preventDefault(), show(link, content)));
    }
  }

  // What is folded on the screen is open on paper, and folded again afterwards. Folds of one name
  // close each other, so their names are put away meanwhile. Paper is light.
  let opened = [], theme;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    opened = [...document.querySelectorAll("article details:not([open], .figure-data)")].map((fold) => [fold, fold.getAttribute("name")]);
    for (const [fold] of opened) fold.removeAttribute("name");
    for (const [fold] of opened) fold.open = true;
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = theme;
    for (const [fold, name] of opened) {
      fold.open = false;
      if (name) fold.setAttribute("name", name);
    }
  });
  startCards();
})();
