// The state of the data in words, for the header, the banner and the greying-out.
import { computed } from "@preact/signals";
import { feed, state, text, zone } from "./board.ts";
import { now } from "./clock.ts";
import { SILENCE, type Shown, ageOf, countdown, shownState } from "./freshness.ts";
import { everConnected, silent } from "./live.ts";

export const shown = computed<Shown>(() => shownState(state.value, silent.value ? SILENCE + 1 : 0));

export const stale = computed(() => shown.value === "stalled" || shown.value === "disconnected");

export const word = computed(() => {
  const t = text.value;
  if (shown.value === "waiting" && !everConnected.value) return t.connecting;
  const resting = shown.value === "quiet" || shown.value === "live";
  if (resting && state.value?.ended) return t.ended;
  return t.state[shown.value];
});

export const age = computed(() => {
  if (shown.value === "quiet" || shown.value === "waiting") return "";
  const ms = ageOf(state.value, now.value);
  if (ms === null) return "";
  const t = text.value;
  if (ms < 10_000) return t.seconds((ms / 1000).toFixed(1));
  if (ms < 60_000) return t.seconds(String(Math.floor(ms / 1000)));
  if (ms < 86_400_000) return countdown(ms);
  return t.days(Math.floor(ms / 86_400_000));
});

/** clockTime adds the date where it is not the clock's own. */
function clockTime(ms: number): string {
  const z = zone.value;
  const date = z.date(ms);
  return date === z.date(now.value) ? z.time(ms) : `${date} ${z.time(ms)}`;
}

/** detail is the small line beside the state: the most useful thing to know in it. */
export const detail = computed(() => {
  const s = state.value;
  const t = text.value;
  if (shown.value === "disconnected") return t.reconnecting;
  if (!s) return "";
  if (s.overdue) return t.overdue;
  if (s.unknownPartition !== null) return t.unknownLag(s.unknownPartition);
  if (s.waiting) return t.held(s.waiting);
  if (s.due > now.value + 1_500 && feed.value !== "live") return t.nextIn(countdown(s.due - now.value));
  if (s.newest === 0) return "";
  return shown.value === "quiet" ? t.quietSince(clockTime(s.newest)) : t.newest(clockTime(s.newest));
});

/** second is the age, or in a quiet hour the newest event where the detail speaks of the next. */
export const second = computed(() => {
  const s = state.value;
  if (shown.value !== "quiet" || !s || s.newest === 0) return age.value;
  const quiet = text.value.quietSince(clockTime(s.newest));
  return quiet === detail.value ? "" : quiet;
});

export const banner = computed(() => {
  const t = text.value;
  if (!stale.value) return "";
  const s = state.value;
  const what = shown.value === "stalled" ? t.stalledBanner : t.lostBanner;
  return what + t.dot + (s && s.since > 0 ? t.lastUpdate(clockTime(s.since)) : t.noData);
});
