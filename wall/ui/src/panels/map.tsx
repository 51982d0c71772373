import { computed, signal } from "@preact/signals";
import { amountOf, has, measure, provinces, symbol, text, today, unitNote } from "../board.ts";
import { type Amount, formatExact, group, SCALE } from "../money.ts";
import { Card, Empty, say, slots } from "../parts.tsx";
import { type Tile, tileOf, tiles } from "../provinces.ts";
import { cuts, reachable, stepOf } from "../quantiles.ts";
import { lang } from "../settings.ts";
import { short, unitFor } from "../units.ts";

const STEPS = 5;
const view = signal<"map" | "list">("map");

const amounts = computed(() => new Map(provinces.value.map((p) => [p.name, amountOf(p.v, measure.value)])));
const known = computed(() => tiles.map((tile) => amounts.value.get(tile.name)).filter((a): a is Amount => a != null));
const bounds = computed(() => cuts(known.value, STEPS));
const largest = computed(() => known.value.reduce((max, a) => (a > max ? a : max), 0n));
const unit = computed(() => unitFor(largest.value, lang.value));

/** What no tile can show: orders without a province, and places outside the 34. */
const unknown = computed(() => amounts.value.get("") ?? null);
const elsewhere = computed(() => {
  let sum: Amount | null = null;
  for (const [name, amount] of amounts.value) {
    if (name !== "" && !tileOf.has(name) && amount !== null) sum = (sum ?? 0n) + amount;
  }
  return sum;
});

function exact(amount: Amount | null): string {
  if (amount === null) return "—";
  return measure.value === "payments" ? group((amount / SCALE).toString()) : symbol.value + formatExact(amount);
}

function TileBox({ tile }: { tile: Tile }) {
  const amount = computed(() => amounts.value.get(tile.name));
  const step = computed(() => (amount.value == null ? "none" : String(stepOf(amount.value, bounds.value))));
  const value = computed(() => (amount.value == null ? "–" : short(amount.value, unit.value)));
  return (
    <div class={`tile c${tile.column} r${tile.row}`} data-testid={`tile-${tile.name}`} data-step={step}>
      <b>{computed(() => (lang.value === "zh" ? tile.letter : tile.code))}</b>
      <span>{value}</span>
    </div>
  );
}

function Legend() {
  const span = (i: number) =>
    computed(() => {
      const bound = bounds.value[Math.max(0, i - 1)];
      if (bound === undefined) return "";
      return i === 0 ? `<${short(bound, unit.value)}` : `${short(bound, unit.value)}+`;
    });
  return (
    <div class="legend" hidden={computed(() => bounds.value.length === 0)}>
      <span class="key none">{say((t) => t.noValue)}</span>
      {slots(STEPS).map((i) => (
        <span class="key" data-step={i} hidden={computed(() => !reachable(i, bounds.value))}>
          {span(i)}
        </span>
      ))}
    </div>
  );
}

function Beyond() {
  const line = (name: (t: typeof text.value) => string, amount: typeof unknown) => (
    <span hidden={computed(() => amount.value === null || amount.value === 0n)}>
      {say(name)} <b>{computed(() => (amount.value === null ? "" : short(amount.value, unit.value)))}</b>
    </span>
  );
  return (
    <div class="beyond">
      {line((t) => t.unknownPlace, unknown)}
      {line((t) => t.elsewhere, elsewhere)}
    </div>
  );
}

interface Place {
  name: string;
  amount: Amount | null;
}

const ranked = computed<Place[]>(() => {
  const t = text.value;
  const all: Place[] = tiles.map((tile) => ({ name: lang.value === "zh" ? tile.name : tile.english, amount: amounts.value.get(tile.name) ?? null }));
  all.sort((a, b) => (a.amount === null ? 1 : b.amount === null ? -1 : a.amount > b.amount ? -1 : a.amount < b.amount ? 1 : 0));
  if (elsewhere.value) all.push({ name: t.elsewhere, amount: elsewhere.value });
  if (unknown.value) all.push({ name: t.unknownPlace, amount: unknown.value });
  all.push({ name: t.total, amount: today.value ? amountOf(today.value.values, measure.value) : null });
  return all;
});

function List() {
  return (
    <ol class="places">
      {slots(tiles.length + 3).map((i) => (
        <li hidden={computed(() => ranked.value[i] === undefined)}>
          <span>{computed(() => ranked.value[i]?.name ?? "")}</span> <b>{computed(() => (ranked.value[i] ? exact(ranked.value[i].amount) : ""))}</b>
        </li>
      ))}
    </ol>
  );
}

export function ProvinceMap() {
  const choice = (v: "map" | "list", name: (t: typeof text.value) => string) => (
    <button type="button" aria-pressed={computed(() => (view.value === v ? "true" : "false"))} onClick={() => (view.value = v)}>
      {say(name)}
    </button>
  );
  const aside = (
    <>
      <small>{computed(() => [unitNote(unit.value.name), text.value.schematic].filter(Boolean).join(text.value.dot))}</small>
      <span class="switch control" role="group" aria-label={say((t) => t.viewLabel)}>
        {choice("map", (t) => t.asMap)}
        {choice("list", (t) => t.asList)}
      </span>
    </>
  );
  return (
    <Card id="map" name={say((t) => t.map)} aside={aside}>
      <div class="views" data-view={view}>
        <div class="tiles" aria-hidden="true">
          {tiles.map((tile) => (
            <TileBox tile={tile} />
          ))}
          <Legend />
          <Beyond />
        </div>
        <List />
      </div>
      <Empty when={computed(() => !has("sales_by_province"))} statistic="sales_by_province" />
    </Card>
  );
}
