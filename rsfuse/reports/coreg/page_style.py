"""How the page looks, on a screen and on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #555; --line: #d5d5d5; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 74rem; background: #fff; color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p { margin: .4rem 0 .8rem; max-width: 52rem; }
.soft, .legend, figcaption { color: var(--soft); }
.verdicts { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.25rem 0; }
.verdict { flex: 1 1 20rem; border: 1px solid var(--line); border-left: .5rem solid; border-radius: .3rem;
  padding: .7rem 1.1rem; }
.verdict strong { display: block; font-size: 2rem; line-height: 1.2; }
.verdict span { color: var(--ink); }
.pass { border-left-color: #0067a8; } .pass strong { color: #0067a8; }
.fail { border-left-color: #b34700; } .fail strong { color: #b34700; }
.inconclusive { border-left-color: #666; } .inconclusive strong { color: #555; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .22rem .9rem; text-align: right; }
th { font-weight: 600; } tbody th { text-align: left; font-weight: 400; padding-left: 0; }
tbody { border-top: 1px solid var(--line); } table { border-bottom: 1px solid var(--line); }
@media (min-width: 48rem) { .figures tbody th { white-space: nowrap; } }
@media (max-width: 48rem) { th, td { padding: .22rem .4rem; } }
.kinds thead th:first-child { text-align: left; padding-left: 0; }
.kinds .chosen th, .kinds .chosen td { font-weight: 700; } .kinds .mark { text-align: left; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
.tables section { flex: 1 1 24rem; }
.maps, .charts, .boards { display: grid; gap: 1.25rem; margin: .75rem 0; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.maps.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.boards { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.boards figure { max-width: 28rem; margin-bottom: .8rem; }
figure { margin: 0; break-inside: avoid; }
svg { display: block; max-width: 100%; height: auto; }
.maps svg { border: 1px solid var(--line); }
.charts svg { width: 100%; max-width: 27rem; }
.board img { display: block; width: 100%; height: auto; image-rendering: auto; }
figcaption, .legend { font-size: .9rem; margin-top: .35rem; }
.legend { margin-bottom: 0; max-width: none; }
h3 { margin: 0 0 .3rem; font-size: 1rem; }
.key { display: inline-block; white-space: nowrap; margin-right: 1.1rem; }
svg.swatch { display: inline-block; border: 0; width: 14px; height: 14px; margin-right: .35rem; vertical-align: -2px;
  overflow: visible; }
svg.held { position: absolute; width: 0; height: 0; }
.arrows path { stroke: #fff; stroke-width: 1.6; paint-order: stroke; stroke-linejoin: round; }
.frame rect { fill: none; stroke: #888; } .frame line { stroke: #e4e4e4; }
.frame text { font-size: 12px; fill: #444; } .frame .name { font-size: 13px; fill: var(--ink); }
.dots { fill-opacity: .4; }
.ce90 { stroke-width: 2.2; } .limit { stroke: #111; stroke-width: 1.6; stroke-dasharray: 4 3; }
.median { fill: none; }
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  .maps.two { grid-template-columns: 1fr 1fr; } .charts, .boards { grid-template-columns: repeat(3, 1fr); }
}
"""
