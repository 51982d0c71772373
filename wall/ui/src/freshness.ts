// How old the data is, and what to call that. The age is of the data, never of the page.
import type { State, StateName } from "./frame.ts";

export type Shown = StateName | "disconnected";

/** Frames come at 2 Hz; without one for so long the page calls itself disconnected. */
export const SILENCE = 3_000;

/** shownState is the server's word, until it falls silent. */
export function shownState(state: State | null, sinceFrame: number): Shown {
  if (sinceFrame > SILENCE) return "disconnected";
  return state?.name ?? "waiting";
}

/** ageOf is null where no data was ever seen. */
export function ageOf(state: State | null, now: number): number | null {
  return state === null || state.since === 0 ? null : Math.max(0, now - state.since);
}

/** countdown writes a span as m:ss or h:mm:ss. */
export function countdown(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
