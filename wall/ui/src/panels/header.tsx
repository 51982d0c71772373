import { computed } from "@preact/signals";
import { feed, job, text, zone } from "../board.ts";
import { now } from "../clock.ts";
import { say } from "../parts.tsx";
import { who } from "../session.ts";
import { keep, lang, theme } from "../settings.ts";
import { banner, detail, second, shown, word } from "../status.ts";

const clock = computed(() => (now.value === 0 ? "" : zone.value.time(now.value)));
const offset = computed(() => (now.value === 0 ? "" : zone.value.offset(now.value)));
const jobName = computed(() => job.value?.name ?? "");

function Freshness() {
  return (
    <div class="fresh" data-testid="state" data-state={shown}>
      <i class="mark" aria-hidden="true" />
      <b role="status">{word}</b>
      <span class="lines">
        <span class="age" data-testid="age" hidden={computed(() => second.value === "")}>
          {second}
        </span>
        <span class="detail" hidden={computed(() => detail.value === "")}>
          {detail}
        </span>
      </span>
    </div>
  );
}

function Controls() {
  const toggleLang = () => {
    lang.value = lang.value === "zh" ? "en" : "zh";
    keep("lang", lang.value);
  };
  const toggleTheme = () => {
    theme.value = theme.value === "dark" ? "light" : "dark";
    keep("theme", theme.value);
  };
  return (
    <div class="controls control">
      <button type="button" data-testid="lang" lang={computed(() => (lang.value === "zh" ? "en" : "zh-CN"))} onClick={toggleLang}>
        {say((t) => t.language)}
      </button>
      <button type="button" data-testid="theme" onClick={toggleTheme}>
        {computed(() => (theme.value === "dark" ? text.value.toLight : text.value.toDark))}
      </button>
      <form method="post" action="logout" hidden={computed(() => who.value === null)}>
        <button class="out" data-testid="logout">
          {say((t) => t.logOut(who.value ?? ""))}
        </button>
      </form>
    </div>
  );
}

export function Header() {
  return (
    <header class="top">
      <div class="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M3 10c5-5 9 4 14 0s8-4 12-1M3 17c5-5 9 4 14 0s8-4 12-1M3 24c5-5 9 4 14 0s8-4 12-1" />
        </svg>
        <h1>{say((t) => t.brand)}</h1>
        <span class="job">{jobName}</span>
        <em class="feed" data-testid="feed" data-feed={feed} hidden={computed(() => feed.value === "live")}>
          {computed(() => text.value.feed[feed.value])}
        </em>
      </div>
      <Freshness />
      <div class="clock">
        <time>{clock}</time>
        <small>{offset}</small>
      </div>
      <Controls />
      <div class="banner" data-testid="banner" role="alert" hidden={computed(() => banner.value === "")}>
        {banner}
      </div>
    </header>
  );
}
