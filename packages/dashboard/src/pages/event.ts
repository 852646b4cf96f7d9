/** One event: where it stands and why, its attempts, what people did, and its delivery, masked. */

import {
  diagnosisText,
  forever,
  statesFor,
  visibleJson,
  type DeliveryView,
  type EventRecord,
  type EventView,
} from "@webhook-inbox/core";
import type { Call } from "../call.ts";
import { may, Refusal } from "../site/visit.ts";
import { html, type Html, type Part } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import {
  actLabel,
  countText,
  durationText,
  instant,
  meaningOf,
  numberText,
  reasonText,
  since,
  stateBadge,
} from "../words.ts";
import { actsOf } from "./acts-allowed.ts";

export async function eventPage(call: Call): Promise<Response> {
  const key = call.params["key"] ?? "";
  const view = await call.inbox.view(key);
  if (view === undefined) throw noEvent();
  const { event: one, delivery } = view;
  return pageOf(call, {
    heading: `${one.source} ${one.type === "" ? "(type not known)" : one.type}`,
    place: "/events",
    body: html` <p class="lead">
        ${stateBadge(one)} ${meaningOf[one.state]}
        ${one.reason !== undefined && reasonText[one.reason]} ${dueText(one)}
      </p>
      ${actsOn(call, one)} ${verdictOf(view)} ${attemptsOf(one)}
      <h2>Event</h2>
      ${factsOf(one)} ${interventionsOf(one)}
      <h2>Delivery</h2>
      ${delivery === undefined ? html`<p>It was forgotten because of its age, or erased.</p>` : deliveryOf(call, key, delivery)}`,
  });
}

export const noEvent = (): Refusal => new Refusal(404, "There is no event with this key.");

function dueText({ state, dueAt }: EventRecord): Part {
  if (state !== "pending") return undefined;
  if (dueAt >= forever) return "It waits behind others of its lane.";
  return dueAt <= Date.now() ? "It is due now." : html`It is due ${since(dueAt)}.`;
}

function actsOn(call: Call, { state, key }: EventRecord): Part {
  const acts = actsOf(call).filter((act) => statesFor[act].includes(state));
  if (acts.length === 0) return undefined;
  return html`<p class="acts">
    ${acts.map(
      (act) =>
        html`<a class="button ${act}" href="${call.base}/act?act=${act}&amp;key=${key}"
          >${actLabel[act]}…</a
        > `,
    )}
  </p>`;
}

/** Of a refused delivery: what verifying it says now. */
function verdictOf({ event: { state, receivedAt }, verdict }: EventView): Part {
  if (state !== "refused") return undefined;
  const says =
    verdict === undefined
      ? html`<p>
          It cannot be verified here: the source is not configured, or asks for no credential.
        </p>`
      : verdict.ok
        ? html`<p class="good">
            Authentic: ${verdict.secret} matches now. Verify it again, and it is handled.
          </p>`
        : html`<p><b>${diagnosisText(verdict.diagnosis)}</b></p>
            <p>${reasonText[verdict.diagnosis.code]}</p>`;
  return html`<h2>Verified now, as of its arrival ${since(receivedAt)}</h2>
    ${says}`;
}

