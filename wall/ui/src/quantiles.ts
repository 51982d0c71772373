import type { Amount } from "./money.ts";

/**
 * cuts are the lower bounds of the steps above the lowest, so that each step holds
 * about equally many of the amounts above zero; what is not above zero is in the lowest.
 */
export function cuts(amounts: Amount[], steps: number): Amount[] {
  const sorted = amounts.filter((a) => a > 0n).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (sorted.length === 0) return [];
  return Array.from({ length: steps - 1 }, (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / steps)]!);
}

/** stepOf is the number of bounds that an amount has reached: 0 is the lowest step. */
export function stepOf(amount: Amount, bounds: Amount[]): number {
  return bounds.filter((bound) => amount >= bound).length;
}

/** reachable tells whether any amount can be in a step: equal bounds leave some empty. */
export function reachable(step: number, bounds: Amount[]): boolean {
  return bounds.length > 0 && (step === 0 || step === bounds.length || bounds[step - 1]! < bounds[step]!);
}
