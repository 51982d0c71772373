// The connection: one EventSource a page, opened again by the page itself, closed
// while nobody looks. Every connection begins with a snapshot.
import { signal } from "@preact/signals";
import { delay } from "./backoff.ts";
import { apply } from "./board.ts";
import { setClock, tickClock } from "./clock.ts";
import type { Board, Tick } from "./frame.ts";
import { SILENCE } from "./freshness.ts";
import { askWho } from "./session.ts";

const WATCHDOG = 10_000; // an open stream without a frame for so long is dead
const HIDDEN = 60_000;
const FRAMES_APART = 500;

/** No frame for SILENCE: what is on the page may be old. */
export const silent = signal(false);
export const everConnected = signal(false);

let source: EventSource | null = null;
let build: string | null = null;
let epoch = "";
let tries = 0;
let lastFrame = performance.now();
let openedAt = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let hush: ReturnType<typeof setTimeout> | undefined;
let hiding: ReturnType<typeof setTimeout> | undefined;

function take(event: MessageEvent<string>): void {
  const frame = JSON.parse(event.data) as Board | Tick;
  const snapshot = event.type === "snapshot";
  if (snapshot) epoch = (frame as Board).epoch;
  else if (frame.epoch !== undefined && frame.epoch !== epoch) return again(); // another server: begin with its snapshot
  if (frame.build !== undefined && !sameBuild(frame.build)) return;
  tries = 0;
  lastFrame = performance.now();
  everConnected.value = true;
  listen();
  setClock(frame.now);
  apply(frame);
}

/** listen begins the wait for the next frame. */
function listen(): void {
  clearTimeout(hush);
  silent.value = false;
  hush = setTimeout(() => (silent.value = true), SILENCE);
}

/** sameBuild reloads the page when the server was replaced, at most once a minute. */
function sameBuild(now: string): boolean {
  build ??= now;
  if (build === now) return true;
  const key = "liushui reloaded";
  if (Date.now() - Number(sessionStorage.getItem(key) ?? 0) < 60_000) return true;
  sessionStorage.setItem(key, String(Date.now()));
  location.reload();
  return false;
}

function open(): void {
  clearTimeout(retry);
  retry = undefined;
  close();
  openedAt = performance.now();
  source = new EventSource("api/v1/live");
  source.addEventListener("snapshot", take);
  source.addEventListener("tick", take);
  source.onerror = () => {
    if (source?.readyState === EventSource.CLOSED) void askWho(); // the server is there, and refused
    again();
  };
}

function close(): void {
  source?.close();
  source = null;
}

/** again closes and tries later: the browser's own retry gives up on a 5xx. */
function again(): void {
  close();
  if (retry !== undefined || document.hidden && hiding === undefined) return;
  retry = setTimeout(open, delay(tries++, performance.now() - lastFrame, Math.random()));
}

function watch(): void {
  const at = performance.now();
  if (source && at - Math.max(lastFrame, openedAt) > WATCHDOG) again();
  if (at - lastFrame > FRAMES_APART * 1.5) tickClock(); // frames move it themselves
}

function onVisibility(): void {
  clearTimeout(hiding);
  hiding = undefined;
  if (document.hidden) {
    hiding = setTimeout(() => {
      hiding = undefined;
      clearTimeout(retry);
      retry = undefined;
      close();
    }, HIDDEN);
  } else if (!source) {
    tries = 0;
    lastFrame = performance.now();
    listen(); // back from a rest: connecting, not yet disconnected
    open();
  }
}

/** start connects and keeps the page's clock. It is called once. */
export function start(): void {
  document.addEventListener("visibilitychange", onVisibility);
  addEventListener("online", () => !source && !document.hidden && open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  setInterval(watch, FRAMES_APART);
  listen();
  open();
}
