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

/** While there are fewer windows than these, the axis shows room for so many. */
const FEW = 60;
/** What is still open takes at least this share of the axis, to be seen. */
const SLIVER = 0.02;

export interface Drawn {
  from: number; // the axis, ms
  to: number;
  firmUntil: number; // what is drawn here or later is provisional; Infinity: nothing is
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
  const last = closed.at(-1)?.t ?? 0;
  const first = Math.min(closed[0]?.t ?? 0, last - (FEW - 1) * step);
  const from = Math.max(first, last - (keep - 1) * step);
  const open = (curve.points.at(-1)?.t ?? 0) > last || closed.at(-1)?.s === "provisional";
  const to = open ? last + Math.max(step, (last - from) * SLIVER) : last;
  const out: Drawn = { from, to, firmUntil: open ? last + step / 2 : Infinity, times: [], firm: [], provisional: [], corrected: [] };
  for (const point of closed) {
    const before = out.times.at(-1);
    if (before !== undefined && point.t - before * 1000 > step * 1.5) push(out, before + step / 1000, null);
    push(out, point.t / 1000, valueOf(point), point.s);
    if (point.s === "provisional") out.firmUntil = Math.min(out.firmUntil, point.t - step / 2);
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
