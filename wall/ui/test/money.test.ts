import assert from "node:assert/strict";
import { test } from "node:test";
import { average, countAmount, cut, formatCount, formatExact, parseAmount, percent, ratio, round, SCALE } from "../src/money.ts";

test("amounts are read exactly, with at most four places", () => {
  const rows: [string | null, bigint | null][] = [
    ["178.76", 1_787_600n],
    ["0", 0n],
    ["-0.0001", -1n],
    ["1.50000", 15_000n],
    ["922337203685477.5807", 9_223_372_036_854_775_807n],
    ["1.23456", null],
    ["1e3", null],
    ["", null],
    [".5", null],
    ["<b>", null],
    [null, null],
  ];
  for (const [text, want] of rows) assert.equal(parseAmount(text), want, String(text));
});

test("an exact amount shows every digit", () => {
  const rows: [string, string][] = [
    ["2474823.07", "2,474,823.07"],
    ["178.8", "178.80"],
    ["0", "0.00"],
    ["1.2345", "1.2345"],
    ["1.2340", "1.234"],
    ["-1234.5", "−1,234.50"],
    ["922337203685477.5807", "922,337,203,685,477.5807"],
  ];
  for (const [text, want] of rows) assert.equal(formatExact(parseAmount(text)!), want);
});

test("rounding goes half away from zero, cutting towards it", () => {
  const at = (text: string) => parseAmount(text)!;
  assert.equal(round(at("0.125"), SCALE, 2), "0.13");
  assert.equal(round(at("-0.125"), SCALE, 2), "−0.13");
  assert.equal(round(at("-0.0001"), SCALE, 2), "0.00");
  assert.equal(cut(at("99999999.99"), 100_000_000n * SCALE, 2), "0.99");
  assert.equal(round(at("1234567.5"), SCALE, 0), "1,234,568");
});

test("what is undefined is nothing, not zero", () => {
  assert.equal(average(parseAmount("2474823.07"), 24_087), "102.75");
  assert.equal(average(parseAmount("10"), 0), null);
  assert.equal(average(null, 3), null);
  assert.equal(percent(parseAmount("572335.92"), parseAmount("2474823.07"), 2), "23.13%");
  assert.equal(percent(parseAmount("5"), 0n, 2), null);
  assert.equal(percent(countAmount(3), null, 2), null);
});

test("counts are grouped, lengths stay between 0 and 1", () => {
  assert.equal(formatCount(57_743), "57,743");
  assert.equal(formatCount(0), "0");
  assert.equal(ratio(5n, 10n), 0.5);
  assert.equal(ratio(-5n, 10n), 0);
  assert.equal(ratio(20n, 10n), 1);
  assert.equal(ratio(null, 10n), 0);
});
