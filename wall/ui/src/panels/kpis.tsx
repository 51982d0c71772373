import { type ReadonlySignal, computed } from "@preact/signals";
import { amountOf, currencySymbol, funnel, measure, missing, moneyless, text, today } from "../board.ts";
import { average, countAmount, formatCount, parseAmount, percent } from "../money.ts";
import { say } from "../parts.tsx";
import { lang } from "../settings.ts";
import { reading } from "../units.ts";

const values = computed(() => today.value?.values ?? null);

interface Said {
  figure: string;
  unit: string;
}

/** count is exact up to what fits the card, then as one says it. */
function count(n: number | null | undefined): Said {
  if (n === undefined) return { figure: "—", unit: "" };
  if (n === null) return { figure: missing.value, unit: "" };
  return n < 100_000_000 ? { figure: formatCount(n), unit: "" } : reading(countAmount(n)!, lang.value)!;
}

const inline = (said: Said): string => (said.unit ? `${said.figure} ${said.unit}` : said.figure);

const orders = computed(() => count(values.value?.orders));
/** Payments without a single buyer or piece are of a feed that does not name them: unknown, not 0. */
const named = (n: number | null | undefined): number | null | undefined => (n === 0 && values.value?.payments ? undefined : n);
const buyers = computed(() => count(named(values.value?.buyers)));

const averageValue = computed(() => {
  const v = values.value;
  const of = measure.value === "payments" ? "paid" : measure.value;
  const figure = v && !moneyless.value ? average(amountOf(v, of), of === "ordered" ? v.orders : v.payments) : null;
  return figure === null ? "—" : currencySymbol.value + figure;
});

const views = computed(() => funnel.value.find((step) => step.type === "view")?.users ?? 0);
const payers = computed(() => funnel.value.find((step) => step.type === "pay")?.users ?? 0);
const paid = computed(() => parseAmount(values.value?.paid ?? null));
/** Where no money flows, the share of buyers among viewers says more than an empty refund rate. */
const showsConversion = computed(() => moneyless.value && views.value > 0);
const rate = computed(() => {
  if (showsConversion.value) return percent(countAmount(payers.value), countAmount(views.value), 2) ?? "—";
  return percent(parseAmount(values.value?.refunded ?? null), paid.value, 2) ?? "—";
});

function Figure(props: { id: string; name: ReadonlySignal<string>; value: ReadonlySignal<string>; unit?: ReadonlySignal<string>; about?: ReadonlySignal<boolean>; note: ReadonlySignal<string> }) {
  const look = computed(() => (props.value.value === "—" ? "none" : props.value.value.length > 8 ? "long" : ""));
  return (
    <div class="kpi card" data-testid={`kpi-${props.id}`}>
      <h2>{props.name}</h2>
      <b class={look}>
        {props.about && <i hidden={computed(() => !props.about!.value)}>≈</i>}
        {props.value}
        {props.unit && <i>{props.unit}</i>}
      </b>
      <small>{computed(() => (values.value ? props.note.value : ""))}</small>
    </div>
  );
}

export function Kpis() {
  const payments = computed(() => text.value.ordersNote(inline(count(values.value?.payments))));
  const pieces = computed(() => (named(values.value?.pieces) === undefined ? "" : text.value.buyersNote(inline(count(values.value?.pieces)))));
  return (
    <section class="kpis" aria-label={say((t) => t.kpis)}>
      <Figure id="orders" name={say((t) => t.orders)} value={computed(() => orders.value.figure)} unit={computed(() => orders.value.unit)} note={payments} />
      <Figure
        id="buyers"
        name={say((t) => t.buyers)}
        value={computed(() => buyers.value.figure)}
        unit={computed(() => buyers.value.unit)}
        about={computed(() => today.value?.approx === true && values.value?.buyers != null)}
        note={pieces}
      />
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
