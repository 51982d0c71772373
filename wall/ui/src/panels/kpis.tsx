import { type ReadonlySignal, computed } from "@preact/signals";
import { amountOf, currencySymbol, funnel, measure, missing, text, today } from "../board.ts";
import { average, countAmount, formatCount, parseAmount, percent } from "../money.ts";
import { say } from "../parts.tsx";
import { lang } from "../settings.ts";
import { reading } from "../units.ts";

const values = computed(() => today.value?.values ?? null);

/** count is exact up to what fits the card, then as one says it. */
function count(n: number | null | undefined): string {
  if (n === undefined) return "—";
  if (n === null) return missing.value;
  if (n < 100_000_000) return formatCount(n);
  const said = reading(countAmount(n)!, lang.value)!;
  return `${said.figure} ${said.unit}`;
}

const orders = computed(() => count(values.value?.orders));
const buyers = computed(() => (today.value?.approx ? "≈" : "") + count(values.value?.buyers));

const averageValue = computed(() => {
  const v = values.value;
  if (!v) return "—";
  const of = measure.value === "payments" ? "paid" : measure.value;
  const figure = average(amountOf(v, of), of === "ordered" ? v.orders : v.payments);
  // A feed without money has no average, not one of 0.
  return figure === null || amountOf(v, "ordered") === 0n && amountOf(v, "paid") === 0n ? "—" : currencySymbol.value + figure;
});

const views = computed(() => funnel.value.find((step) => step.type === "view")?.users ?? 0);
const payers = computed(() => funnel.value.find((step) => step.type === "pay")?.users ?? 0);
const paid = computed(() => parseAmount(values.value?.paid ?? null));
/** Where no money flows, the share of buyers among viewers says more than an empty refund rate. */
const showsConversion = computed(() => paid.value === 0n && views.value > 0);
const rate = computed(() => {
  if (showsConversion.value) return percent(countAmount(payers.value), countAmount(views.value), 2) ?? "—";
  return percent(parseAmount(values.value?.refunded ?? null), paid.value, 2) ?? "—";
});

function Figure(props: { id: string; name: ReadonlySignal<string>; value: ReadonlySignal<string>; note: ReadonlySignal<string> }) {
  const long = computed(() => (props.value.value.length > 8 ? "long" : ""));
  return (
    <div class="kpi card" data-testid={`kpi-${props.id}`}>
      <h2>{props.name}</h2>
      <b class={long}>{props.value}</b>
      <small>{props.note}</small>
    </div>
  );
}

export function Kpis() {
  const payments = computed(() => text.value.ordersNote(count(values.value?.payments)));
  const pieces = computed(() => text.value.buyersNote(count(values.value?.pieces)));
  return (
    <section class="kpis" aria-label={say((t) => t.kpis)}>
      <Figure id="orders" name={say((t) => t.orders)} value={orders} note={payments} />
      <Figure id="buyers" name={say((t) => t.buyers)} value={buyers} note={pieces} />
      <Figure id="average" name={computed(() => text.value.average[measure.value])} value={averageValue} note={computed(() => text.value.averageNote[measure.value])} />
      <Figure
        id="rate"
        name={computed(() => (showsConversion.value ? text.value.conversion : text.value.refundRate))}
        value={rate}
        note={computed(() => (showsConversion.value ? text.value.conversionNote : text.value.refundNote))}
      />
    </section>
  );
}
