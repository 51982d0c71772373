import { computed } from "@preact/signals";
import { currencySymbol, orders, text, zone } from "../board.ts";
import type { Order } from "../frame.ts";
import { formatExact, parseAmount } from "../money.ts";
import { Card, say, slots } from "../parts.tsx";
import { lang } from "../settings.ts";
import { tileOf } from "../provinces.ts";
import { categoryName } from "./ranking.tsx";

const ROWS = 20;

/** Each key once, newest first. */
const rows = computed<Order[]>(() => [...new Map(orders.value.map((o) => [o.key, o])).values()].sort((a, b) => b.key - a.key).slice(0, ROWS));

/** Keeps the writing direction of one name from turning its neighbours round. */
const alone = (name: string) => `\u2068${name}\u2069`;

function place(o: Order): string {
  const province = o.province === "" ? "" : lang.value === "zh" ? o.province : (tileOf.get(o.province)?.english ?? o.province);
  return [province, o.category === "" ? "" : categoryName(o.category)].filter(Boolean).map(alone).join(text.value.dot) || text.value.unknown;
}

function amount(o: Order): string {
  const exact = parseAmount(o.amount);
  return exact === null || exact === 0n ? "" : currencySymbol.value + formatExact(exact);
}

function Row({ i }: { i: number }) {
  const row = computed(() => rows.value[i]);
  const of = (pick: (o: Order) => string) => computed(() => (row.value ? pick(row.value) : ""));
  return (
    <li hidden={computed(() => row.value === undefined)}>
      <time>{of((o) => zone.value.time(o.time))}</time>
      <em data-type={of((o) => o.type)}>{of((o) => text.value.orderTypes[o.type])}</em>
      <span class="place">{of(place)}</span>
      <span class="user">{of((o) => o.user)}</span>
      <b>{of(amount)}</b>
    </li>
  );
}

export function Orders() {
  const none = computed(() => rows.value.length === 0);
  return (
    <Card id="orders" name={say((t) => t.latestOrders)} aside={<small>{say((t) => t.sample)}</small>}>
      <ul class="rows" hidden={none}>
        {slots(ROWS).map((i) => (
          <Row i={i} />
        ))}
      </ul>
      <p class="empty" hidden={computed(() => !none.value)}>
        {say((t) => t.empty)}
      </p>
    </Card>
  );
}
