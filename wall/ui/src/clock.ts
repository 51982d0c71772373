// The server's clock as this page knows it: the newest frame's time, carried on
// by the page's monotonic clock, so that a wrong clock here changes nothing.
import { signal } from "@preact/signals";

let at = 0;
let read = 0;

/** now moves twice a second, and with each frame. 0: no frame has come yet. */
export const now = signal(0);

export function setClock(serverNow: number): void {
  at = serverNow;
  read = performance.now();
  now.value = serverNow;
}

export function tickClock(): void {
  if (at > 0) now.value = Math.round(at + performance.now() - read);
}