function attemptsOf({ history, attempts, crashes }: EventRecord): Part {
  if (history.length === 0 && attempts === 0) return undefined;
  const lost =
    crashes > 0 &&
    html`<p>
      ${countText(crashes, "attempt", "attempts")} in a row ended with the process that ran it.
    </p>`;
  if (history.length === 0)
    return html`<h2>Attempts</h2>
      <p>${numberText(attempts)} begun, none ended yet.</p>
      ${lost}`;
  return html`<h2>Attempts</h2>
    ${lost}
    <div class="scroll" tabindex="0" role="region" aria-label="Attempts">
      <table>
        <thead>
          <tr>
            <th scope="col">Began</th>
            <th scope="col" class="number">Took</th>
            <th scope="col">Result</th>
          </tr>
        </thead>
        <tbody>
          ${history.toReversed().map(
            ({ startedAt, durationMs, failures }) =>
              html`<tr>
                <td>${instant(startedAt)}</td>
                <td class="number">${durationText(durationMs)}</td>
                <td>
                  ${
                    failures.length === 0
                      ? html`<span class="state done">succeeded</span>`
                      : failures.map(
                          ({ handler, name, message }) =>
                            html`<p class="failure"><b>${handler}</b>: ${name}: ${message}</p>`,
                        )
                  }
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function factsOf(one: EventRecord): Html {
  const facts: readonly (readonly [string, Part])[] = [
    ["Key", html`<code>${one.key}</code>`],
    ["Id", one.id === "" ? undefined : html`<code>${one.id}</code>`],
    ["Received", instant(one.receivedAt)],
    ["Occurred", one.occurredAt === undefined ? undefined : instant(one.occurredAt)],
    [one.replayed ? "Attempts since it was replayed" : "Attempts", numberText(one.attempts)],
    ["Duplicates", numberText(one.duplicates)],
    [
      "Run from the start",
      one.generation === 0 ? undefined : countText(one.generation, "time", "times"),
    ],
    ["Finished handlers", one.finished.join(", ") || undefined],
    ["Given up by", one.gaveUp.join(", ") || undefined],
    ["Notes", one.notes.join(", ") || undefined],
  ];
  return html`<dl>
    ${facts.map(
      ([name, value]) =>
        value !== undefined &&
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

function interventionsOf({ interventions }: EventRecord): Part {
  if (interventions.length === 0) return undefined;
  return html`<h2>What people did</h2>
    <ul>
      ${interventions
        .toReversed()
        .map(
          ({ act, at, by, reason }) =>
            html`<li>
              ${instant(at)} <b>${actLabel[act]}</b> by ${by}${reason !== "" && `: ${reason}`}
            </li>`,
        )}
    </ul>`;
}

const contentCharactersMax = 65_536;

function deliveryOf(call: Call, key: string, delivery: DeliveryView): Html {
  const { method, target, account, headers, content, bodyBytes, reconstructed, verifiedWith } =
    delivery;
  const path = `${call.base}/events/${key}`;
  return html`<p><code>${method} ${target}</code></p>
    <p>
      ${countText(bodyBytes, "byte", "bytes")}${verifiedWith !== "refused" && `, verified with ${verifiedWith}`}${account !== undefined && `, of account ${account}`}.
      ${reconstructed && "A parser had consumed the body: it was rebuilt, and is not exact."}
    </p>
    ${may(call, "payloads") && html`<p class="acts"><a class="button" href="${path}/delivery">Show without masks</a> <a class="button" href="${path}/body">Download the body</a></p>`}
    <h3>Content, what is personal masked</h3>
    ${contentText(content)}
    <h3>Headers, what may be secret masked</h3>
    ${headersOf(headers)}`;
}

function contentText(content: unknown): Html {
  if (content === undefined) return html`<p>It cannot be read as JSON or as a form.</p>`;
  try {
    return clipped(visibleJson(content, 2));
  } catch {
    return html`<p>It is nested too deep to be shown.</p>`;
  }
}

/** Text as it is, up to a length. */
export function clipped(text: string): Html {
  const isLong = text.length > contentCharactersMax;
  return html`<pre tabindex="0">${text.slice(0, contentCharactersMax)}</pre>
    ${isLong && html`<p>The first ${numberText(contentCharactersMax)} characters of ${numberText(text.length)}.</p>`}`;
}

export function headersOf(headers: readonly (readonly [string, string])[]): Html {
  return html`<div class="scroll headers" tabindex="0" role="region" aria-label="Headers">
    <table>
      <tbody>
        ${headers.map(
          ([name, value]) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td>${value}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
