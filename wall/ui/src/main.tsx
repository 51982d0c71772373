// The wall: one number, one curve, one map.
import { effect } from "@preact/signals";
import { render } from "preact";
import "../fonts/fonts.css";
import "./style/tokens.css";
import "./style/layout.css";
import "./style/panels.css";
import "./style/phone.css";
import { start } from "./live.ts";
import { CurvePanel } from "./panels/curve.tsx";
import { Funnel } from "./panels/funnel.tsx";
import { Header } from "./panels/header.tsx";
import { Pipeline } from "./panels/health.tsx";
import { Hero, titlePage } from "./panels/hero.tsx";
import { Kpis } from "./panels/kpis.tsx";
import { ProvinceMap } from "./panels/map.tsx";
import { Orders } from "./panels/orders.tsx";
import { Ranking } from "./panels/ranking.tsx";
import { askWho } from "./session.ts";
import { dressPage, kiosk } from "./settings.ts";
import { shown } from "./status.ts";

function Wall() {
  return (
    <>
      <Header />
      <main>
        <Hero />
        <Kpis />
        <Ranking />
        <CurvePanel />
        <ProvinceMap />
        <Funnel />
        <Orders />
        <Pipeline />
      </main>
    </>
  );
}

/** A picture that stands for days burns in: a kiosk's moves by a pixel every five minutes. */
function drift(): void {
  let step = 0;
  setInterval(() => {
    step = (step + 1) % 4;
    document.body.style.translate = `${step % 2}px ${step >> 1}px`;
  }, 300_000);
}

dressPage();
if (kiosk) drift();
render(<Wall />, document.body);
titlePage();
effect(() => {
  document.documentElement.dataset.state = shown.value;
});
start();
void askWho();
