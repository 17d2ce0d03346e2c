"""How the page about a pair looks, beside what all pages share."""

STYLE = """
.verdicts { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.25rem 0; }
.verdict { flex: 1 1 20rem; border: 1px solid var(--line); border-left: .5rem solid; border-radius: .3rem;
  padding: .7rem 1.1rem; }
.verdict strong { display: block; font-size: 2rem; line-height: 1.2; }
.verdict span { color: var(--ink); }
.pass { border-left-color: #0067a8; } .pass strong { color: #0067a8; }
.fail { border-left-color: #b34700; } .fail strong { color: #b34700; }
.inconclusive { border-left-color: #666; } .inconclusive strong { color: #555; }
@media (min-width: 48rem) { .figures tbody th { white-space: nowrap; } }
.kinds thead th:first-child { text-align: left; padding-left: 0; }
.kinds .chosen th, .kinds .chosen td { font-weight: 700; } .kinds .mark { text-align: left; }
svg.held { position: absolute; width: 0; height: 0; }
.arrows path { stroke: #fff; stroke-width: 1.6; paint-order: stroke; stroke-linejoin: round; }
.dots { fill-opacity: .4; }
.ce90 { stroke-width: 2.2; } .limit { stroke: #111; stroke-width: 1.6; stroke-dasharray: 4 3; }
.median { fill: none; }
"""
