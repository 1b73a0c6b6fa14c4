// Draws the page's interactive figures: loads the one shared plotly file when the
// first of them is about to come into view.
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
  await Plotly.newPlot(figure, data, layout, { responsive: true, displayModeBar: false });
}

function start() {
  const figures = document.querySelectorAll(".plotly-figure");
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          watcher.unobserve(target);
          draw(target);
        }
    },
    { rootMargin: "400px" },
  );
  figures.forEach((figure) => watcher.observe(figure));
  // Paper has no scrolling: draw whatever has not come into view yet.
  addEventListener("beforeprint", () => figures.forEach((f) => f.querySelector(".main-svg") || draw(f)));

  // A box that scrolls must be reachable by keyboard.
  for (const box of document.querySelectorAll("div.math, .cell_output .output.text_html, .bd-article pre"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}
document.readyState === "loading" ? addEventListener("DOMContentLoaded", start) : start();
