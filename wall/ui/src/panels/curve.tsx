import { computed, effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { amountOf, curve, job, measure, state, text, unitNote, zone } from "../board.ts";
import { Chart, ceiling } from "../chart.ts";
import { type Drawn, drawn } from "../curve.ts";
import { type Amount, SCALE } from "../money.ts";
import { Card, Empty, say } from "../parts.tsx";
import { lang, theme } from "../settings.ts";
import { short, tick, unitFor } from "../units.ts";

const shape = computed<Drawn | null>(() => {
  const c = curve.value;
  const m = measure.value;
  if (!c) return null;
  return drawn(c, state.value?.newest ?? 0, (point) => {
    const amount = amountOf(point.v, m);
    return amount === null ? null : Number(amount) / Number(SCALE);
  });
});

const toAmount = (value: number): Amount => BigInt(Math.round(value * Number(SCALE)));

/** peak and latest are of firm windows only: a provisional one may still grow. */
const facts = computed(() => {
  const s = shape.value;
  if (!s) return null;
  let peak = -1;
  let latest = -1;
  let most = 0;
  s.times.forEach((_, i) => {
    const value = s.firm[i] ?? s.provisional[i];
    if (value == null) return;
    most = Math.max(most, Math.abs(value));
    if (s.firm[i] == null) return;
    latest = i;
    if (peak < 0 || value > s.firm[peak]!) peak = i;
  });
  return { peak, latest, unit: unitFor(toAmount(ceiling(most * 1.04)), lang.value) };
});

const when = (ms: number): string => {
  const z = zone.value;
  const step = curve.value?.step ?? 1000;
  if (step < 60_000) return z.time(ms);
  return step < 3_600_000 ? z.minute(ms) : `${z.day(ms)} ${z.minute(ms)}`;
};

function fact(pick: "peak" | "latest", say: (value: string, time: string) => string): string {
  const [s, f] = [shape.value, facts.value];
  if (!s || !f || f[pick] < 0) return "";
  return say(short(toAmount(s.firm[f[pick]]!), f.unit), when(s.times[f[pick]]! * 1000));
}

function Plot() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const chart = new Chart(box.current!, {
      x: when,
      y: (value) => (facts.value ? tick(toAmount(value), facts.value.unit) : ""),
      get zone() {
        return job.value?.zone ?? "UTC";
      },
    });
    const stopDrawing = effect(() => {
      void lang.value;
      if (shape.value?.times.length) chart.draw(shape.value);
    });
    const stopDressing = effect(() => {
      void theme.value;
      chart.rebuild();
    });
    void document.fonts.ready.then(() => chart.rebuild());
    return () => {
      stopDrawing();
      stopDressing();
      chart.close();
    };
  }, []);
  return <div class="plot" ref={box} aria-hidden="true" />;
}

export function CurvePanel() {
  const name = computed(() => text.value.curve[curve.value?.window || "1s"][measure.value]);
  const unit = computed(() => unitNote(facts.value?.unit.name ?? ""));
  const aside = (
    <>
      <small>{unit}</small>
      <small class="facts">
        <span>{computed(() => fact("latest", text.value.latest))}</span> <span>{computed(() => fact("peak", text.value.peak))}</span>
      </small>
      <small class="key hatched" hidden={computed(() => !shape.value?.times.length || shape.value.firmUntil > shape.value.to)}>
        {say((t) => t.provisionalZone)}
      </small>
      <small class="key dotted" hidden={computed(() => !shape.value?.corrected.some((v) => v !== null))}>
        {say((t) => t.correctedPoint)}
      </small>
    </>
  );
  return (
    <Card id="curve" name={name} aside={aside}>
      <Plot />
      <Empty when={computed(() => (curve.value?.points.length ?? 0) === 0)} statistic="sales" />
    </Card>
  );
}
