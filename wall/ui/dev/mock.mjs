// A stand-in for `liushui serve` while working on the page: it streams made-up
// frames. The page's address picks the scene: /?mock=stalled, quiet, delayed,
// waiting, nojob, replay, clicks, toolarge, engines, long, live. `node dev/mock.mjs`
// also serves dist with the wall's content security policy.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const places = "广东 浙江 江苏 上海 北京 山东 四川 河南 湖北 福建 安徽 湖南 河北 辽宁 陕西 重庆 江西 天津 广西 云南 黑龙江 山西 吉林 贵州 内蒙古 新疆 甘肃 海南 台湾 宁夏 香港 青海".split(" ");
const plainNames = ["手机数码", "服饰鞋包", "家用电器", "美妆护肤", "食品生鲜", "母婴玩具", "运动户外"];
const longNames = ["Home & Kitchens", "<img src=x onerror=alert(1)>", "Clothing, Shoes & Jewellery for the Whole Family", "内蒙古大草原风干牛肉与手工奶制品", "Books", "Foods", "Tools"];
const random = (seed) => () => ((seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32);

/** Totals in cents as whole numbers; money leaves as decimal text. */
const money = (cents) => (cents / 100).toFixed(2);
function values(orders, cents, orderCents = Math.round(cents * 1.16)) {
  const payments = Math.round(orders * 0.86);
  const refunded = Math.round(cents * 0.0217);
  return {
    orders,
    ordered: money(orderCents),
    payments,
    paid: money(cents),
    refunds: Math.round(payments * 0.02),
    refunded: money(refunded),
    net: money(cents - refunded),
    cancels: Math.round(orders * 0.03),
    pieces: Math.round(payments * 1.7),
    buyers: Math.round(payments * 0.8),
  };
}

/** split divides a whole into parts that add up to it, the last one the rest. */
function split(whole, weights) {
  const sum = weights.reduce((a, b) => a + b, 0);
  const parts = weights.map((w) => Math.floor((whole * w) / sum));
  parts[parts.length - 1] += whole - parts.reduce((a, b) => a + b, 0);
  return parts;
}

function scene(name) {
  const names = name === "long" ? longNames : plainNames;
  const r = random(7);
  const small = name === "replay";
  let cents = small ? 247_482_307 : 12_876_390_486_600;
  let orders = small ? 28_010 : 862_345_678;
  const weights = places.map((_, i) => (34 - i) ** 2 * (0.7 + r() * 0.6));
  weights.push(2); // without a province
  const catWeights = names.map((_, i) => (9 - i) ** 1.5);
  catWeights.push(2, 4); // without a category, and all below the eighth
  const step = small ? 3_600_000 : 1000;
  const keep = small ? 240 : 180;
  let clock = small ? Date.UTC(2020, 1, 29, 11) : Math.floor(Date.now() / 1000) * 1000;
  let seq = 0;
  let key = 0;
  const latest = [];
  const points = [];
  const flow = (t) => Math.round((small ? 600_000 : 4_100_000_00) * (1 + 0.25 * Math.sin(t / step / 19) + 0.1 * Math.sin(t / step / 5) + 0.1 * r()));
  for (let i = keep; i > 0; i--) points.push({ t: clock - i * step, v: values(small ? 40 : 26_000, flow(clock - i * step)), s: i > 10 ? (i === 60 ? "corrected" : "final") : "provisional" });

  function order(now) {
    const pay = r() < 0.6;
    return { time: now, type: pay ? "pay" : "order", order: `2020…${String(key % 1000).padStart(3, "0")}`, user: "1…7", province: r() < 0.04 ? "" : places[Math.floor(r() * places.length)], category: names[Math.floor(r() * names.length)], amount: name === "clicks" ? "0.00" : money(Math.floor(r() * 300_000)), key: key++ };
  }

  function sections(now, all) {
    const grown = flow(clock) / 2;
    cents += Math.round(grown);
    orders += Math.round(grown / 14_900);
    for (let i = 0; i < 3; i++) latest.unshift(order(clock));
    latest.length = Math.min(latest.length, 20);
    if (seq % 2 === 0 || small) {
      clock = small ? clock + step : Math.floor(now / 1000) * 1000;
      points.push({ t: clock - step, v: values(small ? 40 : 26_000, flow(clock)), s: "provisional" });
      const firm = points.at(-11);
      if (firm && firm.s === "provisional") firm.s = "final";
      if (points.length > keep) points.shift();
    }
    const watermark = clock - 10 * step;
    const provinces = split(cents, weights);
    const perPlace = split(orders, weights);
    const cats = split(cents, catWeights);
    const perCat = split(orders, catWeights);
    const users = (n) => ({ events: n, users: Math.round(n * 0.7) });
    const read = orders * 9;
    const account = { read, counted: read - 5_210, duplicate: 4_100, late: 37, bad: 1_073, ignored: 0 };
    const feed = small ? "replay" : name === "live" ? "live" : "demo";
    const day = small ? Date.UTC(2020, 1, 28, 16) : now - (now % 86_400_000);
    const zero = { orders: 0, ordered: "0", payments: 2_144, paid: "0", refunds: 0, refunded: "0", net: "0", cancels: 0, pieces: 2_144, buyers: 2_071 };
    const big = { ...values(orders, cents), paid: null, net: null };
    const whole = name === "clicks" ? zero : name === "toolarge" ? big : values(orders, cents);
    const engines = [{ name: "native", watermark, rate: 183_412.6, time: now, stopped: false, account, balanced: true }];
    if (name === "engines") engines.push({ ...engines[0], name: "spark", account: { ...account, counted: account.counted - 1 }, balanced: false });
    const corrections = [60, 1_500, 0].map((ago, i) => ({
      window: i === 2 ? "1d" : "1m",
      start: i === 2 ? day - 86_400_000 : clock - ago * step,
      end: clock,
      was: values(40, 2_600_000),
      is: values(41, i === 1 ? 2_570_000 : 2_626_650),
      late: 1 + i,
      repaired: i === 1,
      changed: now - i * 61_000,
    }));
    return {
      job: { name: "shop", zone: "Asia/Shanghai", currency: "CNY", statistics: ["sales", "activity", "sales_by_category", "sales_by_province"] },
      feed,
      state: { name: "live", since: now - 400 - (seq % 3) * 300, newest: clock, watermark, lag: 214, unknownPartition: null, due: small ? now + 83_000 : 0, ended: false, completeFrom: name === "engines" ? day + 34_200_000 : 0, history: name === "engines" ? "missing" : "ok", waiting: "", overdue: false },
      today: { start: day, end: day + 86_400_000, date: small ? "2020-02-29" : new Date(now + 28_800_000).toISOString().slice(0, 10), state: "provisional", values: whole, approx: true },
      curve: { window: small ? "1h" : "1s", step, keep, watermark, reset: all, points: all ? points.slice() : points.slice(-14) },
      categories: name === "clicks" ? [] : cats.map((c, i) => ({ name: names[i] ?? (i === names.length ? "" : "\u0000other"), v: values(perCat[i], c) })),
      provinces: name === "clicks" ? [] : provinces.map((c, i) => ({ name: places[i] ?? "", v: values(perPlace[i], c) })),
      funnel: [
        { type: "view", ...users(small ? 0 : orders * 6) },
        { type: "favorite", ...users(small ? 0 : Math.round(orders * 0.8)) },
        { type: "cart", ...users(small ? 0 : Math.round(orders * 2.3)) },
        { type: "order", ...users(orders) },
        { type: "pay", ...users(Math.round(orders * 0.86)) },
      ],
      orders: latest.slice(),
      health: { rate: 183_412.6, lag: 214, engines, disagree: name === "engines", corrected: 1_204, tooLarge: name === "toolarge" ? 2 : 0, storeDelay: 412, store: "ok", corrections },
    };
  }

  /** Scenes other than a lively wall: made of the lively one. */
  function changed(full, now, began) {
    const s = full.state;
    const age = { delayed: 6_000, stalled: 18_000 }[name];
    if (age) Object.assign(s, { name, since: began - age, newest: began - age, unknownPartition: name === "delayed" ? 3 : null });
    if (name === "quiet") Object.assign(s, { name, newest: began - 75_000, lag: 0 });
    if (small) Object.assign(s, { name: "live" });
    if (name === "waiting" || name === "nojob") {
      return { ...full, job: name === "nojob" ? null : full.job, today: null, categories: [], provinces: [], funnel: [], orders: [], feed: "live", curve: { ...full.curve, points: [] }, health: { ...full.health, engines: [], rate: 0, lag: null, corrected: 0, storeDelay: null, store: "none", corrections: [] }, state: { ...s, name: "waiting", since: 0, newest: 0, watermark: 0, lag: null } };
    }
    return full;
  }

  const frozen = ["stalled", "delayed", "quiet", "waiting", "nojob"].includes(name);
  const began = Date.now();
  return function frame() {
    const now = Date.now();
    const first = seq === 0;
    const head = { seq: seq++, epoch: "mock", now, build: "mock" };
    if (!first && frozen) return ["tick", head];
    return [first ? "snapshot" : "tick", { ...head, ...changed(sections(now, first), now, began) }];
  };
}

/** live answers GET /api/v1/live; usable as a middleware. */
export function live(request, response) {
  const page = new URL(request.headers.referer ?? "http://localhost/");
  const frame = scene(page.searchParams.get("mock") ?? process.env.MOCK ?? "demo");
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const send = () => {
    const [event, data] = frame();
    response.write(`id: mock-${data.seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  send();
  const every = setInterval(send, 500);
  request.on("close", () => clearInterval(every));
}

const types = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml", woff2: "font/woff2" };
const policy = "default-src 'self'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

async function file(request, response) {
  const path = new URL(request.url, "http://localhost").pathname;
  if (path === "/api/v1/live") return live(request, response);
  const name = path === "/" ? "index.html" : path.slice(1);
  const body = await readFile(new URL(`../../dist/${name}`, import.meta.url)).catch(() => null);
  if (!body || name.includes("..")) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": types[name.split(".").pop()] ?? "application/octet-stream", "Content-Security-Policy": policy }).end(body);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = createServer((q, s) => void file(q, s));
  server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/?lang=zh&mock=demo`));
}
