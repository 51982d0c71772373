// Makes fonts/: the few glyphs that the page itself uses, and the common Chinese
// characters (GB 2312 level 1) that only data may bring, which browsers fetch
// when they meet one. Same input, same bytes.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import subsetFont from "subset-font";

const ui = new URL("..", import.meta.url);
const packages = new URL("node_modules/@fontsource/", ui);
const out = new URL("fonts/", ui);

const chars = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => String.fromCodePoint(from + i)).join("");
const printable = chars(0x20, 0x7e);
const latin1 = chars(0xa0, 0xff);
const symbols = "≈≠";
const digitSigns = printable + "¥£€±·−…–";

async function glyphsOfThePage() {
  const found = new Set();
  const files = [new URL("index.html", ui), new URL("login.html", ui)];
  for (const entry of await readdir(new URL("src/", ui), { recursive: true })) {
    if (/\.(ts|tsx|css)$/.test(entry)) files.push(new URL("src/" + entry, ui));
  }
  for (const file of files) {
    for (const c of await readFile(file, "utf8")) if (c.codePointAt(0) > 0xff && !symbols.includes(c)) found.add(c);
  }
  return found;
}

function gb2312Level1() {
  const decoder = new TextDecoder("gb18030");
  const all = [];
  for (let row = 0xb0; row <= 0xd7; row++) {
    for (let cell = 0xa1; cell <= 0xfe; cell++) {
      const c = decoder.decode(new Uint8Array([row, cell]));
      if (c.length === 1 && c >= "\u4e00") all.push(c);
    }
  }
  return all;
}

function ranges(text) {
  const points = [...new Set(text)].map((c) => c.codePointAt(0)).sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < points.length; ) {
    let j = i;
    while (points[j + 1] === points[j] + 1) j++;
    const hex = (p) => p.toString(16).toUpperCase();
    parts.push(i === j ? `U+${hex(points[i])}` : `U+${hex(points[i])}-${hex(points[j])}`);
    i = j + 1;
  }
  return parts.join(",");
}

const page = [...(await glyphsOfThePage())].sort().join("");
const rest = gb2312Level1().filter((c) => !page.includes(c)).join("");
const sans = (slice, weight) => `noto-sans-sc/files/noto-sans-sc-${slice}-${weight}-normal.woff2`;
const faces = [];
for (const weight of [400, 700]) {
  faces.push(["Liushui Sans", weight, `latin-${weight}`, sans("latin", weight), printable + latin1]);
  faces.push(["Liushui Sans", weight, `page-${weight}`, sans("chinese-simplified", weight), page]);
  faces.push(["Liushui Sans", weight, `symbols-${weight}`, sans("90", weight), symbols]);
}
faces.push(["Liushui Sans", 400, "common-400", sans("chinese-simplified", 400), rest]);
for (const weight of [500, 600]) {
  faces.push(["Liushui Digits", weight, `digits-${weight}`, `barlow-condensed/files/barlow-condensed-latin-${weight}-normal.woff2`, digitSigns]);
}

const sources = await Promise.all(faces.map(([, , , file]) => readFile(new URL(file, packages))));
const self = await readFile(new URL(import.meta.url));
const stamp = createHash("sha256").update(self).update(page);
for (const source of sources) stamp.update(source);
const key = stamp.digest("hex");
const stampFile = new URL("stamp", out);
if ((await readFile(stampFile, "utf8").catch(() => "")) !== key) {
  await mkdir(out, { recursive: true });
  let css = "";
  for (const [i, [family, weight, name, , text]] of faces.entries()) {
    const font = await subsetFont(sources[i], text, { targetFormat: "woff2" });
    await writeFile(new URL(`${name}.woff2`, out), font);
    css += `@font-face{font-family:"${family}";font-weight:${weight};font-display:swap;src:url("./${name}.woff2") format("woff2");unicode-range:${ranges(text)}}\n`;
    console.log(`fonts/${name}.woff2  ${[...text].length} glyphs  ${(font.length / 1024).toFixed(0)} KB`);
  }
  await writeFile(new URL("fonts.css", out), css);
  await writeFile(stampFile, key);
}
