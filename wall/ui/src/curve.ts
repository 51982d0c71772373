// The curve as a bounded list of points, and as the arrays that the chart draws.
import type { Curve, Firmness, Point } from "./frame.ts";

/** mergeCurve upserts the changed points by their start and keeps the newest. */
export function mergeCurve(held: Curve | null, change: Curve): Curve {
  const fresh = change.reset || held === null || held.window !== change.window;
  const points = fresh ? [] : held.points.slice();
  for (const point of [...change.points].sort((a, b) => a.t - b.t)) upsert(points, point);
  const newest = points.at(-1)?.t ?? 0;
  const oldest = newest - (change.keep - 1) * change.step;
  const first = points.findIndex((p) => p.t >= oldest);
  return { ...change, reset: false, points: first > 0 ? points.slice(first) : points };
}

function upsert(points: Point[], point: Point): void {
  let i = points.length;
  while (i > 0 && points[i - 1]!.t > point.t) i--;
  if (i > 0 && points[i - 1]!.t === point.t) points[i - 1] = point;
  else points.splice(i, 0, point);
}

export interface Drawn {
  step: number; // a window, ms
  from: number; // the axis, ms
  to: number;
  firmUntil: number; // what begins here or later is provisional
  times: number[]; // s, as the chart wants them
  firm: (number | null)[];
  provisional: (number | null)[];
  corrected: (number | null)[];
}

/**
 * drawn lays the points out. A window that the server did not send is not known,
 * a gap; one in which nothing happened is sent as 0. The window that is still
 * filling is left out: part of a second drawn as a whole one would look like a slump.
 */
export function drawn(curve: Curve, newest: number, valueOf: (point: Point) => number | null): Drawn {
  const { step, keep } = curve;
  const closed = curve.points.filter((p) => p.s !== "provisional" || p.t + step <= newest);
  const last = closed.at(-1)?.t ?? curve.points.at(-1)?.t ?? 0;
  const from = last - (keep - 1) * step;
  const out: Drawn = { step, from, to: last, firmUntil: last + step, times: [], firm: [], provisional: [], corrected: [] };
  for (const point of closed) {
    const before = out.times.at(-1);
    if (before !== undefined && point.t - before * 1000 > step * 1.5) push(out, before + step / 1000, null);
    push(out, point.t / 1000, valueOf(point), point.s);
    if (point.s === "provisional" && point.t < out.firmUntil) out.firmUntil = point.t;
  }
  join(out);
  return out;
}

function push(out: Drawn, time: number, value: number | null, state?: Firmness): void {
  out.times.push(time);
  out.firm.push(state === "provisional" ? null : value);
  out.provisional.push(state === "provisional" ? value : null);
  out.corrected.push(state === "corrected" ? value : null);
}

/** join lets the dashed line begin where the solid one ends. */
function join(out: Drawn): void {
  const i = out.provisional.findIndex((value) => value !== null);
  if (i > 0 && out.provisional[i - 1] === null) out.provisional[i - 1] = out.firm[i - 1] ?? null;
}
