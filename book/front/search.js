// The search page: finds sections and terms in `courseTexts` (book/steps/search.py), which is a script, so that it works from disk.
import MiniSearch from "minisearch";

const MOST = 30, EACH = 3; // results, and those of one page
const plain = (word) => word.toLowerCase().normalize("NFKD").replace(/\p{Mn}/gu, "").replace(/[’']s?$/, "").replace(/(?<=..[^siu])s$/, "");
const split = (text) => text.split(/[^\p{L}\p{N}_.²₀-₉]+/u).map((word) => word.replace(/^\.+|\.+$/g, "")).filter(Boolean);
const same = (text) => split(text).map(plain).join(" ");

const documents = [];
courseTexts.pages.forEach(([page, ...sections]) =>
  sections.forEach(([anchor, heading, paragraphs, words], at) =>
    documents.push({ id: documents.length, page, anchor: at ? anchor : "", title: sections[0][1], heading, paragraphs, words,
      first: at ? "" : heading, text: paragraphs.join("\n") })));
const terms = courseTexts.terms.map(([page, anchor, names, meaning, see]) => ({ page, anchor, names, meaning, see }));

/** The definition of what is looked for, and the sections about it, the best first. */
function find(query) {
  const index = new MiniSearch({ fields: ["first", "heading", "text", "words"], tokenize: split, processTerm: plain });
  index.addAll(documents); // a page that is not asked anything doesn't spend the time
  const wanted = same(query);
  const term = terms.find(({ names }) => names.some((name) => same(name) === wanted));
  // The glossary says where a term is taught, and a synonym may be what that page calls it.
  const taught = (term?.see ?? []).map((address) => new URL(address, new URL(term.page, "http://host/")).href.slice("http://host/".length));
  const boostDocument = (id) => {
    const { page, anchor } = documents[id];
    return page === term?.page ? 0.2 : page === "chapters/api.html" ? 0.5 : taught.includes(`${page}#${anchor}`) ? 6 : taught.some((address) => address.split("#")[0] === page) ? 3 : 1;
  };
  const settings = { boost: { first: 6, heading: 4, words: 0.7 }, prefix: (word) => word.length > 2, fuzzy: (word) => word.length > 4 && 0.2, boostDocument };
  let found = index.search(query, { ...settings, combineWith: "AND" });
  if (!found.length) found = index.search(query, settings);
  const seen = {};
  return { term, words: split(query).map(plain), found: found.map(({ id }) => documents[id]).filter(({ page }) => (seen[page] = (seen[page] ?? 0) + 1) <= EACH).slice(0, MOST) };
}

/** The sentences of a section that say most of the words, at most some 240 letters. */
function excerpt({ heading, paragraphs, words: others }, words) {
  const hits = (text) => new Set(split(text).map(plain).flatMap((word) => words.filter((wanted) => word.startsWith(wanted)))).size;
  const sentences = paragraphs.flatMap((paragraph) => paragraph.split(/(?<=[.?!][”)]?) (?=[\p{Lu}“(])/u));
  const counts = sentences.map(hits), most = Math.max(0, ...counts), start = Math.max(0, counts.indexOf(most));
  const inTables = split(others).filter((word) => !most && !hits(heading) && words.some((wanted) => plain(word).startsWith(wanted)));
  if (inTables.length) return `Here in a table or in code: ${inTables.slice(0, 4).join(", ")}.`;
  let text = sentences[start] ?? "";
  for (const next of sentences.slice(start + 1)) {
    if (text.length + next.length > 240) break;
    text += " " + next;
  }
  return text;
}

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
/** A text with the words that are looked for marked. */
const marked = (text, words) =>
  text.split(/([\p{L}\p{N}_.²₀-₉]+)/u).map((part, at) => (at % 2 && words.some((word) => plain(part).startsWith(word)) ? element("mark", {}, part) : part));

function show(query) {
  const { term, words, found } = find(query);
  const number = found.length === MOST ? `The best ${MOST} results` : found.length === 1 ? "1 result" : `${found.length || "No"} results`;
  const parts = [element("p", { className: "search-summary", role: "status" }, `${number} for “${query}”`)];
  if (term)
    parts.push(element("section", { className: "search-term" },
      element("h2", {}, element("a", { href: `${term.page}#${term.anchor}` }, term.names.join(", "))),
      element("p", {}, ...marked(term.meaning, words)), element("p", { className: "search-where" }, "Glossary")));
  parts.push(element("ol", { className: "search-list" }, ...found.map((section) => element("li", {},
    element("h2", {}, element("a", { href: section.page + (section.anchor && "#" + section.anchor) }, ...marked(section.heading, words))),
    element("p", {}, ...marked(excerpt(section, words), words)),
    ...(section.anchor ? [element("p", { className: "search-where" }, section.title)] : [])))));
  document.getElementById("search-results").replaceChildren(...parts);
}

const query = new URLSearchParams(location.search).get("q")?.trim();
document.querySelectorAll('input[name="q"]').forEach((field) => (field.value = query ?? ""));
if (query) show(query);
