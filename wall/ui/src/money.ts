// Exact decimals: ten-thousandths of a unit in a bigint, as the engine keeps them.

export type Amount = bigint;

export const SCALE = 10_000n;

const decimal = /^(-?)(\d+)(?:\.(\d+))?$/;

/** parseAmount reads an exact decimal with at most 4 significant places; anything else is null. */
export function parseAmount(text: string | null): Amount | null {
  const m = text === null ? null : decimal.exec(text);
  if (!m) return null;
  const places = (m[3] ?? "").replace(/0+$/, "");
  if (places.length > 4) return null;
  const amount = BigInt(m[2]!) * SCALE + BigInt(places.padEnd(4, "0"));
  return m[1] ? -amount : amount;
}

export function countAmount(count: number | null): Amount | null {
  return count === null ? null : BigInt(count) * SCALE;
}

const abs = (a: Amount): Amount => (a < 0n ? -a : a);

export function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

/** formatCount groups a whole number. */
export function formatCount(count: number): string {
  return (count < 0 ? "−" : "") + group(Math.abs(count).toFixed(0));
}

/** formatExact shows every digit: at least two places, more only where they are not zero. */
export function formatExact(amount: Amount): string {
  const places = (abs(amount) % SCALE).toString().padStart(4, "0");
  const kept = places.slice(0, 2) + places.slice(2).replace(/0+$/, "");
  return (amount < 0n ? "−" : "") + group((abs(amount) / SCALE).toString()) + "." + kept;
}

/** round gives amount ÷ divisor with so many places, halves away from zero. */
export function round(amount: Amount, divisor: bigint, places: number): string {
  const factor = 10n ** BigInt(places);
  const scaled = (abs(amount) * factor * 2n + divisor) / (divisor * 2n);
  return signed(amount, scaled, places);
}

/** cut is round towards zero: it never shows more than there is. */
export function cut(amount: Amount, divisor: bigint, places: number): string {
  return signed(amount, (abs(amount) * 10n ** BigInt(places)) / divisor, places);
}

function signed(amount: Amount, scaled: bigint, places: number): string {
  const factor = 10n ** BigInt(places);
  const whole = group((scaled / factor).toString());
  const rest = places === 0 ? "" : "." + (scaled % factor).toString().padStart(places, "0");
  return (amount < 0n && scaled > 0n ? "−" : "") + whole + rest;
}

/** average divides an amount by a count, rounded to cents; null where it is undefined. */
export function average(amount: Amount | null, count: number | null): string | null {
  if (amount === null || count === null || count === 0) return null;
  return round(amount, SCALE * BigInt(count), 2);
}

/** percent is part ÷ whole in per cent with so many places; null where it is undefined. */
export function percent(part: Amount | null, whole: Amount | null, places: number): string | null {
  if (part === null || whole === null || whole <= 0n) return null;
  return round(part * 100n, whole, places) + "%";
}

/** ratio is part ÷ whole as a number between 0 and 1, for lengths only. */
export function ratio(part: Amount | null, whole: Amount): number {
  if (part === null || part <= 0n || whole <= 0n) return 0;
  return Math.min(1, Number((part * 10_000n) / whole) / 10_000);
}
