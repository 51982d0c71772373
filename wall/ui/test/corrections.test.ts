import assert from "node:assert/strict";
import { test } from "node:test";
import { shiftOf } from "../src/corrections.ts";
import type { Correction, Values } from "../src/frame.ts";

const zero: Values = { orders: 0, ordered: "0.00", payments: 0, paid: "0.00", refunds: 0, refunded: "0.00", net: "0.00", cancels: 0, pieces: 0, buyers: 0 };
const corrected = (was: Partial<Values>, is: Partial<Values>): Correction => ({
  window: "1m",
  start: 0,
  end: 60_000,
  was: { ...zero, ...was },
  is: { ...zero, ...is },
  late: 1,
  repaired: false,
  changed: 0,
});

test("the chosen measure where it changed, else the first that did", () => {
  const c = corrected({ paid: "10.00", payments: 1 }, { paid: "7.5001", payments: 3 });
  assert.deepEqual(shiftOf(c, "paid"), { by: -24_999n, is: 75_001n, money: true });
  assert.deepEqual(shiftOf(c, "payments"), { by: 20_000n, is: 30_000n, money: false });
  assert.deepEqual(shiftOf(c, "ordered"), { by: -24_999n, is: 75_001n, money: true });
  assert.deepEqual(shiftOf(corrected({}, { orders: 2 }), "paid"), { by: 20_000n, is: 20_000n, money: false });
});

test("what is too large, or has not changed, is not shown", () => {
  assert.equal(shiftOf(corrected({ paid: "1.00" }, { paid: null }), "paid"), null);
  assert.equal(shiftOf(corrected({}, {}), "paid"), null);
});
