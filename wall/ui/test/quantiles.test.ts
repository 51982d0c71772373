import assert from "node:assert/strict";
import { test } from "node:test";
import { tiles } from "../src/provinces.ts";
import { cuts, reachable, stepOf } from "../src/quantiles.ts";

test("five steps hold about equally many", () => {
  const amounts = Array.from({ length: 34 }, (_, i) => BigInt(i * i + 1));
  const bounds = cuts(amounts, 5);
  const held = [0, 0, 0, 0, 0];
  for (const a of amounts) held[stepOf(a, bounds)]!++;
  assert.deepEqual(held, [6, 7, 7, 7, 7]);
});

test("zero and what was lost are in the lowest step, and take no step from the others", () => {
  const bounds = cuts([-3n, 0n, 0n, 0n, 0n, 334n], 5);
  assert.deepEqual([-3n, 0n, 334n].map((a) => stepOf(a, bounds)), [0, 0, 4]);
  assert.deepEqual([0, 1, 2, 3, 4].map((i) => reachable(i, bounds)), [true, false, false, false, true]);
  assert.equal(reachable(0, cuts([0n], 5)), false);
});

test("equal amounts share a step, and few amounts still have one", () => {
  assert.equal(new Set([5n, 5n, 5n, 5n].map((a) => stepOf(a, cuts([5n, 5n, 5n, 5n], 5)))).size, 1);
  assert.deepEqual(cuts([], 5), []);
  const two = cuts([1n, 100n], 5);
  assert.ok(stepOf(1n, two) < stepOf(100n, two));
});

test("34 provincial regions, each on a place of its own in 9 × 8", () => {
  assert.equal(tiles.length, 34);
  assert.equal(new Set(tiles.map((t) => t.name)).size, 34);
  assert.equal(new Set(tiles.map((t) => `${t.column},${t.row}`)).size, 34);
  assert.equal(new Set(tiles.map((t) => t.code)).size, 34);
  for (const t of tiles) assert.ok(t.column < 9 && t.row < 8, t.name);
  for (const name of ["台湾", "香港", "澳门"]) assert.ok(tiles.some((t) => t.name === name), name);
});
