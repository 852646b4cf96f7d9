/** HTML in which every value is text: there is no way to put markup of others into a page. */

import { visibleLines } from "@webhook-inbox/core";

/** Markup of our own. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. Texts are escaped; what is undefined or false leaves nothing. */
export type Part = Html | string | number | undefined | false | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A template of markup, with values as texts of elements and in quoted attributes. */
export function html(markup: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(markup.reduce((text, piece, index) => text + rendered(parts[index - 1]) + piece));
}

function rendered(part: Part): string {
  if (part === undefined || part === false) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(rendered).join("");
  return visibleLines(String(part)).replaceAll(/[&<>"']/g, (one) => entities[one] ?? "");
}
