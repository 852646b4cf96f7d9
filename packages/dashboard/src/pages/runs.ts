/** Acts that were begun here: all of them, and the progress of one. */

import type { Call } from "../call.ts";
import { Refusal, seeOther } from "../site/visit.ts";
import { whichText } from "../filter.ts";
import { html, type Html, type Part } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import type { Run } from "../runs.ts";
import { refuseUnless } from "./acts-allowed.ts";
import { actLabel, doneText, durationText, eventsText, instant, numberText } from "../words.ts";

export async function runsPage(call: Call): Promise<Response> {
  const all = call.runs.all();
  return pageOf(call, {
    heading: "Acts",
    place: "/acts",
    body: html`<p>
        What was begun on this instance since its start. What was done to an event is kept with it
        for good.
      </p>
      ${
        all.length === 0
          ? html`<p>
              Nothing yet. Choose events, and what to do with them, in the
              <a href="${call.base}/events">list</a>.
            </p>`
          : html`<ul class="runs">
              ${all.map((run) => html`<li><a href="${call.base}/acts/${run.id}">${titleOf(run)}</a> ${badge(run)} by ${run.ask.by}, ${instant(run.startedAt)}</li>`)}
            </ul>`
      }`,
  });
}

const titleOf = ({ ask }: Run): string => `${actLabel[ask.act]} ${whichText(ask.which)}`;

const badge = ({ state }: Run): Html =>
  html`<span class="state ${state === "failed" ? "dead" : state}">${state}</span>`;

export async function runPage(call: Call): Promise<Response> {
  const one = runOf(call);
  const { ask, state, remark, startedAt } = one;
  const isRunning = state === "running";
  return pageOf(call, {
    heading: titleOf(one),
    place: "/acts",
    reloadsIn: isRunning ? 1 : undefined,
    body: html` <p>
        ${badge(one)} by ${ask.by}, begun
        ${instant(startedAt)}${ask.reason !== "" && `: ${ask.reason}`}
      </p>
      <div
        class="progress"
        ${isRunning && html` data-progress="${call.base}/acts/${one.id}/progress"`}
      >
        <label for="progress">Progress</label> ${bar(one)}
        <p role="status">${progressText(one)}</p>
      </div>
      ${remark !== undefined && html`<p role="alert">${remark}</p>`}
      ${isRunning ? stopForm(call, one) : html`<p class="acts"><a href="${call.base}/events">To the events</a> <a href="${call.base}/">To the overview</a></p>`}`,
  });
}

function bar({ ask: { expected }, count, state }: Run): Html {
  const max = expected ?? Math.max(count, 1);
  if (state === "running" && expected === undefined)
    return html`<progress id="progress"></progress>`;
  return html`<progress
    id="progress"
    max="${Math.max(1, max)}"
    value="${state === "done" ? Math.max(1, max) : count}"
  ></progress>`;
}

/** Sooner, a rate says nothing. */
const rateAfterMs = 1000;

function progressText({ ask, count, state, startedAt, endedAt }: Run): string {
  const tookMs = Math.max(1, (endedAt ?? Date.now()) - startedAt);
  const so = `${eventsText(count)} ${doneText[ask.act]}`;
  if (state !== "running") {
    const how =
      state === "stopped"
        ? " before it was stopped: the same act goes on where this one ended"
        : "";
    return `${so} in ${durationText(tookMs)}${how}.`;
  }
  const of = ask.expected === undefined ? "" : ` of ${numberText(ask.expected)}`;
  const rate = `, ${numberText(Math.round((count * 1000) / tookMs))} a second`;
  return `${so}${of}${tookMs < rateAfterMs ? "" : rate}.`;
}

function stopForm(call: Call, { id, ask }: Run): Part {
  // To verify again is one step.
  if (ask.act === "verify") return undefined;
  return html`<form method="post" action="${call.base}/acts/${id}/stop">
    <input type="hidden" name="csrf" value="${call.token.value}" /><button>Stop</button>
    <small>What is done stays done.</small>
  </form>`;
}

/** For the script of the page. */
export async function progress(call: Call): Promise<Response> {
  const one = runOf(call);
  return Response.json({
    isOver: one.state !== "running",
    count: one.count,
    expected: one.ask.expected,
    text: progressText(one),
  });
}

export async function stop(call: Call): Promise<Response> {
  const { id, ask } = runOf(call);
  refuseUnless(call, ask.act);
  call.runs.stop(id);
  return seeOther(`${call.base}/acts/${id}`);
}

function runOf(call: Call): Run {
  const one = call.runs.get(call.params["id"] ?? "");
  if (one !== undefined) return one;
  throw new Refusal(
    404,
    "This instance knows of no such act: another one has begun it, or it was long ago. What was done stands with each event.",
  );
}
