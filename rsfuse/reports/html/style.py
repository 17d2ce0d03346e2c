"""How pages look, on a screen and on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #555; --line: #d5d5d5; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 74rem; background: #fff; color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p { margin: .4rem 0 .8rem; max-width: 52rem; }
.soft, .legend, figcaption { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .22rem .9rem; text-align: right; }
th { font-weight: 600; } tbody th { text-align: left; font-weight: 400; padding-left: 0; }
tbody { border-top: 1px solid var(--line); } table { border-bottom: 1px solid var(--line); }
@media (max-width: 48rem) { th, td { padding: .22rem .4rem; } }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
.tables section { flex: 1 1 24rem; }
.maps, .charts, .boards { display: grid; gap: 1.25rem; margin: .75rem 0; }
.boards { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.boards figure { max-width: 28rem; margin-bottom: .8rem; }
.board img { display: block; width: 100%; height: auto; image-rendering: auto; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.maps.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; break-inside: avoid; }
svg { display: block; max-width: 100%; height: auto; }
.maps svg { border: 1px solid var(--line); }
.charts svg { width: 100%; max-width: 27rem; }
figcaption, .legend { font-size: .9rem; margin-top: .35rem; }
.legend { margin-bottom: 0; max-width: none; }
h3 { margin: 0 0 .3rem; font-size: 1rem; }
.key { display: inline-block; white-space: nowrap; margin-right: 1.1rem; }
svg.swatch { display: inline-block; border: 0; width: 14px; height: 14px; margin-right: .35rem; vertical-align: -2px;
  overflow: visible; }
.frame rect { fill: none; stroke: #888; } .frame line { stroke: #e4e4e4; }
.frame text { font-size: 12px; fill: #444; } .frame .name { font-size: 13px; fill: var(--ink); }
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  .maps.two { grid-template-columns: 1fr 1fr; } .charts, .boards { grid-template-columns: repeat(3, 1fr); }
}
"""
