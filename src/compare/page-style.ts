/** The style of the page: readable by day and by night, on a wall and at 400 pixels. */

/** Colours of six recipes by day and by night (after Okabe and Ito, told apart without red and green), with a dash pattern each. */
const ARMS: readonly (readonly [day: string, night: string, dash: string])[] = [
  ["#0062a8", "#56b4e9", "none"],
  ["#b34700", "#ff9d4d", "7 3"],
  ["#00755a", "#2fd3a5", "2 3"],
  ["#97307a", "#e59ac9", "10 3 2 3"],
  ["#6b5a00", "#e6d440", "4 2"],
  ["#444444", "#cccccc", "1 2"],
];

export const pageStyle = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1a1a1a;--soft:#5c5c5c;--line:#d5d5d5;--raised:#f5f5f3;--good:#00633a;--bad:#a32a00}
@media (prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e8e8e6;--soft:#a3a3a0;--line:#3a3d42;--raised:#1f2226;--good:#6fdca6;--bad:#ff9b78}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
.soft,figcaption small{color:var(--soft)}
.verdict{border-left:5px solid var(--line);background:var(--raised);padding:.7rem 1rem;margin:.6rem 0;font-size:1.1rem}
.verdict b{display:block;font-size:.85rem;letter-spacing:.02em}
.verdict.better{border-color:var(--good)}.verdict.better b{color:var(--good)}
.verdict.noVerdict b,.failed{color:var(--bad)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem .3rem 0;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
td{white-space:nowrap}td.text,td.key{white-space:normal;overflow-wrap:anywhere;min-width:7rem}
th:first-child,td.text{text-align:left}thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}
td.key{font-family:ui-monospace,monospace;font-size:.85rem;text-align:left}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:1rem}
figure{margin:0}figcaption{font-weight:600}
svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line);stroke-width:1}
.mean{fill:none;stroke:var(--arm);stroke-width:2.4;stroke-dasharray:var(--dash)}
.seed{fill:none;stroke:var(--arm);stroke-width:.8;opacity:.4}.band{fill:var(--arm);opacity:.13}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:.3rem 0 .8rem;padding:0;list-style:none}
.legend svg{width:34px;height:12px;display:inline-block;margin-right:.4rem;vertical-align:middle}
summary{cursor:pointer;color:var(--soft)}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));gap:.6rem;margin-bottom:1.4rem}
.prompt,.side pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0;font:.88rem/1.45 ui-monospace,monospace}
.side{border:1px solid var(--line);border-top:4px solid var(--arm);padding:.5rem .7rem;background:var(--raised)}
.side pre{max-height:22rem;overflow:auto}
.right{color:var(--good)}.wrong{color:var(--bad)}
code{font-family:ui-monospace,monospace;font-size:.9em}
${ARMS.map(([day, , dash], i) => `.arm-${i}{--arm:${day};--dash:${dash}}`).join("")}
@media (prefers-color-scheme:dark){${ARMS.map(([, night], i) => `.arm-${i}{--arm:${night}}`).join("")}}
`;
