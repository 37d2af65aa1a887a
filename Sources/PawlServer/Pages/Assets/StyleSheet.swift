/// The stylesheet of the pages, in the order in which its parts build on each other.
///
/// Colours are those of Okabe and Ito, which colour-blind readers tell apart; each meaning has a glyph, a pattern or a
/// kind of line as well.
enum StyleSheet {
    static let colours = """
        :root {
          color-scheme: light dark;
          --ground: #f7f6f2; --card: #ffffff; --rule: #e2dfd8; --ink: #1c2126; --soft: #55606a; --wash: #f1efea;
          --blue: #0072b2; --link: #00608f;
          --good: #009e73; --bad: #d55e00; --open: #b37a00; --exception: #b0568a; --plain: #0072b2; --none: #8a949c;
          --good-ink: #00513b; --good-wash: #d9f0e7; --bad-ink: #8a2f00; --bad-wash: #fce5d8;
          --open-ink: #674700; --open-wash: #fcefcb; --exception-ink: #772a56; --exception-wash: #f7e3ee;
          --plain-ink: #004a75; --plain-wash: #dbebf6; --none-ink: #4f5a63; --none-wash: #ebe9e3;
          --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0568a; --s4: #b37a00; --s5: #3d9bd1;
          --down1: #fdefe5; --down2: #f9d2b8; --down3: #f0a777; --up1: #e5f1f8; --up2: #bddcf0; --up3: #84c0e5;
          --hatch: #d5d1c8; --shade: 0 1px 2px rgb(28 33 38 / 5%), 0 4px 16px rgb(28 33 38 / 4%);
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #11151a; --card: #191f25; --rule: #2d363f; --ink: #e6e9eb; --soft: #a5b0ba; --wash: #222a31;
            --blue: #56b4e9; --link: #7cc4ef;
            --good: #2fbf95; --bad: #f08143; --open: #e69f00; --exception: #d98db8; --plain: #56b4e9; --none: #7d8993;
            --good-ink: #86dfc2; --good-wash: #11352b; --bad-ink: #ffb692; --bad-wash: #432210;
            --open-ink: #f5cf74; --open-wash: #3a2e0b; --exception-ink: #f0bbd9; --exception-wash: #3b2133;
            --plain-ink: #9bd1f5; --plain-wash: #10314b; --none-ink: #aab5be; --none-wash: #252d35;
            --s0: #56b4e9; --s1: #f08143; --s2: #2fbf95; --s3: #d98db8; --s4: #e69f00; --s5: #9bd1f5;
            --down1: #2e2119; --down2: #552d15; --down3: #88400f; --up1: #152631; --up2: #143f5b; --up3: #0e5a8d;
            --hatch: #39434d; --shade: 0 1px 2px rgb(0 0 0 / 30%);
          }
        }
        """

    static let frame = """
        *, *::before, *::after { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--ground); color: var(--ink);
          font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
          font-variant-numeric: tabular-nums; overflow-wrap: break-word;
        }
        code, pre, .digest { font-family: ui-monospace, "SF Mono", Menlo, "Cascadia Mono", "Liberation Mono", monospace; }
        code, .digest { font-size: .9em; }
        a { color: var(--link); text-decoration-thickness: .07em; text-underline-offset: .18em; }
        a:hover { text-decoration-thickness: .14em; }
        :focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; border-radius: 3px; }
        .skip { position: absolute; left: 1rem; top: -4rem; padding: .6rem 1rem; background: var(--card); z-index: 9; }
        .skip:focus { top: .5rem; }
        .frame, main { max-width: 74rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
        header.frame {
          display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 2rem; padding-top: 1.1rem; padding-bottom: 1.1rem;
        }
        .mark { display: flex; align-items: center; gap: .55rem; color: inherit; text-decoration: none; min-height: 2.5rem; }
        .mark .word { font-weight: 700; font-size: 1.15rem; letter-spacing: -.01em; }
        .mark .site { color: var(--soft); padding-left: .55rem; border-left: 1px solid var(--rule); }
        .logo .wheel { fill: var(--blue); } .logo .pawl { fill: var(--open); }
        nav { min-width: 0; margin-left: auto; }
        nav ul { display: flex; flex-wrap: wrap; gap: .15rem; margin: 0; padding: 0; list-style: none; }
        nav a {
          display: block; padding: .35rem .7rem; border-radius: 999px; color: var(--soft); text-decoration: none;
        }
        nav a:hover { background: var(--wash); color: var(--ink); }
        nav a[aria-current] { background: var(--plain-wash); color: var(--plain-ink); font-weight: 600; }
        main { padding-top: 1rem; padding-bottom: 3rem; }
        h1 { font-size: clamp(1.6rem, 4.5vw, 2.2rem); line-height: 1.2; letter-spacing: -.02em; margin: .6rem 0 1.2rem; }
        h2 { font-size: 1.2rem; line-height: 1.3; letter-spacing: -.01em; margin: 0 0 .9rem; }
        h3 { font-size: 1rem; line-height: 1.4; margin: 1.6rem 0 .7rem; }
        p { margin: 0 0 .9rem; max-width: 46rem; }
        .lead { color: var(--soft); font-size: 1.05rem; margin-bottom: 1.6rem; }
        .faint { color: var(--soft); font-size: .9rem; }
        footer.frame {
          display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 2rem; padding-top: 1.2rem;
          padding-bottom: 2rem; color: var(--soft); font-size: .9rem;
        }
        .unseen {
          position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden;
          clip-path: inset(50%); white-space: nowrap; border: 0;
        }
        @media (max-width: 40rem) { nav { margin-left: -.6rem; } nav a { padding: .4rem .6rem; } }
        """

