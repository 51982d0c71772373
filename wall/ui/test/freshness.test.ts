import assert from "node:assert/strict";
import { test } from "node:test";
import { delay } from "../src/backoff.ts";
import type { State } from "../src/frame.ts";
import { ageOf, countdown, shownState } from "../src/freshness.ts";
import { zoneFormat } from "../src/zone.ts";

const state = (over: Partial<State>): State => ({
  name: "live",
  since: 10_000,
  newest: 0,
  watermark: 0,
  lag: 0,
  unknownPartition: null,
  due: 0,
  ended: false,
  completeFrom: 0,
  history: "ok",
  waiting: "",
  overdue: false,
  ...over,
});

test("the server's word stands until it falls silent", () => {
  assert.equal(shownState(state({ name: "quiet" }), 2_900), "quiet");
  assert.equal(shownState(state({ name: "live" }), 3_100), "disconnected");
  assert.equal(shownState(null, 0), "waiting");
  assert.equal(shownState(null, 3_100), "disconnected");
});

test("the age is of the data and never negative", () => {
  assert.equal(ageOf(state({}), 11_300), 1_300);
  assert.equal(ageOf(state({}), 9_000), 0);
  assert.equal(ageOf(state({ since: 0 }), 9_000), null);
  assert.equal(ageOf(null, 9_000), null);
});

test("spans read m:ss", () => {
  assert.equal(countdown(83_000), "1:23");
  assert.equal(countdown(3_723_000), "1:02:03");
  assert.equal(countdown(-5), "0:00");
});

test("the first try is quick, and within two minutes no wait is longer than 4 s", () => {
  assert.ok(delay(0, 3_000, 0.999) <= 250);
  for (let n = 0; n < 60; n++) assert.ok(delay(n, 60_000, 0.999) <= 4_000);
  assert.ok(delay(40, 600_000, 0.999) > 4_000);
  assert.equal(delay(9, 60_000, 0), 0);
});

test("times are the zone's", () => {
  const z = zoneFormat("Asia/Shanghai");
  const ms = Date.UTC(2020, 1, 28, 16, 0, 5);
  assert.deepEqual([z.time(ms), z.minute(ms), z.date(ms), z.day(ms), z.offset(ms)], ["00:00:05", "00:00", "2020-02-29", "02-29", "UTC+8"]);
  assert.equal(zoneFormat("No/Where").time(0), "00:00:00");
});
