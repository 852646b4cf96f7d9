/** The first page: what comes in, what waits, what failed, by source and type. */

import { longestDue, standings, type EventRecord, type Standing } from "@webhook-inbox/core";
import type { Call } from "../call.ts";
import { barChart } from "../chart.ts";
import { isRange, ranges, seriesOf, startOf, type RangeName, type Series } from "../figures.ts";
import { queryOf } from "../filter.ts";
import { html, type Html } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import { numberText, since } from "../words.ts";

/** Sources and types that are listed, those with most to look at first. */
const rowsMax = 100;
const tiles = ["pending", "dead", "quarantined", "unhandled", "refused", "done"] as const;
type Tile = (typeof tiles)[number];
const tileLabel: Readonly<Record<Tile, string>> = {
  pending: "waiting",
  dead: "dead",
  quarantined: "quarantined",
  unhandled: "unhandled",
  refused: "refused",
  done: "done",
};

export async function overviewPage(call: Call): Promise<Response> {
  const { inbox, url, base } = call;
  const asked = url.searchParams.get("range") ?? "";
  const name: RangeName = isRange(asked) ? asked : "1h";
  const range = ranges[name];
  const now = Date.now();
  const from = startOf(range, now);
  const [all, recent, longest] = await Promise.all([
    inbox.tally(),
    inbox.tally({ from, stepMs: range.stepMs }),
    longestDue(inbox),
  ]);
  const rows = standings(all);
  const series = seriesOf(recent, range, from);
  return pageOf(call, {
    heading: "Overview",
    place: "/",
    body: html` ${tilesOf(base, rows, longest, now)}
      <h2>The last ${range.label}</h2>
      <nav class="ranges" aria-label="Length of time">
        ${(Object.keys(ranges) as RangeName[]).map(
          (one) =>
            html`<a href="?range=${one}" ${one === name && html` aria-current="true"`}
              >${ranges[one].label}</a
            >`,
        )}
      </nav>
      <div class="charts">${series.map((one) => chartOf(one, range.step, range.label))}</div>
      <h2>By source and type</h2>
      ${rows.length === 0 ? html`<p>Nothing has come in yet.</p>` : tableOf(base, rows)}`,
  });
}

function tilesOf(
  base: string,
  rows: readonly Standing[],
  longest: EventRecord | undefined,
  now: number,
): Html {
  const countOf = (state: Tile): number =>
    rows.reduce((sum, { standing }) => sum + standing[state], 0);
  return html`<ul class="tiles">
    ${tiles.map((state) => {
      const count = countOf(state);
      return html`<li class="${state}${count === 0 && " none"}">
        <a href="${base}/events?state=${state}"
          ><b>${numberText(count)}</b> <span>${tileLabel[state]}</span></a
        >${
          state === "pending" &&
          longest !== undefined &&
          html`<small
            ><a href="${base}/events/${longest.key}">due ${since(longest.dueAt, now)}</a></small
          >`
        }
      </li>`;
    })}
  </ul>`;
}

function chartOf({ name, values, sum }: Series, step: string, range: string): Html {
  const label = `${name}: ${numberText(sum)} in the last ${range}, in bars of a ${step}`;
  return html`<figure class="${name.replace(" ", "-")}">
    <figcaption>
      ${name} <b>${numberText(sum)}</b>
      <span>at most ${numberText(Math.max(0, ...values))} a ${step}</span>
    </figcaption>
    ${barChart(values, label)}
  </figure>`;
}

const columns = ["pending", "done", "dead", "quarantined", "unhandled", "refused"] as const;

function tableOf(base: string, rows: readonly Standing[]): Html {
  const weight = ({ standing }: Standing): number =>
    standing.dead + standing.quarantined + standing.refused + standing.unhandled;
  const shown = rows.toSorted((a, b) => weight(b) - weight(a)).slice(0, rowsMax);
  const cell = ({ source, type, standing }: Standing, state: (typeof columns)[number]): Html => {
    const count = standing[state];
    const text = numberText(count);
    if (count === 0) return html`<td class="number none">${text}</td>`;
    return html`<td class="number ${state}">
      <a href="${base}/events?${String(queryOf({ source, type, state }))}">${text}</a>
    </td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Events by source and type">
      <table>
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col">Type</th>
            <th scope="col" class="number">Taken</th>
            <th scope="col" class="number">Duplicates</th>
            ${columns.map(
              (state) =>
                html`<th scope="col" class="number">
                  ${state === "pending" ? "waiting" : state}
                </th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (row) =>
              html`<tr>
                <th scope="row">${row.source}</th>
                <td>${row.type === "" ? "(not known)" : row.type}</td>
                <td class="number">${numberText(row.taken)}</td>
                <td class="number">${numberText(row.duplicates)}</td>
                ${columns.map((state) => cell(row, state))}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${shown.length < rows.length && html`<p>${numberText(rows.length - shown.length)} more are not shown.</p>`}`;
}
