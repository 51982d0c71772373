// The live frame: what `GET /api/v1/live` sends. Money is an exact decimal
// string in the currency's unit; null stands for a value too large to hold.

export type Feed = "live" | "replay" | "demo";
export type StateName = "waiting" | "live" | "quiet" | "delayed" | "stalled";
export type Firmness = "provisional" | "final" | "corrected";

export interface Values {
  orders: number | null;
  ordered: string | null;
  payments: number | null;
  paid: string | null;
  refunds: number | null;
  refunded: string | null;
  net: string | null;
  cancels: number | null;
  pieces: number | null;
  buyers: number | null;
}

export interface Job {
  name: string;
  zone: string;
  currency: string;
  statistics: string[];
}

export interface State {
  name: StateName;
  since: number; // the age of the data is now - since; 0: there is none
  newest: number;
  watermark: number;
  lag: number | null;
  unknownPartition: number | null;
  due: number; // clock time of the next announced event; 0: none
  ended: boolean;
  completeFrom: number; // 0: complete
  history: "ok" | "missing";
  waiting: string;
  overdue: boolean;
}

export interface Today {
  start: number;
  end: number;
  date: string;
  state: Firmness;
  values: Values;
  approx: boolean;
}

export interface Point {
  t: number;
  v: Values;
  s: Firmness;
}

export interface Curve {
  window: "1s" | "1m" | "1h" | ""; // empty: there is none yet
  step: number;
  keep: number;
  watermark: number;
  reset: boolean;
  points: Point[];
}

export interface Share {
  name: string;
  v: Values;
}

export type StepType = "view" | "favorite" | "cart" | "order" | "pay";

export interface Step {
  type: StepType;
  events: number;
  users: number;
}

export interface Order {
  time: number;
  type: "order" | "pay";
  order: string;
  user: string;
  province: string;
  category: string;
  amount: string | null;
  key: number;
}

export interface Account {
  read: number;
  counted: number;
  duplicate: number;
  late: number;
  bad: number;
  ignored: number;
}

export interface EngineHealth {
  name: string;
  watermark: number;
  rate: number;
  time: number;
  stopped: boolean;
  account: Account;
  balanced: boolean;
}

/** A window of sales that changed after it was final. */
export interface Correction {
  window: string;
  start: number;
  end: number;
  was: Values;
  is: Values;
  late: number | null;
  repaired: boolean;
  changed: number; // clock
}

export interface Health {
  rate: number;
  lag: number | null;
  engines: EngineHealth[];
  disagree: boolean;
  corrected: number;
  tooLarge: number;
  storeDelay: number | null;
  store: "ok" | "behind" | "none";
  corrections: Correction[]; // the newest change first
}

export interface Sections {
  job: Job | null;
  feed: Feed;
  state: State;
  today: Today | null;
  curve: Curve;
  categories: Share[];
  provinces: Share[];
  funnel: Step[];
  orders: Order[];
  health: Health;
}

export interface Clocked {
  seq: number;
  epoch: string;
  now: number;
  build: string;
}

export type Board = Clocked & Sections;

/** A tick carries any of the sections, each whole; of the curve only the changed points. */
export type Tick = Pick<Clocked, "seq" | "now"> & Partial<Clocked> & Partial<Sections>;

/** The name under which the ranking sums up what is below its last row. */
export const OTHER = "\u0000other";