    static let parts = """
        section, article.flip, figure { margin: 0 0 1.6rem; }
        .card {
          background: var(--card); border: 1px solid var(--rule); border-radius: 14px; box-shadow: var(--shade);
          padding: clamp(1rem, 3vw, 1.7rem);
        }
        .card.flush { padding: .6rem 0 0; }
        .card > :last-child, .card > :last-child > :last-child { margin-bottom: 0; }
        .narrow { max-width: 30rem; margin-bottom: 1.6rem; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 1rem; margin-bottom: 1.6rem; }
        @media (max-width: 40rem) {
          .tiles { grid-template-columns: 1fr 1fr; gap: .7rem; }
          .tiles .tile { padding: .8rem .9rem; } .tiles .tile .value { font-size: 1.25rem; } .tiles .tile .value .digest { font-size: .95rem; }
        }
        .tile { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; padding: 1.1rem 1.3rem; box-shadow: var(--shade); }
        .tile h2, .tile h3 { font-size: .85rem; font-weight: 600; color: var(--soft); letter-spacing: 0; margin: 0 0 .35rem; }
        .tile .value { font-size: 1.55rem; font-weight: 650; line-height: 1.25; letter-spacing: -.015em; margin: 0 0 .3rem; }
        .tile .value .digest { font-size: 1.3rem; letter-spacing: -.02em; }
        .tile .value .badge { font-size: 1rem; }
        .tile .note { color: var(--soft); font-size: .9rem; margin: 0; display: flex; flex-wrap: wrap; gap: .3rem .6rem; align-items: center; }
        .badge {
          display: inline-flex; align-items: center; gap: .35em; padding: .08em .6em .1em .5em; border-radius: 999px;
          font-size: .85rem; font-weight: 600; line-height: 1.5; white-space: nowrap;
        }
        .badge .glyph { font-size: .9em; }
        .badge.tone-good { background: var(--good-wash); color: var(--good-ink); }
        .badge.tone-bad { background: var(--bad-wash); color: var(--bad-ink); }
        .badge.tone-open { background: var(--open-wash); color: var(--open-ink); }
        .badge.tone-exception { background: var(--exception-wash); color: var(--exception-ink); }
        .badge.tone-plain { background: var(--plain-wash); color: var(--plain-ink); }
        .badge.tone-none { background: var(--none-wash); color: var(--none-ink); }
        .tag { display: inline-block; padding: .05em .55em; border: 1px solid var(--rule); border-radius: 6px; font-size: .82rem; color: var(--soft); }
        .scroller { position: relative; overflow-x: auto; max-width: 100%; scrollbar-width: thin; border-radius: 8px; }
        table { border-collapse: collapse; }
        .data { width: 100%; font-size: .93rem; }
        .data caption, .heatmap caption { text-align: left; font-weight: 600; padding-bottom: .5rem; }
        .data th, .data td { text-align: left; padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--rule); vertical-align: middle; white-space: nowrap; }
        .data th:last-child, .data td:last-child { padding-right: .2rem; }
        .data td.prose { white-space: normal; min-width: 15rem; }
        .data tbody:last-child tr:last-child > * { border-bottom: 0; }
        .data thead th { color: var(--soft); font-size: .82rem; font-weight: 600; }
        .data tbody th { font-weight: 500; }
        .data .group th { color: var(--soft); font-size: .85rem; font-weight: 600; padding-top: 1.3rem; }
        .data .n { text-align: right; }
        .data .nothing { color: var(--none); }
        .data .n + td:not(.n), .data .n + th:not(.n) { padding-left: .4rem; }
        .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.2rem), 1fr)); gap: .9rem 1.2rem; margin: 0; }
        .facts dt { color: var(--soft); font-size: .85rem; } .facts dd { margin: 0; }
        .child { display: inline-flex; gap: .4rem; align-items: center; margin-right: .8rem; }
        .full-digest { max-width: none; overflow-wrap: anywhere; color: var(--soft); }
        .decision { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center; max-width: none; }
        .decision .badge { font-size: .95rem; }
        .empty { border: 1px dashed var(--rule); border-radius: 12px; padding: 1.2rem 1.3rem; color: var(--soft); margin-bottom: 1.2rem; }
        .empty p:last-child { margin: 0; }
        .command { display: flex; align-items: center; gap: .6rem; background: var(--wash); border-radius: 8px; padding: .45rem .5rem .45rem .9rem; margin: 0 0 .5rem; min-height: 2.6rem; }
        .command code { flex: 1; overflow-wrap: anywhere; color: var(--ink); }
        button, .button {
          font: inherit; font-size: .9rem; font-weight: 600; color: var(--ink); background: var(--card); cursor: pointer;
          border: 1px solid var(--none); border-radius: 8px; padding: .35rem .9rem; text-decoration: none; display: inline-block;
        }
        button:hover, .button:hover { background: var(--wash); }
        button:disabled { opacity: .55; cursor: default; }
        button.primary { background: var(--link); border-color: var(--link); color: var(--card); }
        .command button { padding: .1rem .7rem; }
        form > div, .pair > div { min-width: 0; }
        label { display: block; font-size: .85rem; font-weight: 600; color: var(--soft); margin-bottom: .25rem; }
        input, select, textarea {
          font: inherit; width: 100%; color: var(--ink); background: var(--card); border: 1px solid var(--none);
          border-radius: 8px; padding: .45rem .7rem; min-height: 2.6rem;
        }
        textarea { resize: vertical; display: block; }
        .question { display: grid; grid-template-columns: 1fr 1fr auto; gap: .8rem 1rem; align-items: end; margin-bottom: 1.6rem; }
        .question button { min-height: 2.6rem; }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 11rem), 1fr)); gap: .8rem 1rem; }
        .fields { columns: 22rem 3; column-gap: 2.5rem; margin: 0; font-size: .93rem; }
        .fields div { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding: .3rem 0; border-bottom: 1px solid var(--rule); break-inside: avoid; }
        .fields dt { color: var(--soft); overflow-wrap: anywhere; } .fields dd { margin: 0 0 0 auto; overflow-wrap: anywhere; min-width: 0; white-space: pre-line; }
        details.numbers { margin-top: .9rem; }
        details.numbers summary { cursor: pointer; color: var(--soft); font-size: .9rem; width: fit-content; padding: .2rem 0; }
        details.numbers[open] summary { margin-bottom: .5rem; }
        @media (max-width: 40rem) { .question { grid-template-columns: 1fr; } }
        """

