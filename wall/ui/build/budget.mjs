// Fails when the wall's JavaScript grows above its budget, or when the page
// would need what its content security policy forbids.
import { readFile, readdir } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const budget = 80 * 1024;
const dist = new URL("../../dist/", import.meta.url);
let scripts = 0;
for (const name of (await readdir(dist, { recursive: true })).sort()) {
  if (name.endsWith(".js")) scripts += gzipSync(await readFile(new URL(name, dist)), { level: 9 }).length;
}
console.log(`JavaScript ${(scripts / 1024).toFixed(1)} KB gzipped of ${budget / 1024}`);
if (scripts > budget) throw new Error(`the wall's JavaScript is ${scripts} bytes gzipped, more than ${budget}`);
for (const page of ["index.html", "login.html"]) {
  const inline = /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i.exec(await readFile(new URL(page, dist), "utf8"));
  if (inline) throw new Error(`${page} holds ${inline[0].trim()}, which the content security policy forbids`);
}
