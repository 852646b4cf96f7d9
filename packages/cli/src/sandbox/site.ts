/** The pages of the sandbox: one for each provider, with its settings, what can happen there, and what it has sent. */

import type { FetchHandler } from "@webhook-inbox/core/node";
import {
  html,
  pageOf,
  Refusal,
  seeOther,
  site,
  type AccessFunction,
  type Html,
  type Route,
} from "@webhook-inbox/dashboard/site";
import { audataPage } from "./audata.ts";
import { captainDataPage } from "./captain-data.ts";
import type { ProviderPage, Visiting } from "./page.ts";
import type { Sandbox, Sent } from "./sandbox.ts";
import { socialDataPage } from "./socialdata.ts";

const providers: readonly ProviderPage[] = [socialDataPage, audataPage, captainDataPage];

export function sandboxSite(sandbox: Sandbox, access: AccessFunction): FetchHandler {
  return site({
    access,
    title: "webhook-inbox sandbox",
    places: providers,
    routes: providers.flatMap(routesOf),
    own: { sandbox },
  });
}

function routesOf({ path, label, sent, body, forms }: ProviderPage): readonly Route<Visiting>[] {
  const page: Route<Visiting> = {
    method: "GET",
    path,
    answer: (call) =>
      pageOf(call, {
        heading: label,
        place: path,
        body: [body(call), sentTable(call.sandbox.sent[sent])],
      }),
  };
  const acts = Object.entries(forms).map(([name, act]): Route<Visiting> => ({
    method: "POST",
    path: `/${sent}/${name}`,
    answer: async (call) => {
      try {
        await act(call.sandbox, call.form);
      } catch (error) {
        throw new Refusal(422, error instanceof Error ? error.message : String(error));
      }
      return seeOther(`${call.base}${path}`);
    },
  }));
  return [page, ...acts];
}

function sentTable(sent: readonly Sent[]): Html {
  if (sent.length === 0)
    return html`<h2>Sent</h2>
      <p>Nothing yet.</p>`;
  return html`<h2>Sent</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Sent">
      <table>
        <thead>
          <tr>
            <th scope="col">At</th>
            <th scope="col">What</th>
            <th scope="col">Answer</th>
            <th scope="col">Delivery</th>
          </tr>
        </thead>
        <tbody>
          ${sent.map(rowOf)}
        </tbody>
      </table>
    </div>`;
}

function rowOf({ at, what, call: { delivery, status, ok, body, error } }: Sent): Html {
  const { method, url, headers, body: content } = delivery;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  return html`<tr>
    <td>${new Date(at).toISOString().slice(11, 19)}</td>
    <td class="id">${what}</td>
    <td>
      <span class="state ${ok ? "done" : "dead"}">${status ?? error ?? "no answer"}</span>
      ${body}
    </td>
    <td>
      <details>
        <summary>${method} ${url}</summary>
        <pre tabindex="0">${lines}${"\n"}${content}</pre>
      </details>
    </td>
  </tr>`;
}
