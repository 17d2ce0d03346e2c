"""How the page about an evaluation looks, beside what all pages share."""

STYLE = """
.scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 11.5rem), 1fr)); gap: .9rem;
  margin: 1.25rem 0; }
.score { border: 1px solid var(--line); border-top: .3rem solid #0067a8; border-radius: .3rem; padding: .6rem .9rem;
  break-inside: avoid; }
.score strong { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.score .soft { display: block; font-size: .88rem; line-height: 1.35; }
.files { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.classes thead th:first-child, .worst thead th:first-child { text-align: left; padding-left: 0; }
.classes tbody th { min-width: 9rem; } .classes tr, .worst tr { break-inside: avoid; }
.classes thead th { vertical-align: bottom; } .classes small { display: block; font-weight: 400; color: var(--soft); }
.cells text { font-size: 12px; text-anchor: middle; } .cells .none { fill: #666; }
.cells rect { stroke: #fff; stroke-width: 1; } .cells .right { stroke: #111; }
.names text { font-size: 12px; fill: var(--ink); } .names .name { font-size: 13px; fill: #444; }
.average { stroke: #111; stroke-width: 1.8; stroke-dasharray: 4 3; }
.errors rect { stroke: #fff; stroke-width: .5; } .ground { fill: #f3f3f3; }
.marks rect { fill: none; stroke: #fff; stroke-width: 3.5; } .marks .inner { stroke: #111; stroke-width: 1.5; }
.marks text { font-size: 14px; font-weight: 700; fill: #111; stroke: #fff; stroke-width: 3.5; paint-order: stroke;
  text-anchor: middle; }
.sample { margin: 1.1rem 0; }
.three { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .35rem .8rem; align-items: start; }
.three span { font-size: .9rem; color: var(--soft); }
.three img { display: block; width: 100%; height: auto; max-height: 24rem; object-fit: contain; object-position: left; }
.three .small { image-rendering: pixelated; }
@media print {
  .scores { grid-template-columns: repeat(5, 1fr); gap: .5rem; } .score { padding: .4rem .6rem; }
  h2 + p { break-after: avoid; break-inside: avoid; }
  .three img { max-height: 15rem; }
}
"""
