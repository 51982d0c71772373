// Large figures as people say them: 亿 and 万 in Chinese, B, M and K in English.
import { type Amount, SCALE, cut, round } from "./money.ts";

export type Lang = "zh" | "en";

export interface Unit {
  name: string;
  size: bigint; // in ten-thousandths
}

const units: Record<Lang, Unit[]> = {
  zh: [
    { name: "亿", size: 100_000_000n * SCALE },
    { name: "万", size: 10_000n * SCALE },
  ],
  en: [
    { name: "B", size: 1_000_000_000n * SCALE },
    { name: "M", size: 1_000_000n * SCALE },
    { name: "K", size: 1_000n * SCALE },
  ],
};

const one: Unit = { name: "", size: SCALE };

/** unitFor is the largest unit that an amount fills; that of ones has no name. */
export function unitFor(amount: Amount, lang: Lang): Unit {
  const size = amount < 0n ? -amount : amount;
  return units[lang].find((unit) => size >= unit.size) ?? one;
}

/** reading is a total as one says it, cut so that it never runs ahead; null where the exact figure reads as well. */
export function reading(amount: Amount, lang: Lang): { figure: string; unit: string } | null {
  const unit = unitFor(amount, lang);
  return unit === one ? null : { figure: cut(amount, unit.size, 2), unit: unit.name };
}

/** short shows an amount in a unit with about three digits; a small one that is not zero never reads as zero. */
export function short(amount: Amount, unit: Unit): string {
  const size = amount < 0n ? -amount : amount;
  if (size === 0n || size * 20n >= unit.size * 1_999n || (unit === one && size % SCALE === 0n)) return round(amount, unit.size, 0);
  if (size * 20n < unit.size) return amount < 0n ? ">−0.1" : "<0.1";
  return round(amount, unit.size, 1);
}

/** tick labels an axis: round numbers, so no idle decimals. */
export function tick(amount: Amount, unit: Unit): string {
  return round(amount, unit.size, 2).replace(/\.?0+$/, "");
}