    static let charts = """
        svg { display: block; max-width: none; overflow: visible; }
        svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
        figcaption { display: flex; flex-wrap: wrap; gap: .1rem .7rem; align-items: baseline; margin-bottom: .6rem; }
        figcaption h2 { margin: 0; }
        .panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.4rem 2rem; }
        .panels > figure { margin: 0; min-width: 0; }
        .plot { display: grid; grid-template-columns: 52px minmax(0, 1fr); }
        .grid line { stroke: var(--rule); } .grid line.zero { stroke: var(--none); }
        .curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
        .fill { stroke: none; opacity: .14; }
        .s0 { --mine: var(--s0); } .s1 { --mine: var(--s1); } .s2 { --mine: var(--s2); }
        .s3 { --mine: var(--s3); } .s4 { --mine: var(--s4); } .s5 { --mine: var(--s5); }
        .curve { stroke: var(--mine); } .fill { fill: var(--mine); }
        .curve.s1 { stroke-dasharray: 7 4; } .curve.s2 { stroke-dasharray: 2 4; } .curve.s3 { stroke-dasharray: 9 3 2 3; }
        .marks circle { fill: var(--mine); stroke: var(--card); stroke-width: 1.5; }
        .marks .interval { stroke: var(--mine); stroke-width: 2; opacity: .55; }
        .level line { stroke: var(--soft); stroke-dasharray: 3 3; }
        .level.margin line { stroke: var(--bad); stroke-width: 1.75; stroke-dasharray: 6 4; }
        .level.margin text { fill: var(--bad-ink); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
        .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 0 0 .6rem; padding: 0; font-size: .9rem; color: var(--soft); }
        .legend li { display: flex; align-items: center; gap: .5rem; }
        .bar rect { fill: var(--s0); } .bar .fill { opacity: 1; fill: var(--s0); }
        .tone-good { --tone: var(--good); } .tone-bad { --tone: var(--bad); } .tone-open { --tone: var(--open); }
        .tone-exception { --tone: var(--exception); } .tone-plain { --tone: var(--plain); } .tone-none { --tone: var(--none); }
        .score .track { fill: var(--wash); } .score .interval { stroke: var(--tone); stroke-width: 4; stroke-linecap: round; opacity: .45; }
        .score .dot { fill: var(--tone); stroke: var(--card); stroke-width: 1.5; }
        .score .dot.hollow { fill: var(--card); stroke: var(--tone); stroke-width: 2; }
        .forest { margin: 0 0 .4rem; }
        .strip { display: grid; grid-template-columns: minmax(8rem, 13rem) minmax(0, 1fr) 9.5rem 9rem; gap: 0 1.4rem; align-items: center; padding: .35rem 0; border-bottom: 1px solid var(--rule); }
        .strip.axis { border-bottom: 0; padding: 0; } .strip.axis svg { grid-column: 2; }
        .strip .who { display: flex; flex-direction: column; line-height: 1.35; min-width: 0; }
        .strip .figures { text-align: right; line-height: 1.35; } .strip .figures span { display: block; }
        .strip .change { font-weight: 650; }
        .strip .verdict { display: flex; flex-direction: column; gap: .15rem; align-items: flex-start; font-size: .85rem; }
        .forest .beyond { fill: var(--bad); opacity: .09; } .forest .margin { stroke: var(--bad); stroke-width: 1.75; stroke-dasharray: 4 3; }
        .forest .zero { stroke: var(--none); } .forest .interval { stroke: var(--tone); stroke-width: 2.5; }
        .forest .dot { fill: var(--tone); stroke: var(--card); stroke-width: 1.5; }
        @media (max-width: 48rem) {
          .strip { grid-template-columns: 1fr auto; gap: .3rem 1rem; padding: .8rem 0; }
          .strip .verdict { grid-column: 2; grid-row: 1; align-items: flex-end; }
          .strip > svg { grid-column: 1 / -1; grid-row: 2; }
          .strip .figures { grid-column: 1 / -1; grid-row: 3; text-align: left; display: flex; gap: .7rem; align-items: baseline; }
          .strip.axis svg { grid-column: 1 / -1; grid-row: 1; }
        }
        """

