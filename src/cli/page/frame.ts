import { createHash } from "node:crypto";
import { darkRules, unstyled } from "../../study/chart-style.ts";
import type { NamedChart } from "../../study/charts.ts";
import type { Table } from "../tables/tables.ts";
import { markup, Markup, type Piece } from "./html.ts";

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Piece;
}

export interface Page {
  readonly title: string;
  /** A line below the title. */
  readonly subtitle: string;
  readonly sections: readonly Section[];
  /** A line at the end. */
  readonly footer: string;
}

const LIGHT =
  "color-scheme:light;--paper:#fff;--panel:#f6f8fa;--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--link:#0550ae;--warn:#9a3b00";
const DARK =
  "color-scheme:dark;--paper:#161b22;--panel:#1f2630;--ink:#e6edf3;--muted:#9ba4ae;--line:#3d444d;--link:#79b8ff;--warn:#ffb077";

/** The theme of the system, unless the reader chose one. */
const SYSTEM_IS_DARK = ':root:not([data-theme="light"])';
const DARK_CHOSEN = ':root[data-theme="dark"]';

const STYLE = `:root{${LIGHT}}
@media (prefers-color-scheme:dark){${SYSTEM_IS_DARK}{${DARK}}${darkRules(`${SYSTEM_IS_DARK} `)}}
${DARK_CHOSEN}{${DARK}}${darkRules(`${DARK_CHOSEN} `)}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:start;justify-content:space-between}
h1{margin:0;font-size:1.6rem;line-height:1.25}
h2{margin:2.25rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:1.25rem}
h3{margin:1.5rem 0 .5rem;font-size:1.05rem}
p{margin:.5rem 0;max-width:46rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
button{min-height:2.5rem;padding:.25rem .9rem;border:1px solid var(--line);border-radius:.4rem;background:var(--panel);color:inherit;font:inherit;cursor:pointer}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:.75rem 0 0;padding:0;list-style:none}
nav a{display:inline-block;padding:.25rem 0}
.muted,footer,figcaption,caption{color:var(--muted)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.75rem;margin:1rem 0}
.facts div{padding:.6rem .8rem;border:1px solid var(--line);border-radius:.5rem;background:var(--panel)}
.facts dt{color:var(--muted);font-size:.875rem}
.facts dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
.doubts li{margin:.4rem 0;max-width:46rem}
.doubts li::marker{color:var(--warn)}
figure{margin:1rem 0}
.scroll{overflow-x:auto;max-width:100%}
.scroll svg{display:block;width:100%;min-width:38rem;max-width:56rem;height:auto}
table{border-collapse:collapse;min-width:min(100%,24rem);font-variant-numeric:tabular-nums}
caption{padding:.25rem 0;text-align:left}
th,td{padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400;overflow-wrap:normal}
thead th{font-weight:600;white-space:nowrap}
.right{text-align:right;white-space:nowrap}
td strong{font-weight:700}
td small{display:block;color:var(--muted);font-size:.875em}
details{margin:.5rem 0}
summary{padding:.25rem 0;color:var(--link);cursor:pointer}
.answer{margin:1rem 0;padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--panel)}
.answer pre{margin:.25rem 0 .75rem;white-space:pre-wrap;font:inherit}
.answer h3{margin-top:0}
footer{margin:2.5rem 0 1rem;border-top:1px solid var(--line);padding-top:.75rem;font-size:.9rem}
@media print{button,nav{display:none}}`;

/** Changes between light and dark, and keeps the choice where the browser allows it. */
const SCRIPT = `"use strict";(()=>{const root=document.documentElement,button=document.getElementById("theme"),key="openfedllm-theme";
const system=matchMedia("(prefers-color-scheme: dark)");
const dark=()=>root.dataset.theme?root.dataset.theme==="dark":system.matches;
const show=()=>{button.textContent=dark()?"Light colours":"Dark colours"};
try{const kept=localStorage.getItem(key);if(kept==="dark"||kept==="light")root.dataset.theme=kept}catch{}
button.hidden=false;show();system.addEventListener("change",show);
button.addEventListener("click",()=>{root.dataset.theme=dark()?"light":"dark";try{localStorage.setItem(key,root.dataset.theme)}catch{}show()})})()`;

/** Allows this style sheet and this script, and nothing from elsewhere: no request can leave the page. */
const POLICY = [
  "default-src 'none'",
  // The empty icon below, so that a browser does not ask a server for one.
  "img-src data:",
  `style-src '${hash(STYLE)}'`,
  `script-src '${hash(SCRIPT)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** A complete page in one file. */
export function document({ title, subtitle, sections, footer }: Page): string {
  const links = sections.map(({ id, title: name }) => markup`<li><a href="#${id}">${name}</a></li>`);
  const bodies = sections.map(
    ({ id, title: name, body }) => markup`<section aria-labelledby="${id}"><h2 id="${id}">${name}</h2>
${body}</section>
`,
  );
  // The policy knows the style sheet and the script by their hashes: no space may come between them and their tags.
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header>
<div><h1>${title}</h1><p class="muted">${subtitle}</p></div>
<button id="theme" type="button" hidden>Dark colours</button>
</header>
<nav aria-label="Contents"><ul>${links}</ul></nav>
<main>
${bodies}</main>
<footer><p>${footer}</p></footer>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`.text;
}

/** A part that is wider than a narrow screen. It can be moved with the keyboard too. */
function scrolling(label: string, body: Piece): Markup {
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${label}">${body}</div>`;
}

/** A table with a caption. The first cell of a row is its heading. */
export function tableMarkup({ title, columns, rows }: Table): Markup {
  const side = (i: number): string => (columns[i]?.right === true ? "right" : "left");
  return scrolling(
    `Table: ${title}`,
    markup`<table>
      <caption>
        ${title}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ header }, i) => markup`<th scope="col" class="${side(i)}">${header}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            markup` <tr>
              ${row.map(({ text, range, best }, i) => {
                const value = markup`${best === true ? markup`<strong>${text}</strong>` : text}${range === undefined ? undefined : markup`<small>${range}</small>`}`;
                return i === 0 ? markup`<th scope="row">${value}</th>` : markup`<td class="${side(i)}">${value}</td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>`,
  );
}

/** A chart, and the table of its numbers for those who cannot see it. */
export function chartMarkup({ title, svg }: Pick<NamedChart, "title" | "svg">, numbers?: Table): Markup {
  return markup`<figure>
    ${scrolling(`Chart: ${title}`, new Markup(unstyled(svg)))}
    ${
      numbers === undefined
        ? undefined
        : markup`<details>
            <summary>Numbers of this chart</summary>
            ${tableMarkup(numbers)}
          </details>`
    }
  </figure>`;
}
