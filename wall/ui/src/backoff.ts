// When to try again. Full jitter, so that a thousand walls do not knock at once.

const FIRST = 250;
const CEILING = 4_000; // a restarted server has its walls back within 5 s
const PATIENT = 20_000;
const LONG_OUTAGE = 120_000;

/** delay before try number n (0 is the first) of an outage that has lasted so long; random is in [0, 1). */
export function delay(n: number, outage: number, random: number): number {
  const ceiling = outage > LONG_OUTAGE ? PATIENT : CEILING;
  return random * Math.min(ceiling, FIRST * 2 ** n);
}
