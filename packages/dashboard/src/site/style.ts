/** The style of all pages: light and dark by the system's choice, one column on a phone. */

export const style = `
:root {
  color-scheme: light dark;
  --back: #fff; --raised: #f5f6f8; --line: #d5d9e0; --text: #1a1f2b; --soft: #596273;
  --accent: #1d5fd1; --good: #17763c; --warn: #8a5a00; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12151c; --raised: #1b202a; --line: #343c4b; --text: #e7eaf0; --soft: #9ca6b8;
    --accent: #82b1ff; --good: #6fd195; --warn: #f0b85c; --bad: #ff8f86;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--accent); }
a, button, input, select, [tabindex] { outline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); }
main:focus { outline: none; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--back); padding: .25rem .75rem; z-index: 1; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; padding: .75rem 1.5rem; background: var(--raised); border-bottom: 1px solid var(--line); }
header p { margin: 0; }
header .title a { font-weight: 700; color: inherit; text-decoration: none; }
header nav { display: flex; gap: 1rem; flex: 1; }
header .who { color: var(--soft); overflow-wrap: anywhere; }
nav a[aria-current] { color: inherit; font-weight: 600; text-decoration: none; border-bottom: 2px solid var(--accent); }
main { max-width: 75rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
small, .lead + p small { color: var(--soft); }
code, pre, .id { font-family: ui-monospace, monospace; font-size: .875rem; overflow-wrap: anywhere; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .375rem; padding: .75rem; overflow: auto; max-height: 32rem; white-space: pre-wrap; margin: 0; }

.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; padding: 0; margin: 0; list-style: none; }
.tiles li { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.tiles li > a { display: block; color: inherit; text-decoration: none; }
.tiles b { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); }
.tiles .dead b, .tiles .quarantined b, .tiles .refused b { color: var(--bad); }
.tiles .unhandled b { color: var(--warn); }
.tiles .none b { color: var(--soft); }

.ranges { display: flex; gap: 1rem; margin-bottom: .75rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; }
figcaption span { display: block; color: var(--soft); font-size: .875rem; }
svg { display: block; width: 100%; height: 3.5rem; margin-top: .25rem; fill: var(--accent); }
svg line { stroke: var(--line); vector-effect: non-scaling-stroke; }
figure.done svg { fill: var(--good); }
figure.failed svg { fill: var(--bad); }
figure.refused svg { fill: var(--warn); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; text-transform: capitalize; }
.headers th { width: 14rem; }
.headers td { overflow-wrap: anywhere; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
td.none { color: var(--soft); }
td:has(time) { white-space: nowrap; }
.id { color: var(--soft); }
.failure { margin: 0; white-space: pre-wrap; }

.state { display: inline-block; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-size: .875rem; white-space: nowrap; color: var(--soft); }
.state.done { color: var(--good); }
.state.dead, .state.quarantined, .state.refused { color: var(--bad); }
.state.unhandled, .state.stopped { color: var(--warn); }
.state.running, .state.pending { color: var(--accent); }
.good { color: var(--good); }

form { margin: 0; }
label { display: inline-flex; flex-direction: column; font-size: .875rem; color: var(--soft); }
input, select, textarea, button, .button { font: inherit; color: var(--text); background: var(--back); border: 1px solid var(--line); border-radius: .375rem; padding: .35rem .6rem; min-height: 2.25rem; max-width: 100%; }
input[type=checkbox] { min-height: 0; width: 1.15rem; height: 1.15rem; vertical-align: middle; }
button, .button { cursor: pointer; display: inline-block; text-decoration: none; background: var(--raised); }
button:hover, .button:hover { border-color: var(--accent); }
.erase { color: var(--bad); }
.acts { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
li { margin: .25rem 0; }
.filter, .find { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: end; padding: .75rem; background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; }
.filter + .filter { margin-top: .5rem; }
.find { background: none; border: 0; padding: .75rem 0; }
.find [role=alert] { margin: 0; }
.filter label, .find label { flex: 1 1 9rem; }
.act { display: grid; gap: 1rem; max-width: 36rem; }
.act .check { flex-direction: row; gap: .5rem; align-items: center; }
[role=alert] { color: var(--bad); font-weight: 600; }
.pages { display: flex; gap: 1rem; margin-top: 1rem; }
dl { margin: 0; }
dl div { display: grid; grid-template-columns: 10rem 1fr; gap: .5rem; padding: .25rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
progress { width: 100%; height: 1.25rem; accent-color: var(--accent); }

@media (max-width: 40rem) {
  header { padding: .75rem 1rem; }
  main { padding: .5rem 1rem 3rem; }
  .wide { display: none; }
  dl div { grid-template-columns: 1fr; gap: 0; }
}
@media (prefers-reduced-motion: no-preference) { a, button { transition: border-color .1s; } }
`;
