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
import { dressPage } from "./settings.ts";
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

dressPage();
render(<Wall />, document.body);
titlePage();
effect(() => {
  document.documentElement.dataset.state = shown.value;
});
start();
