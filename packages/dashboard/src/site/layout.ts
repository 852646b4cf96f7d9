/** The frame of every page. */

import { html, type Html, type Part } from "./html.ts";
import type { Visit } from "./visit.ts";

/** A page before it is HTML. */
export interface Page {
  readonly heading: string;
  readonly body: Part;
  /** The path of the entry of the navigation that it belongs to. */
  readonly place?: string;
  /** Seconds after which a browser without script loads it again. */
  readonly reloadsIn?: number | undefined;
  readonly status?: number;
}

/** A page as HTML. */
export function pageOf(
  { base, access, title, places }: Pick<Visit, "base" | "access" | "title" | "places">,
  page: Page,
): Response {
  const { heading, body, place, reloadsIn, status = 200 } = page;
  const links = places.map(
    ({ path, label }) =>
      html`<a href="${base}${path}" ${path === place && html` aria-current="page"`}>${label}</a>`,
  );
  return document(
    status,
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>${heading} · ${title}</title>
          <link rel="icon" href="data:," />
          <link rel="stylesheet" href="${base}/style.css" />
          <script type="module" src="${base}/script.js"></script>
          ${reloadsIn !== undefined && html`<noscript><meta http-equiv="refresh" content="${reloadsIn}" /></noscript>`}
        </head>
        <body>
          <a class="skip" href="#main">Skip to the content</a>
          <header>
            <p class="title"><a href="${base}/">${title}</a></p>
            <nav aria-label="Pages">${links}</nav>
            <p class="who">${access.by}</p>
          </header>
          <main id="main" tabindex="-1">
            <h1>${heading}</h1>
            ${body}
          </main>
        </body>
      </html> `,
  );
}

/** A page for somebody who may not see the others. */
export function barePage(status: number, heading: string, text: string): Response {
  return document(
    status,
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <title>${heading}</title>
        </head>
        <body>
          <main>
            <h1>${heading}</h1>
            <p>${text}</p>
          </main>
        </body>
      </html> `,
  );
}

function document(status: number, { text }: Html): Response {
  return new Response(text, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}
