// What changed after it was final: by how much, in the measure that a viewer looks
// at, else in the first that changed.
import type { Correction, Values } from "./frame.ts";
import { type Amount, countAmount, parseAmount } from "./money.ts";
import type { Measure } from "./settings.ts";

export interface Shift {
  by: Amount;
  is: Amount;
  money: boolean;
}

const money = ["paid", "ordered", "refunded", "net"] as const;
const counts = ["payments", "orders", "refunds", "cancels", "pieces", "buyers"] as const;

/** shiftOf is null where no figure that can be shown has changed. */
export function shiftOf(c: Correction, chosen: Measure): Shift | null {
  const candidates: [(v: Values) => Amount | null, boolean][] = [
    [(v) => (chosen === "payments" ? countAmount(v.payments) : parseAmount(v[chosen])), chosen !== "payments"],
    ...money.map((name): [(v: Values) => Amount | null, boolean] => [(v) => parseAmount(v[name]), true]),
    ...counts.map((name): [(v: Values) => Amount | null, boolean] => [(v) => countAmount(v[name]), false]),
  ];
  for (const [of, isMoney] of candidates) {
    const was = of(c.was);
    const is = of(c.is);
    if (was !== null && is !== null && was !== is) return { by: is - was, is, money: isMoney };
  }
  return null;
}
