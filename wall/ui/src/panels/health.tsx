import { type ReadonlySignal, computed } from "@preact/signals";
import { currencySymbol, health, measure, state, text, zone } from "../board.ts";
import { now } from "../clock.ts";
import { type Shift, shiftOf } from "../corrections.ts";
import type { Account, Correction, EngineHealth } from "../frame.ts";
import { countdown } from "../freshness.ts";
import { formatCount, formatExact, group, SCALE } from "../money.ts";
import { Card, say, slots } from "../parts.tsx";

const ENGINES = 2; // two engines may run at once

function Fact(props: { name: ReadonlySignal<string>; value: ReadonlySignal<string>; bad?: ReadonlySignal<boolean> }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd class={computed(() => (props.bad?.value ? "bad" : ""))}>{props.value}</dd>
    </div>
  );
}

const lag = computed(() => {
  const h = health.value;
  if (!h) return "—";
  return h.lag === null ? text.value.lagUnknown : formatCount(h.lag);
});
const rate = computed(() => (health.value ? text.value.rateUnit(formatCount(Math.round(health.value.rate))) : "—"));
const watermark = computed(() => {
  const ms = state.value?.watermark ?? 0;
  if (ms === 0) return "—";
  const z = zone.value;
  return z.date(ms) === z.date(now.value) ? z.time(ms) : `${z.day(ms)} ${z.minute(ms)}`;
});
const corrected = computed(() => (health.value ? formatCount(health.value.corrected) : "—"));
const store = computed(() => {
  const h = health.value;
  if (!h) return "—";
  if (h.store === "none" || h.storeDelay === null) return text.value.storeState[h.store];
  return h.storeDelay < 1_000 ? `${Math.round(h.storeDelay)} ms` : h.storeDelay < 60_000 ? text.value.seconds((h.storeDelay / 1000).toFixed(1)) : countdown(h.storeDelay);
});

/** alarms are what somebody must look after. */
const alarms = computed(() => {
  const h = health.value;
  const t = text.value;
  if (!h) return "";
  const found: string[] = [];
  if (h.tooLarge > 0) found.push(t.tooLargeAlarm(formatCount(h.tooLarge)));
  if (h.disagree) found.push(t.disagree);
  if (h.engines.some((e) => !e.balanced)) found.push(t.unbalanced);
  return found.join(t.dot);
});

const parts: (keyof Account)[] = ["counted", "duplicate", "late", "bad", "ignored"];

function Engine({ i }: { i: number }) {
  const engine = computed<EngineHealth | undefined>(() => health.value?.engines[i]);
  const figure = (part: keyof Account) => computed(() => (engine.value ? formatCount(engine.value.account[part]) : ""));
  const term = (part: keyof Account, sign: string) => (
    <>
      {" "}
      <span>
        {sign} {say((t) => t.account[part])} <b>{figure(part)}</b>
      </span>
    </>
  );
  return (
    <p class={computed(() => (engine.value && !engine.value.balanced ? "engine unbalanced" : "engine"))} hidden={computed(() => engine.value === undefined)}>
      <em>{computed(() => (engine.value ? engine.value.name + (engine.value.stopped ? ` ${text.value.stopped}` : "") : ""))}</em>
      {term("read", "")}
      {parts.map((part, k) => term(part, k === 0 ? "=" : "+"))}
    </p>
  );
}

const CORRECTIONS = 5;

interface Corrected {
  c: Correction;
  shift: Shift;
}

/** Those that changed a figure which can be shown, the newest change first. */
const correctedRows = computed<Corrected[]>(() =>
  (health.value?.corrections ?? []).flatMap((c) => {
    const shift = shiftOf(c, measure.value);
    return shift ? [{ c, shift }] : [];
  }),
);

function figure(s: Shift, amount: bigint, sign: boolean): string {
  const size = amount < 0n ? -amount : amount;
  const digits = s.money ? currencySymbol.value + formatExact(size) : group((size / SCALE).toString());
  return (amount < 0n ? "−" : sign ? "+" : "") + digits;
}

function CorrectionRow({ i }: { i: number }) {
  const row = computed(() => correctedRows.value[i]);
  const of = (pick: (r: Corrected) => string) => computed(() => (row.value ? pick(row.value) : ""));
  return (
    <li hidden={computed(() => row.value === undefined)}>
      <time>{of((r) => (r.c.window === "1d" ? zone.value.day(r.c.start) : zone.value.minute(r.c.start)))}</time>{" "}
      <b>{of((r) => figure(r.shift, r.shift.by, true))}</b> <span>{of((r) => "= " + figure(r.shift, r.shift.is, false))}</span>{" "}
      <small>{of((r) => zone.value.time(r.c.changed))}</small>
    </li>
  );
}

export function Pipeline() {
  const none = computed(() => (health.value?.engines.length ?? 0) === 0);
  return (
    <Card
      id="health"
      name={say((t) => t.health)}
      aside={
        <strong class="alarm" role="status">
          {alarms}
        </strong>
      }
    >
      <dl>
        <Fact name={say((t) => t.lag)} value={lag} bad={computed(() => health.value?.lag === null)} />
        <Fact name={say((t) => t.rate)} value={rate} />
        <Fact name={say((t) => t.watermark)} value={watermark} />
        <Fact name={say((t) => t.corrections)} value={corrected} />
        <Fact name={say((t) => t.storeDelay)} value={store} bad={computed(() => health.value?.store === "behind")} />
      </dl>
      <ul class={computed(() => ((health.value?.engines.length ?? 0) > 1 ? "corrected one" : "corrected"))} aria-label={say((t) => t.corrections)} data-testid="corrections" hidden={computed(() => correctedRows.value.length === 0)}>
        {slots(CORRECTIONS).map((i) => (
          <CorrectionRow i={i} />
        ))}
      </ul>
      <div class={computed(() => ((health.value?.engines.length ?? 0) > 1 ? "account two" : "account"))} data-testid="account">
        {slots(ENGINES).map((i) => (
          <Engine i={i} />
        ))}
        <p class="engine" hidden={computed(() => !none.value)}>
          {say((t) => t.noEngine)}
        </p>
      </div>
    </Card>
  );
}
