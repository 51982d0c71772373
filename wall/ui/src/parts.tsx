// Small pieces that several panels share.
import { type ReadonlySignal, computed, useSignalEffect } from "@preact/signals";
import { type ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { has, text } from "./board.ts";
import type { words } from "./words.ts";

type Words = (typeof words)["zh"];

/** say is a word of the wall in the language of the moment. */
export function say(pick: (t: Words) => string): ReadonlySignal<string> {
  return computed(() => pick(text.value));
}

export function Card(props: { id: string; name: ReadonlySignal<string>; aside?: ComponentChildren; class?: string; children: ComponentChildren }) {
  return (
    <section class={`card ${props.class ?? props.id}`} data-testid={props.id} aria-label={props.name}>
      <header>
        <h2>{props.name}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

/** Bar is a length between 0 and 1, written straight to the element. */
export function Bar(props: { share: ReadonlySignal<number>; class?: string }) {
  const fill = useRef<HTMLElement>(null);
  useSignalEffect(() => {
    const share = props.share.value;
    if (fill.current) fill.current.style.transform = `scaleX(${share.toFixed(4)})`;
  });
  return (
    <span class={`bar ${props.class ?? ""}`} aria-hidden="true">
      <i ref={fill} />
    </span>
  );
}

/** Empty says why a panel shows nothing: nothing yet, or a job without its statistic. */
export function Empty(props: { when: ReadonlySignal<boolean>; statistic: string }) {
  const shows = computed(() => (!props.when.value ? "" : has(props.statistic) ? text.value.empty : text.value.notComputed(props.statistic)));
  return (
    <p class="empty" hidden={computed(() => shows.value === "")}>
      {shows}
    </p>
  );
}

/** slots are the fixed rows of a list: rows never come and go, only their text does. */
export function slots(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
