// What a viewer may choose. The address holds all of it, so a wall is set up by its link.
import { effect, signal } from "@preact/signals";
import type { Lang } from "./units.ts";

export type Theme = "dark" | "light";
export type Measure = "paid" | "ordered" | "net" | "payments";

export const measures: Measure[] = ["paid", "ordered", "net", "payments"];

const query = new URLSearchParams(location.search);
const oneOf = <T extends string>(name: string, ...allowed: T[]): T | null => {
  const value = query.get(name);
  return allowed.find((a) => a === value) ?? null;
};

export const lang = signal<Lang>(oneOf("lang", "zh", "en") ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
export const theme = signal<Theme>(oneOf("theme", "dark", "light") ?? "dark");
/** null: paid, or the number of payments where the feed carries no money. */
export const chosenMeasure = signal<Measure | null>(oneOf("measure", ...measures));
export const kiosk = query.get("kiosk") === "1";

/** keep writes a choice into the address. */
export function keep(name: "lang" | "theme" | "measure", value: string): void {
  const url = new URL(location.href);
  url.searchParams.set(name, value);
  history.replaceState(null, "", url);
}

/** dressPage keeps the document's attributes in step with the settings. */
export function dressPage(): void {
  const root = document.documentElement;
  if (kiosk) root.dataset.kiosk = "";
  effect(() => {
    root.dataset.theme = theme.value;
  });
  effect(() => {
    root.lang = lang.value === "zh" ? "zh-CN" : "en";
  });
}
