import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAmount } from "../src/money.ts";
import { reading, short, tick, unitFor } from "../src/units.ts";

const at = (text: string) => parseAmount(text)!;

test("a total is said in 亿 and 万, or in B and M, and never ahead of itself", () => {
  assert.deepEqual(reading(at("128763904866.00"), "zh"), { figure: "1,287.63", unit: "亿" });
  assert.deepEqual(reading(at("128763904866.00"), "en"), { figure: "128.76", unit: "B" });
  assert.deepEqual(reading(at("2474823.07"), "zh"), { figure: "247.48", unit: "万" });
  assert.deepEqual(reading(at("2474823.07"), "en"), { figure: "2.47", unit: "M" });
  assert.deepEqual(reading(at("99999999.99"), "zh"), { figure: "9,999.99", unit: "万" });
  assert.deepEqual(reading(at("-205124.67"), "zh"), { figure: "−20.51", unit: "万" });
  assert.equal(reading(at("178.76"), "zh"), null);
});

test("parts of a panel share a unit; a small one never reads as zero", () => {
  const wan = unitFor(at("544907.63"), "zh");
  const rows: [string, string][] = [
    ["544907.63", "54.5"],
    ["5449076.30", "545"],
    ["999500", "100"],
    ["999499", "99.9"],
    ["500", "0.1"],
    ["499.99", "<0.1"],
    ["0.01", "<0.1"],
    ["0", "0"],
    ["-3", ">−0.1"],
    ["-205124.67", "−20.5"],
  ];
  for (const [text, want] of rows) assert.equal(short(at(text), wan), want, text);
  const ones = unitFor(at("12"), "zh");
  assert.equal(short(at("12"), ones), "12");
  assert.equal(short(at("12.34"), ones), "12.3");
});

test("axis labels have no idle decimals", () => {
  const wan = unitFor(at("10000"), "zh");
  assert.deepEqual(["0", "5000", "10000", "12500", "2000000"].map((v) => tick(at(v), wan)), ["0", "0.5", "1", "1.25", "200"]);
});
