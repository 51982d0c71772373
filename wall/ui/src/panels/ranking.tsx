import { computed } from "@preact/signals";
import { amountOf, categories, measure, text, unitNote } from "../board.ts";
import { OTHER } from "../frame.ts";
import { type Amount, ratio } from "../money.ts";
import { Bar, Card, Empty, say, slots } from "../parts.tsx";
import { lang } from "../settings.ts";
import { short, unitFor } from "../units.ts";

const ROWS = 9; // eight, and what is below them

interface Row {
  name: string;
  amount: Amount | null;
}

/** rows are sorted by the measure on show; the sum of the rest stays last. */
const rows = computed<Row[]>(() => {
  const m = measure.value;
  const all = categories.value.map((c) => ({ name: c.name, amount: amountOf(c.v, m) }));
  const size = (r: Row) => (r.name === OTHER ? null : r.amount);
  return all.sort((a, b) => {
    if ((a.name === OTHER) !== (b.name === OTHER)) return a.name === OTHER ? 1 : -1;
    const [x, y] = [size(a) ?? 0n, size(b) ?? 0n];
    return x > y ? -1 : x < y ? 1 : 0;
  });
});
const top = computed<Amount>(() => rows.value.reduce((max, r) => (r.amount !== null && r.amount > max ? r.amount : max), 0n));
const unit = computed(() => unitFor(rows.value[0]?.amount ?? 0n, lang.value));

export function categoryName(name: string): string {
  if (name === "") return text.value.unknown;
  return name === OTHER ? text.value.other : name;
}

function Line({ i }: { i: number }) {
  const row = computed(() => rows.value[i]);
  const kind = computed(() => (row.value?.name === OTHER || row.value?.name === "" ? "rest" : i < 3 ? "head" : ""));
  return (
    <li class={kind} hidden={computed(() => row.value === undefined)}>
      <span class="rank">{computed(() => (row.value?.name === OTHER ? "" : String(i + 1)))}</span>
      <span class="name">{computed(() => (row.value ? categoryName(row.value.name) : ""))}</span>
      <b>{computed(() => (row.value?.amount == null ? "—" : short(row.value.amount, unit.value)))}</b>
      <Bar share={computed(() => ratio(row.value?.amount ?? null, top.value))} />
    </li>
  );
}

export function Ranking() {
  const note = computed(() => unitNote(unit.value.name));
  const none = computed(() => rows.value.length === 0);
  return (
    <Card id="ranking" name={say((t) => t.ranking)} aside={<small>{note}</small>}>
      <ol hidden={none}>
        {slots(ROWS).map((i) => (
          <Line i={i} />
        ))}
      </ol>
      <Empty when={none} statistic="sales_by_category" />
    </Card>
  );
}