    static let pages = """
        .timeline { margin: 0 auto 0 0; }
        .timeline .trunk { fill: none; stroke: var(--plain); stroke-width: 3; }
        .timeline .branch { fill: none; stroke: var(--none); stroke-width: 1.75; stroke-dasharray: 4 4; }
        .timeline a { text-decoration: none; } .timeline a:focus-visible { outline-offset: 6px; }
        .timeline .disc { fill: var(--tone); stroke: var(--card); stroke-width: 2; }
        .timeline .beside .disc { fill: var(--card); stroke: var(--tone); stroke-width: 2.5; }
        .timeline .halo { fill: none; stroke: var(--plain); stroke-width: 2.5; }
        .timeline .glyph { fill: var(--card); font-weight: 700; font-size: 13px; } .timeline .beside .glyph { fill: var(--tone); }
        .timeline .label { fill: var(--ink); font-size: 13px; font-weight: 600; }
        .timeline .beside .label { fill: var(--soft); font-weight: 500; }
        .timeline .node .name { font-family: ui-monospace, Menlo, "Liberation Mono", monospace; font-size: 11px; }
        .timeline a:hover .label { text-decoration: underline; }
        .timeline .lane rect { fill: var(--plain-wash); } .timeline .lane text { fill: var(--plain-ink); font-size: 12px; font-weight: 600; }
        .timeline .lane .rollback rect { fill: var(--none-wash); stroke: var(--none); stroke-dasharray: 3 3; } .timeline .lane .rollback text { fill: var(--none-ink); }
        .timeline .lane .waiver rect { fill: var(--exception-wash); } .timeline .lane .waiver text { fill: var(--exception-ink); }
        .timeline .lane text.axis { fill: var(--soft); }
        .key { display: flex; flex-wrap: wrap; gap: .5rem 1.1rem; list-style: none; padding: 0; margin: 0 0 1.6rem; font-size: .88rem; color: var(--soft); }
        .key li { display: flex; align-items: center; gap: .45rem; }
        .key-block { margin-top: 1.2rem; } .key-block .key { margin-bottom: .7rem; }
        .swatch { width: 1.9rem; height: 1.2rem; border-radius: 4px; display: inline-block; border: 1px solid var(--rule); }
        .heatmap { border-collapse: separate; border-spacing: 3px; font-size: .93rem; }
        .heatmap thead th { font-size: .85rem; font-weight: 600; vertical-align: bottom; text-align: center; padding: .2rem .3rem .4rem; min-width: 6.2rem; max-width: 8rem; overflow-wrap: anywhere; }
        .heatmap thead th:first-child { text-align: left; } .heatmap thead .faint { display: block; font-weight: 400; font-size: .8rem; }
        .heatmap tbody th { text-align: left; font-weight: 500; padding: .3rem .8rem .3rem .2rem; position: sticky; left: 0; background: var(--ground); min-width: 9.5rem; line-height: 1.4; z-index: 1; }
        .heatmap tbody th .digest { display: block; } .heatmap tbody th .what { display: inline-block; margin-right: .4rem; font-weight: 600; }
        .heatmap tbody th .badge { font-size: .76rem; } .heatmap tr.main th { box-shadow: inset 3px 0 0 var(--plain); padding-left: .7rem; }
        .heat { padding: 0; text-align: center; border-radius: 7px; background: var(--card); color: var(--ink); height: 3.4rem; }
        .heat a, .heat .cell { display: grid; grid-template-columns: 1fr; align-content: center; height: 100%; min-height: 3.4rem; padding: .2rem .5rem; color: inherit; text-decoration: none; position: relative; border-radius: 7px; }
        .heat a:hover .score { text-decoration: underline; }
        .heat .score { font-weight: 650; } .heat .change { font-size: .82rem; }
        .heat .glyph { position: absolute; right: .45rem; top: .25rem; font-size: .75rem; }
        .heat.even { background: var(--card); } .heat.down1 { background: var(--down1); } .heat.down2 { background: var(--down2); } .heat.down3 { background: var(--down3); }
        .heat.up1 { background: var(--up1); } .heat.up2 { background: var(--up2); } .heat.up3 { background: var(--up3); }
        .swatch.heat { height: 1.2rem; border-radius: 4px; }
        .heat.unmeasured { background: repeating-linear-gradient(45deg, transparent 0 5px, var(--hatch) 5px 6.5px); }
        .heat.frame-good, .swatch.frame-good { outline: 2px solid var(--good); outline-offset: -2px; }
        .heat.frame-bad, .swatch.frame-bad { outline: 5px double var(--bad); outline-offset: -5px; }
        .heat.frame-open, .swatch.frame-open { outline: 2px dashed var(--open); outline-offset: -2px; }
        .heat.frame-exception, .swatch.frame-exception { outline: 3px dotted var(--exception); outline-offset: -3px; }
        .flip { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; padding: 1rem 1.3rem; }
        .flip h3 { margin: 0 0 .6rem; display: flex; gap: .7rem; align-items: center; font-weight: 500; color: var(--soft); }
        .flip pre, .answer pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font-size: .9rem; }
        .flip .question { display: block; padding: .6rem .8rem; background: var(--wash); border-radius: 8px; margin-bottom: .8rem; max-height: 14rem; overflow-y: auto; }
        .flip dl { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: .4rem 1rem; margin: 0; }
        .flip dt { color: var(--soft); font-size: .88rem; } .flip dd { margin: 0; }
        @media (max-width: 40rem) { .flip dl { grid-template-columns: 1fr; gap: .1rem; } .flip dd { margin-bottom: .6rem; } }
        .paging { display: flex; gap: .7rem; }
        .live progress { width: 100%; height: .6rem; accent-color: var(--plain); display: block; margin-bottom: .4rem; }
        .running { border-color: var(--plain); }
        .phases { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; margin: 0 0 .8rem; padding: 0; font-size: .88rem; }
        .phases li { padding: .15rem .8rem; border-radius: 999px; border: 1px solid var(--rule); color: var(--soft); }
        .phases .past { background: var(--good-wash); border-color: transparent; color: var(--good-ink); }
        .phases .past::before { content: "\\2713  "; }
        .phases .now { background: var(--plain-wash); border-color: var(--plain); color: var(--plain-ink); font-weight: 650; }
        #playground { display: grid; gap: 1rem; margin-bottom: 1.6rem; }
        .actions { display: flex; gap: .7rem; margin: 0; }
        .answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
        .answer { min-width: 0; } .answer pre { min-height: 6rem; margin: .4rem 0 .8rem; font-size: .95rem; }
        """
}
