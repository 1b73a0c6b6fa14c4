// Joins style sheets, drops the rules that no page can use, and minifies what is left.
// Called by styles.py: node styles.mjs <site>, with {sheets, content} as its input; prints the style sheet.
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { PurgeCSS } from "purgecss";

const [site] = process.argv.slice(2);
const { sheets, content } = JSON.parse(readFileSync(0, "utf8"));

async function join(sheets) {
  const { outputFiles } = await build({
    stdin: { contents: sheets.map((sheet) => `@import "./${sheet}";`).join("\n"), resolveDir: site, loader: "css" },
    bundle: true, minify: true, write: false, logLevel: "error",
    loader: { ".svg": "dataurl", ".png": "dataurl" },
    external: ["*.woff2", "*.woff", "*.ttf"],
  });
  return outputFiles[0].text;
}

async function purge(css) {
  const [{ css: kept }] = await new PurgeCSS().purge({
    content: content.map((path) => `${site}/${path}`),
    css: [{ raw: css }],
    // Every word of the pages and of their scripts counts as in use, and so do states that scripts set.
    defaultExtractor: (text) => text.match(/[\w-]+/g) ?? [],
    // Browsers without a feature must not lose the whole rule for want of a word in the page. Plotly makes its pictures later.
    safelist: { standard: [":root", "html", "body", "main-svg"], greedy: [/^::/, /data-theme/, /data-mode/] },
    keyframes: true,
  });
  return kept;
}

process.stdout.write(await purge(await join(sheets)));
