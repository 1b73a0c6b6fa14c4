// 1280 x 720 is what a projector shows; reveal.js scales it to any other screen.
Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  backgroundTransition: "none",
  controlsTutorial: false, // no arrow that bounces
  plugins: [RevealNotes],
});
// E: the form that prints, a slide a page.
Reveal.addKeyBinding({ keyCode: 69, key: "E", description: "Form for printing" }, () => {
  location.assign(location.pathname + "?print-pdf");
});
// On paper all slides are there: none is hidden from the tags of a PDF.
Reveal.on("pdf-ready", () => {
  for (const slide of document.querySelectorAll(".pdf-page section")) slide.removeAttribute("aria-hidden"), (slide.hidden = false);
});
