import assert from "node:assert/strict";
import { test } from "node:test";
import { drawn, mergeCurve } from "../src/curve.ts";
import type { Curve, Firmness, Point, Values } from "../src/frame.ts";

const values = (paid: string | null): Values => ({ orders: 0, ordered: "0", payments: 0, paid, refunds: 0, refunded: "0", net: paid, cancels: 0, pieces: 0, buyers: 0 });
const point = (t: number, paid: string | null, s: Firmness = "final"): Point => ({ t, v: values(paid), s });
const curve = (points: Point[], reset = false, keep = 4): Curve => ({ window: "1s", step: 1000, keep, watermark: 0, reset, points });
const paid = (p: Point) => (p.v.paid === null ? null : Number(p.v.paid));

test("ticks amend by start, in any order, and the oldest leave", () => {
  let held = mergeCurve(null, curve([point(1000, "1"), point(2000, "2")], true));
  held = mergeCurve(held, curve([point(4000, "4"), point(2000, "20"), point(3000, "3")]));
  assert.deepEqual(held.points.map((p) => [p.t, p.v.paid]), [[1000, "1"], [2000, "20"], [3000, "3"], [4000, "4"]]);
  held = mergeCurve(held, curve([point(6000, "6")]));
  assert.deepEqual(held.points.map((p) => p.t), [3000, 4000, 6000]);
});

test("a merge leaves what was held alone", () => {
  const held = mergeCurve(null, curve([point(1000, "1")], true));
  mergeCurve(held, curve([point(1000, "9")]));
  assert.equal(held.points[0]!.v.paid, "1");
});

test("a reset or another window size begins anew", () => {
  const held = mergeCurve(null, curve([point(1000, "1")], true));
  assert.equal(mergeCurve(held, curve([point(9000, "9")], true)).points.length, 1);
  assert.equal(mergeCurve(held, { ...curve([point(60_000, "9")]), window: "1m", step: 60_000 }).points.length, 1);
});

test("the window that still fills is not drawn, so it cannot look like a slump", () => {
  const c = curve([point(1000, "5"), point(2000, "5", "provisional"), point(3000, "1", "provisional")], true);
  const d = drawn(c, 3400, paid);
  assert.deepEqual(d.times, [1, 2]);
  assert.deepEqual(d.provisional, [5, 5]); // joined to the last firm one
  assert.deepEqual(d.firm, [5, null]);
  assert.equal(d.firmUntil, 1500); // half a window before the first provisional one
  assert.ok(d.to >= 3000, "the axis has room for the open window");
});

test("a window that was not sent is a gap, not a zero", () => {
  const d = drawn(curve([point(1000, "5"), point(4000, "7")], true), 9000, paid);
  assert.deepEqual(d.times, [1, 2, 4]);
  assert.deepEqual(d.firm, [5, null, 7]);
});

test("what is too large is a gap, what was corrected is marked", () => {
  const d = drawn(curve([point(1000, "5", "corrected"), point(2000, null), point(3000, "0")], true), 9000, paid);
  assert.deepEqual(d.firm, [5, null, 0]);
  assert.deepEqual(d.corrected, [5, null, null]);
  assert.ok(d.firmUntil > d.to);
});

test("no points, no curve", () => {
  const d = drawn({ ...curve([], true), window: "", step: 0 }, 0, paid);
  assert.deepEqual(d.times, []);
});
