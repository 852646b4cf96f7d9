/** A small chart of bars, drawn without style attributes: the policy of the page forbids them. */

import { html, type Html } from "./site/html.ts";
import { numberText } from "./words.ts";

const width = 300;
const height = 48;

/** Bars of one series. Its words are in the label, for those who do not see it. */
export function barChart(values: readonly number[], label: string): Html {
  const most = Math.max(1, ...values);
  const step = width / values.length;
  const bars = values.map((value, index) => {
    if (value === 0) return undefined;
    const tall = Math.max(1, (value / most) * height);
    return html`<rect
      x="${(index * step).toFixed(2)}"
      y="${(height - tall).toFixed(2)}"
      width="${(step * 0.8).toFixed(2)}"
      height="${tall.toFixed(2)}"
    />`;
  });
  return html`<svg
    viewBox="0 0 ${width} ${height}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}, at most ${numberText(most)}"
  >
    <line x1="0" y1="${height}" x2="${width}" y2="${height}" />
    ${bars}
  </svg>`;
}
