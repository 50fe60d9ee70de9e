"use strict";
/* The family tree of the selected cell, in the colours of the scatter, and its function over time. */
(function (app) {
  const SVG = "http://www.w3.org/2000/svg";
  const ROW = 24;
  const WIDTH = 520;

  function shape(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function picture(height, label) {
    return shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": label });
  }

  /** Return the first ancestor of a cell; a loop in the data ends the climb. */
  app.founder = function (row) {
    const seen = new Set();
    while (app.core.parent[row] >= 0 && !seen.has(row)) { seen.add(row); row = app.core.parent[row]; }
    return row;
  };

  /** Return the cells of a family with their depth, each parent between its daughters. */
  function family(row, depth, seen) {
    if (seen.has(row)) return [];
    seen.add(row);
    const daughters = app.children[row];
    const half = Math.ceil(daughters.length / 2);
    return [
      ...daughters.slice(0, half).flatMap((d) => family(d, depth + 1, seen)),
      { row, depth },
      ...daughters.slice(half).flatMap((d) => family(d, depth + 1, seen)),
    ];
  }

  /** Draw the family over frames: a line for each life, a cross for an observed death. */
  app.drawTree = function (box, row) {
    const { core } = app;
    const members = family(app.founder(row), 0, new Set());
    box.replaceChildren();
    if (members.length < 2 || core.start[row] === null) return;
    const first = Math.min(...members.map((m) => core.start[m.row])), last = Math.max(...members.map((m) => core.end[m.row]));
    const x = (frame) => 8 + (WIDTH - 150) * (frame - first) / Math.max(last - first, 1);
    const colour = app.paint(app.shown.colour);
    const height = members.length * ROW + 24;
    const svg = picture(height, `Family tree of ${members.length} cells from frame ${first} to ${last}`);
    const line = new Map(members.map((m, i) => [m.row, 12 + i * ROW]));
    for (const { row: cell } of members) {
      const y = line.get(cell), parent = core.parent[cell];
      if (parent >= 0 && line.has(parent)) svg.append(shape("path", { d: `M${x(core.end[parent])},${line.get(parent)} L${x(core.start[cell])},${y}`, class: "branch" }));
      const mark = shape("g", { class: cell === row ? "life current" : "life", tabindex: 0, role: "button", "aria-label": `Cell ${core.ids[cell]}, ${core.end_kind[cell] || "end unknown"}` });
      const hours = core.end_hours[cell] === null ? "" : `, until ${app.number(core.end_hours[cell])} h`;
      mark.append(shape("title", {}, `${core.ids[cell]}: frames ${core.start[cell]} to ${core.end[cell]}${hours}, ${core.end_kind[cell]}`));
      mark.append(shape("rect", { x: x(core.start[cell]) - 2, y: y - 9, width: Math.max(x(core.end[cell]) - x(core.start[cell]), 2) + 4, height: 18, fill: "transparent" }));
      mark.append(shape("line", { x1: x(core.start[cell]), x2: Math.max(x(core.end[cell]), x(core.start[cell]) + 2), y1: y, y2: y, stroke: colour(cell), "stroke-width": cell === row ? 7 : 4 }));
      const inner = app.children[cell].length > 0;
      mark.append(shape("text", { x: inner ? x(core.start[cell]) : x(core.end[cell]) + 8, y: inner ? y - 5 : y + 4 }, `${core.end_kind[cell] === "death" ? "✕ " : ""}${core.ids[cell]}${app.hasExpression.has(cell) ? " ●" : ""}`));
      mark.addEventListener("click", () => app.select(cell));
      mark.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); app.select(cell); } });
      svg.append(mark);
    }
    svg.append(shape("text", { x: 8, y: height - 2 }, `frame ${first}`), shape("text", { x: x(last) - 40, y: height - 2 }, `frame ${last}`));
    box.append(app.element("h3", { text: "Family" }), svg, app.element("p", { class: "hint", text: "✕ is an observed death, ● a cell with expression; colours as in the scatter. An unknown end is not a death." }));
  };

  /** Draw function over time of the cell, its parent and its daughters. */
  app.drawCurve = function (box, row, field) {
    box.replaceChildren();
    const near = [app.core.parent[row], row, ...app.children[row]].filter((cell) => cell >= 0);
    for (const [channel, curves] of Object.entries(field.curves)) {
      const lines = near.filter((cell) => curves[cell]).map((cell) => ({ cell, curve: curves[cell] }));
      if (!lines.some((line) => line.cell === row)) continue;
      const inHours = lines.every(({ curve }) => curve[1].every((h) => h !== null));
      const at = ({ curve }) => inHours ? curve[1] : curve[0];
      const all = lines.flatMap(({ curve }) => curve[2]).filter((v) => v !== null);
      if (!all.length) continue;
      const times = lines.flatMap(at);
      const [t0, t1, v0, v1] = [Math.min(...times), Math.max(...times), Math.min(0, ...all), Math.max(...all)];
      const x = (t) => 56 + (WIDTH - 70) * (t - t0) / Math.max(t1 - t0, 1e-9), y = (v) => 130 - 118 * (v - v0) / Math.max(v1 - v0, 1e-9);
      const svg = picture(160, `${channel} over time of cell ${app.core.ids[row]}, from ${app.number(v0)} to ${app.number(v1)} grey levels`);
      svg.append(shape("path", { d: "M56,8 V130 H512", class: "axis" }));
      for (const { cell, curve } of lines) {
        const known = curve[2].map((v, i) => [at({ curve })[i], v]).filter(([, v]) => v !== null);
        svg.append(shape("polyline", { points: known.map(([t, v]) => `${x(t)},${y(v)}`).join(" "), class: cell === row ? "own" : "kin" }));
        const [t, v] = known.length ? known[known.length - 1] : [t0, v0];
        const end = { death: "✕", division: "Y" }[app.core.end_kind[cell]];
        if (end) svg.append(shape("text", { x: x(t) - 4, y: y(v) - 4 }, end));
      }
      svg.append(shape("text", { x: 2, y: 16 }, app.number(v1)), shape("text", { x: 2, y: 130 }, app.number(v0)));
      svg.append(shape("text", { x: 56, y: 148 }, `${app.number(t0)}`), shape("text", { x: 440, y: 148 }, `${app.number(t1)} ${inHours ? "h" : "frames"}`));
      box.append(app.element("h3", { text: `${channel} over time` }), svg, app.element("p", { class: "hint", text: "Thick: this cell; thin: parent and daughters. Y division, ✕ observed death. Grey levels." }));
    }
  };
})(window.cineseq);
