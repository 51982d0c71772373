// What the page knows: one signal a section, fed by frames. Each panel reads the
// sections it shows, and only the text nodes whose text changed are written.
import { batch, computed, signal } from "@preact/signals";
import { mergeCurve } from "./curve.ts";
import type { Board, Curve, Feed, Health, Job, Order, Share, State, Step, Tick, Today, Values } from "./frame.ts";
import { type Amount, countAmount, parseAmount } from "./money.ts";
import { type Measure, chosenMeasure, lang } from "./settings.ts";
import { words } from "./words.ts";
import { zoneFormat } from "./zone.ts";

export const job = signal<Job | null>(null);
export const feed = signal<Feed>("live");
export const state = signal<State | null>(null);
export const today = signal<Today | null>(null);
export const curve = signal<Curve | null>(null);
export const categories = signal<Share[]>([]);
export const provinces = signal<Share[]>([]);
export const funnel = signal<Step[]>([]);
export const orders = signal<Order[]>([]);
export const health = signal<Health | null>(null);

/** The list of orders moves once a second at most: faster, nobody can read it. */
const ORDERS_EVERY = 1_000;
let ordersAt = -Infinity;
let heldOrders: Order[] | null = null;

export function apply(frame: Board | Tick): void {
  batch(() => {
    if (frame.job !== undefined) job.value = frame.job;
    if (frame.feed !== undefined) feed.value = frame.feed;
    if (frame.state !== undefined) state.value = frame.state;
    if (frame.today !== undefined) today.value = frame.today;
    if (frame.curve !== undefined) curve.value = mergeCurve(curve.peek(), frame.curve);
    if (frame.categories !== undefined) categories.value = frame.categories;
    if (frame.provinces !== undefined) provinces.value = frame.provinces;
    if (frame.funnel !== undefined) funnel.value = frame.funnel;
    if (frame.health !== undefined) health.value = frame.health;
    if (frame.orders !== undefined) heldOrders = frame.orders;
    if (heldOrders && frame.now - ordersAt >= ORDERS_EVERY) {
      orders.value = heldOrders;
      heldOrders = null;
      ordersAt = frame.now;
    }
  });
}

export const text = computed(() => words[lang.value]);
export const zone = computed(() => zoneFormat(job.value?.zone ?? "UTC"));

/** moneyless tells a feed that has payments but no money in it, such as a log of clicks. */
export const moneyless = computed(() => {
  const v = today.value?.values;
  if (!v || !v.payments) return false;
  return [v.paid, v.ordered, v.refunded].every((sum) => parseAmount(sum) === 0n);
});

export const measure = computed<Measure>(() => chosenMeasure.value ?? (moneyless.value ? "payments" : "paid"));

/** amountOf is the chosen measure of some values, exact; a count is an amount of whole units. */
export function amountOf(values: Values, of: Measure): Amount | null {
  return of === "payments" ? countAmount(values.payments) : parseAmount(values[of]);
}

/** symbol stands before amounts; it is empty for counts. */
export const symbol = computed(() => (measure.value === "payments" ? "" : currencySymbol.value));

export const currencySymbol = computed(() => {
  const currency = job.value?.currency;
  if (!currency) return "";
  try {
    const format = new Intl.NumberFormat(lang.value === "zh" ? "zh-CN" : "en", { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    return format.formatToParts(0).find((part) => part.type === "currency")?.value ?? currency;
  } catch {
    return currency + " ";
  }
});

/** unitWord names what the measure counts: 元, 英镑, 笔; English needs none beside the symbol. */
export const unitWord = computed(() => {
  if (lang.value === "en") return "";
  if (measure.value === "payments") return "笔";
  const currency = job.value?.currency;
  if (!currency) return "";
  if (currency === "CNY") return "元";
  try {
    return new Intl.DisplayNames("zh-CN", { type: "currency" }).of(currency) ?? currency;
  } catch {
    return currency;
  }
});

/** unitNote is the small text beside a panel's name: 亿元 in Chinese, ¥ B in English. */
export function unitNote(unit: string): string {
  return lang.value === "zh" ? unit + unitWord.value : [symbol.value, unit].filter(Boolean).join(" ");
}

/** has tells whether the job computes a statistic; true while no job is known. */
export const has = (statistic: string): boolean => job.value === null || job.value.statistics.includes(statistic);

/** missing is what stands for a value that is null: too large to hold, or not computed. */
export const missing = computed(() => ((health.value?.tooLarge ?? 0) > 0 ? text.value.tooLarge : "—"));
