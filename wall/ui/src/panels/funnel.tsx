import { computed } from "@preact/signals";
import { funnel, text } from "../board.ts";
import type { StepType } from "../frame.ts";
import { countAmount, formatCount, percent } from "../money.ts";
import { Bar, Card, Empty, say } from "../parts.tsx";
import { lang } from "../settings.ts";
import { reading } from "../units.ts";

/** The least length of a step that has anyone in it. */
const SLIVER = 0.01;
const order: StepType[] = ["view", "favorite", "cart", "order", "pay"];

/** Users where the feed names them, else events. A step may be larger than the one before. */
const byUsers = computed(() => funnel.value.some((step) => step.users > 0));
const counts = computed(() => new Map(funnel.value.map((step) => [step.type, byUsers.value ? step.users : step.events])));
const largest = computed(() => Math.max(0, ...counts.value.values()));
/** The first step that this feed has: what the others are a share of. */
const first = computed(() => order.map((type) => counts.value.get(type) ?? 0).find((n) => n > 0) ?? 0);

function said(n: number): string {
  if (n < 10_000_000) return formatCount(n);
  const r = reading(countAmount(n)!, lang.value)!;
  return `${r.figure} ${r.unit}`;
}

function Row({ type }: { type: StepType }) {
  const n = computed(() => counts.value.get(type) ?? 0);
  return (
    <li data-step={type} class={computed(() => (n.value === 0 ? "none" : ""))}>
      <span class="name">{say((t) => t.steps[type])}</span>
      <Bar share={computed(() => (n.value === 0 ? 0 : Math.max(SLIVER, n.value / largest.value)))} />
      <b>{computed(() => (n.value === 0 ? text.value.noValue : said(n.value)))}</b>
      <small>{computed(() => (n.value === 0 ? "" : (percent(countAmount(n.value), countAmount(first.value), 1) ?? "")))}</small>
    </li>
  );
}

export function Funnel() {
  const none = computed(() => funnel.value.length === 0);
  return (
    <Card id="funnel" name={say((t) => t.funnel)} aside={<small>{computed(() => (byUsers.value ? text.value.byUsers : text.value.byEvents))}</small>}>
      <ol hidden={none}>
        {order.map((type) => (
          <Row type={type} />
        ))}
      </ol>
      <Empty when={none} statistic="activity" />
    </Card>
  );
}
