// The chart of the curve: uPlot, with the provisional part hatched and dashed.
import uPlot from "uplot";
import type { Drawn } from "./curve.ts";

export interface Labels {
  x(ms: number): string;
  y(value: number): string;
  zone: string;
}

const steps = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** ceiling is a round number at least as large, so that the scale rests between steps. */
export function ceiling(value: number): number {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return steps.find((step) => step * power >= value)! * power;
}

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Chart owns one uPlot in an element, and makes it anew when its size or colours change. */
export class Chart {
  private plot: uPlot | null = null;
  private shown: Drawn | null = null;
  private readonly observer: ResizeObserver;

  constructor(
    private readonly box: HTMLElement,
    private readonly labels: Labels,
  ) {
    this.observer = new ResizeObserver(() => this.rebuild());
    this.observer.observe(box);
  }

  draw(shown: Drawn): void {
    this.shown = shown;
    if (this.plot) this.plot.setData(this.data());
    else this.rebuild();
  }

  close(): void {
    this.observer.disconnect();
    this.plot?.destroy();
  }

  rebuild(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    this.plot?.destroy();
    this.plot = null;
    if (width > 40 && height > 40 && this.shown) this.plot = new uPlot(this.options(width, height), this.data(), this.box);
  }

  private data(): uPlot.AlignedData {
    const s = this.shown!;
    return [s.times, s.firm, s.provisional, s.corrected] as uPlot.AlignedData;
  }

  private options(width: number, height: number): uPlot.Options {
    const size = Math.max(12, Math.round(parseFloat(getComputedStyle(this.box).fontSize)));
    const line = css("--s1");
    const stroke = Math.max(2, size / 8);
    const axis = { stroke: css("--muted"), font: `500 ${size}px "Liushui Digits","Liushui Sans",sans-serif`, grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
    return {
      width,
      height,
      padding: [size * 0.6, size * 1.6, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      tzDate: (s) => uPlot.tzDate(new Date(s * 1000), this.labels.zone),
      scales: {
        x: { range: () => [this.shown!.from / 1000, Math.max(this.shown!.to, this.shown!.from + 1000) / 1000] },
        y: { range: (_, min, max) => [-ceiling(-(min ?? 0)), ceiling((max ?? 0) * 1.04) || 1] },
      },
      axes: [
        { ...axis, space: size * 6, size: size * 1.9, gap: size * 0.4, values: (_, at) => at.map((s) => this.labels.x(s * 1000)) },
        { ...axis, space: size * 2.4, size: size * 3.2, gap: size * 0.4, values: (_, at) => at.map((v) => this.labels.y(v)) },
      ],
      series: [
        {},
        { stroke: line, width: stroke, fill: line + "22", points: { show: false } },
        { stroke: line, width: stroke, dash: [stroke * 2, stroke * 2], points: { show: false } },
        { stroke: css("--hot"), fill: css("--card"), width: 2, paths: () => null, points: { show: true, size: size * 0.5 } },
      ],
      hooks: { drawClear: [(plot) => this.hatch(plot)] },
    };
  }

  /** hatch marks where windows may still change. Its lines are fixed to the plot, so they stand still while time moves. */
  private hatch(plot: uPlot): void {
    const s = this.shown!;
    if (s.firmUntil > s.to) return;
    const { left, top, width, height } = plot.bbox;
    const from = Math.max(left, Math.round(plot.valToPos(s.firmUntil / 1000, "x", true)));
    const unit = Math.max(12, parseFloat(getComputedStyle(this.box).fontSize)) * devicePixelRatio;
    const gap = Math.round(unit / 2);
    const ctx = plot.ctx;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, top, left + width - from, height);
    ctx.clip();
    ctx.strokeStyle = css("--hot");
    ctx.globalAlpha = 0.38;
    ctx.lineWidth = Math.max(1, unit / 18);
    ctx.beginPath();
    for (let x = left - height; x < left + width; x += gap) {
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
    }
    ctx.stroke();
    ctx.restore();
  }
}
