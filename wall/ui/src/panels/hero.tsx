import { computed, effect, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { amountOf, has, health, job, measure, missing, state, symbol, text, today, unitWord, zone } from "../board.ts";
import { now } from "../clock.ts";
import { type Amount, SCALE, formatCount, formatExact, group } from "../money.ts";
import { say, slots } from "../parts.tsx";
import { type Measure, chosenMeasure, keep, lang, measures } from "../settings.ts";
import { reading } from "../units.ts";

const total = computed<Amount | null>(() => (today.value ? amountOf(today.value.values, measure.value) : null));

/** figure is the whole part and the cents of the exact total. */
const figure = computed<[string, string]>(() => {
  if (total.value === null) return [today.value ? missing.value : "", ""];
  if (measure.value === "payments") return [group((total.value / SCALE).toString()), ""];
  const exact = formatExact(total.value);
  const point = exact.indexOf(".");
  return [exact.slice(0, point), exact.slice(point)];
});
const whole = computed(() => figure.value[0]);
const cents = computed(() => figure.value[1]);
const sign = computed(() => (total.value === null ? "" : symbol.value));

const spoken = computed(() => `${text.value.hero[measure.value]} ${sign.value}${whole.value}${cents.value}`);
const said = computed(() => (total.value === null ? null : reading(total.value, lang.value)));
const rate = computed(() => (health.value ? formatCount(Math.round(health.value.rate)) : "—"));

const firmness = computed(() => {
  const s = today.value?.state;
  return s ? text.value[s] : "";
});
const limits = computed(() => {
  const s = state.value;
  const t = text.value;
  if (!s) return "";
  const z = zone.value;
  const from = s.completeFrom;
  const parts = s.history === "missing" ? [t.historyMissing] : [];
  if (from > 0) parts.push(t.completeFrom(z.date(from) === today.value?.date ? z.minute(from) : `${z.day(from)} ${z.minute(from)}`));
  return parts.join(t.dot);
});

/** How wide the figure is, in its own font size: the size follows, so that 12 digits still fit. */
const width = computed(() => {
  const digits = whole.value.replace(/\D/g, "").length;
  return sign.value.length * 0.42 + digits * 0.485 + (whole.value.length - digits) * 0.2 + cents.value.length * 0.24;
});

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const LAST = 7; // the last six digits and their comma swap in place: rolling, they could not be read
const RESTED = 5_000; // ms that a digit must have stood to roll in
const CHARS = 24;

function Figure() {
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    box.current?.style.setProperty("--width", width.value.toFixed(3));
  });
  useSignalEffect(() => roll(box.current!, whole.value));
  return (
    <div class={computed(() => (total.value === null ? "number wordy" : "number"))} ref={box} data-testid="hero" aria-hidden="true">
      <span class="sign" hidden={computed(() => sign.value === "")}>
        {sign}
      </span>
      {slots(CHARS).map((i) => (
        <span class={computed(() => (/\d/.test(whole.value[i] ?? "") ? "digit" : "gap"))}>{computed(() => whole.value[i] ?? "")}</span>
      ))}
      <span class="cents">{cents}</span>
    </div>
  );
}

let before = "";
const changed: number[] = [];
/** roll moves the slow, high digits in when they change: the one decorative motion of the wall. */
function roll(box: HTMLElement, after: string): void {
  if (before.length === after.length && !calm.matches) {
    const at = performance.now();
    for (let i = 0; i < after.length - LAST; i++) {
      if (before[i] === after[i]) continue;
      const stood = at - (changed[i] ?? 0);
      changed[i] = at;
      if (stood < RESTED) continue;
      box.children[i + 1]?.animate([{ transform: "translateY(0.06em)", opacity: 0.65 }, { transform: "none", opacity: 1 }], { duration: 420, easing: "cubic-bezier(.2,.7,.2,1)" });
    }
  }
  before = after;
}

function MeasureSwitch() {
  const choose = (m: Measure) => {
    chosenMeasure.value = m;
    keep("measure", m);
  };
  return (
    <div class="switch control" role="group" data-testid="measure" aria-label={say((t) => t.measureLabel)}>
      {measures.map((m) => (
        <button type="button" data-measure={m} aria-pressed={computed(() => (measure.value === m ? "true" : "false"))} onClick={() => choose(m)}>
          {say((t) => t.measure[m])}
        </button>
      ))}
    </div>
  );
}

function Waiting() {
  return (
    <div class="waiting" hidden={computed(() => today.value !== null || now.value === 0)}>
      <p class="title">{computed(() => (has("sales") ? text.value.waitingTitle : text.value.notComputed("sales")))}</p>
      <p>
        {computed(() => (job.value ? text.value.waitingEvents : text.value.waitingEngine))} <code>{computed(() => (job.value ? "liushui produce --demo" : "liushui process"))}</code>
      </p>
      <p>
        {say((t) => t.waitingOr)} <code>liushui up</code>
      </p>
    </div>
  );
}

export function Hero() {
  const absent = computed(() => today.value === null);
  return (
    <section class="hero" aria-label={computed(() => text.value.hero[measure.value])}>
      <div class="label">
        <span data-testid="hero-measure">{computed(() => text.value.hero[measure.value])}</span>
        <time>{computed(() => today.value?.date ?? "")}</time>
        <em class="tag" data-firmness={computed(() => today.value?.state ?? "")} hidden={absent}>
          {firmness}
        </em>
        <em class="tag limits" data-testid="limits" hidden={computed(() => limits.value === "")}>
          {limits}
        </em>
        <MeasureSwitch />
      </div>
      <div class="amount" hidden={absent}>
        <Figure />
        <p class="unseen">{spoken}</p>
        <p class="said">
          <span class="reading" data-testid="reading" hidden={computed(() => said.value === null)}>
            <b>{computed(() => said.value?.figure ?? "")}</b> {computed(() => (said.value?.unit ?? "") + unitWord.value)}
          </span>
          <span>
            {say((t) => t.perSecond)} <b>{rate}</b> {say((t) => t.events)}
          </span>
        </p>
      </div>
      <Waiting />
    </section>
  );
}

/** titlePage shows the total in the tab, where a wall is one of many. */
export function titlePage(): void {
  effect(() => {
    const s = said.value;
    document.title = (s ? `${sign.value}${s.figure} ${s.unit} · ` : "") + text.value.brand;
  });
}
