/** The list of events, with filters; and the way to one of them by its key or its provider's id. */

import {
  eventKey,
  everyState,
  standings,
  statesFor,
  type EventFilter,
  type EventRecord,
} from "@webhook-inbox/core";
import type { Call } from "../call.ts";
import { Refusal, seeOther } from "../site/visit.ts";
import { filterOf, queryOf, whichText } from "../filter.ts";
import { html, type Html, type Part } from "../site/html.ts";
import { pageOf } from "../site/layout.ts";
import { actLabel, reasonText, since, stateBadge } from "../words.ts";
import { actsOf } from "./acts-allowed.ts";

const pageMax = 50;

export async function eventsPage(call: Call): Promise<Response> {
  const { inbox, url, base } = call;
  const filter = filterOf(url.searchParams);
  const cursor = url.searchParams.get("cursor") ?? undefined;
  const [page, tallies] = await Promise.all([
    inbox.list({ ...filter, cursor, limit: pageMax }),
    inbox.tally(),
  ]);
  const known = standings(tallies);
  const query = queryOf(filter);
  const more = new URLSearchParams(query);
  if (page.cursor !== undefined) more.set("cursor", page.cursor);
  const isPast = page.events.length === 0 && page.cursor === undefined;
  return pageOf(call, {
    heading: "Events",
    place: "/events",
    body: html` ${filterForm(base, filter, {
        sources: [...new Set(known.map(({ source }) => source))],
        types: [...new Set(known.map(({ type }) => type))].filter((type) => type !== ""),
      })}
      ${findForm(base, url.searchParams.get("missing") ?? undefined)} ${actsOnAll(call, filter)}
      ${isPast ? html`<p>No events.</p>` : tableOf(call, page.events)}
      <nav class="pages" aria-label="More pages">
        ${cursor !== undefined && html`<a href="${base}/events?${String(query)}">Newest</a>`}
        ${page.cursor !== undefined && html`<a rel="next" href="${base}/events?${String(more)}">Older</a>`}
      </nav>`,
  });
}

interface Known {
  readonly sources: readonly string[];
  readonly types: readonly string[];
}

function filterForm(base: string, filter: EventFilter, { sources, types }: Known): Html {
  const { source, type, state, reason, receivedFrom, receivedBefore } = filter;
  return html`<form
    class="filter"
    method="get"
    action="${base}/events"
    role="search"
    aria-label="Filter"
  >
    ${select("source", "Source", source, sources)}
    <label
      >Type <input name="type" value="${type}" list="types" autocomplete="off" spellcheck="false"
    /></label>
    <datalist id="types">
      ${types.slice(0, 200).map((one) => html`<option value="${one}">`)}
    </datalist>
    ${select("state", "State", state, everyState)}
    ${select("reason", "Reason", reason, Object.keys(reasonText))}
    <label
      >From (UTC) <input type="datetime-local" name="from" value="${localText(receivedFrom)}"
    /></label>
    <label
      >Before (UTC) <input type="datetime-local" name="before" value="${localText(receivedBefore)}"
    /></label>
    <button>Filter</button> <a href="${base}/events">All</a>
  </form>`;
}

function select(
  name: string,
  label: string,
  chosen: string | undefined,
  among: readonly string[],
): Html {
  const isStranger = chosen !== undefined && !among.includes(chosen);
  const list = isStranger ? [chosen, ...among] : among;
  return html`<label
    >${label}
    <select name="${name}">
      <option value="">any</option>
      ${list.map((one) => html`<option${one === chosen && html` selected`}>${one}</option>`)}
    </select></label
  >`;
}

const localText = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString().slice(0, 16);

function findForm(base: string, missing: string | undefined): Html {
  return html`<form class="find" method="get" action="${base}/find" aria-label="Find one event">
    <label
      >Key or provider's id
      <input name="id" required value="${missing}" autocomplete="off" spellcheck="false"
    /></label>
    <button>Find</button>
    ${missing !== undefined && html`<p role="alert">There is no event with the key or id ${JSON.stringify(missing)}. The ids of a source with accounts stand behind the account: acme/evt_1.</p>`}
  </form>`;
}

/** Acts on everything that the filter selects, over all pages. */
function actsOnAll(call: Call, { state, ...filter }: EventFilter): Part {
  if (state === undefined) return undefined;
  const which = { ...filter, state };
  const acts = actsOf(call).filter((act) => statesFor[act].includes(state));
  if (acts.length === 0) return undefined;
  const query = String(queryOf(which));
  return html`<p class="acts">
    With ${whichText(which)}:
    ${acts.map(
      (act) =>
        html`<a class="button ${act}" href="${call.base}/act?act=${act}&amp;${query}"
          >${actLabel[act]}…</a
        > `,
    )}
  </p>`;
}

function tableOf(call: Call, list: readonly EventRecord[]): Html {
  const { base } = call;
  const now = Date.now();
  const acts = actsOf(call);
  const mayAct = acts.length > 0;
  return html`<form method="get" action="${base}/act">
    <div class="scroll" tabindex="0" role="region" aria-label="Events">
      <table>
        <thead>
          <tr>
            ${mayAct && html`<th scope="col"><input type="checkbox" data-all="key" aria-label="Choose all on this page" /></th>`}
            <th scope="col">Received</th>
            <th scope="col">Event</th>
            <th scope="col">State</th>
            <th scope="col" class="number wide">Attempts</th>
            <th scope="col" class="wide">Id</th>
          </tr>
        </thead>
        <tbody>
          ${list.map((event) => {
            const { key, source, type, id, attempts, receivedAt } = event;
            return html`<tr>
              ${mayAct && html`<td><input type="checkbox" name="key" value="${key}" aria-label="Choose ${key}" /></td>`}
              <td>${since(receivedAt, now)}</td>
              <th scope="row">
                <a href="${base}/events/${key}">${source} ${type === "" ? "(not known)" : type}</a>
              </th>
              <td>${stateBadge(event)}</td>
              <td class="number wide">${attempts}</td>
              <td class="wide id">${id}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>
    ${mayAct && html`<p class="acts">With the chosen ones: ${acts.map((act) => html`<button name="act" value="${act}" class="${act}">${actLabel[act]}…</button> `)}</p>`}
  </form>`;
}

const keyPattern = /^[0-9A-Z]{26}$/;

/** To an event by its key, or by its provider's id in any source; behind its account, where a source has some. */
export async function find(call: Call): Promise<Response> {
  const { inbox, url, base } = call;
  const id = url.searchParams.get("id")?.trim() ?? "";
  if (id === "") throw new Refusal(400, "Give a key or an id.");
  const keys = keyPattern.test(id) ? [id] : [];
  const sources = new Set(standings(await inbox.tally()).map(({ source }) => source));
  // An id may hold a slash itself.
  const [, account, rest] = /^([^/]+)\/([^]+)$/.exec(id) ?? [];
  for (const source of sources) {
    keys.push(eventKey(source, id));
    if (rest !== undefined) keys.push(eventKey(`${source}/${account}`, rest));
  }
  for (const key of keys) {
    if ((await inbox.get(key)) !== undefined) return seeOther(`${base}/events/${key}`);
  }
  const missing = new URLSearchParams({ missing: id });
  return seeOther(`${base}/events?${String(missing)}`);
}
