// Times in the job's zone, whatever the browser's.

export interface ZoneFormat {
  time(ms: number): string; // 20:15:03
  minute(ms: number): string; // 20:15
  date(ms: number): string; // 2020-02-29
  day(ms: number): string; // 02-29
  offset(ms: number): string; // UTC+8
}

const formats = new Map<string, ZoneFormat>();

/** zoneFormat falls back to UTC for a zone that the browser does not know. */
export function zoneFormat(zone: string): ZoneFormat {
  let format = formats.get(zone);
  if (!format) {
    try {
      format = make(zone);
    } catch {
      format = make("UTC");
    }
    formats.set(zone, format);
  }
  return format;
}

function make(timeZone: string): ZoneFormat {
  const of = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
  const time = of({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const minute = of({ hour: "2-digit", minute: "2-digit" });
  const date = new Intl.DateTimeFormat("sv-SE", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const offset = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "shortOffset" });
  return {
    time: (ms) => time.format(ms),
    minute: (ms) => minute.format(ms),
    date: (ms) => date.format(ms),
    day: (ms) => date.format(ms).slice(5),
    offset: (ms) => (offset.formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? "").replace("GMT", "UTC"),
  };
}
