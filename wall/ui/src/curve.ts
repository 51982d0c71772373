// The curve as a bounded list of points, and as the arrays that the chart draws.
import type { Curve, Point } from "./frame.ts";

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
  from: number; // the axis, ms
  to: number;
  firmUntil: number; // what begins here or later is provisional
  times: number[]; // s, as the chart wants them
  firm: (number | null)[];
  provisional: (number | null)[];
  corrected: (number | null)[];
}

/**
 * drawn lays the points out. A window without events between two others is a
 * real 0. The window that is still filling is left out: part of a second drawn
 * as a whole one would look like a slump.
 */
export function drawn(curve: Curve, newest: number, valueOf: (point: Point) => number | null): Drawn {
  const { step, keep } = curve;
  const closed = curve.points.filter((p) => p.s !== "provisional" || p.t + step <= newest);
  const last = closed.at(-1)?.t ?? curve.points.at(-1)?.t ?? 0;
  const from = last - (keep - 1) * step;
  const byStart = new Map(closed.map((p) => [p.t, p]));
  const out: Drawn = { from, to: last, firmUntil: last + step, times: [], firm: [], provisional: [], corrected: [] };
  const first = closed[0]?.t ?? last;
  const provisional = closed.find((p) => p.s === "provisional")?.t ?? Infinity;
  const border = Math.min(provisional, Math.max(curve.watermark - step + 1, first));
  for (let t = first; t <= last && closed.length > 0; t += step) {
    const point = byStart.get(t);
    const value = point ? valueOf(point) : 0;
    const firm = point ? point.s !== "provisional" : t < border;
    if (!firm && out.firmUntil > t) out.firmUntil = t;
    out.times.push(t / 1000);
    out.firm.push(firm ? value : null);
    out.provisional.push(firm ? null : value);
    out.corrected.push(point?.s === "corrected" ? value : null);
  }
  join(out);
  return out;
}

/** join lets the dashed line begin where the solid one ends. */
function join(out: Drawn): void {
  const i = out.provisional.findIndex((value) => value !== null);
  if (i > 0 && out.provisional[i - 1] === null) out.provisional[i - 1] = out.firm[i - 1] ?? null;
}
