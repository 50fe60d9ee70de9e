"use strict";
/* The table: one row per cell, sorted by a click on a heading, filtered by text, in pages. */
(function (app) {
  const ROWS = 20;
  const state = { by: null, down: false, page: 0, text: "", rows: [] };
  const byId = (id) => document.getElementById(id);

  /** Return the columns of the table: names first, then what the scatter shows. */
  function columns() {
    const { core } = app;
    const field = (row) => core.field[row] < 0 ? "" : core.fields[core.field[row]].join(" / ");
    const fixed = [
      { label: "cell", value: (row) => core.ids[row] },
      { label: "field", value: field },
      { label: "fate", value: (row) => core.fate[row] },
      { label: "end", value: (row) => core.end_kind[row] },
      { label: "barcode", value: (row) => core.barcodes[row] },
    ].filter((column) => column.label === "cell" || core.ids.some((_, row) => column.value(row)));
    const shown = [app.shown.colour, app.shown.function, app.shown.x, app.shown.y].filter(Boolean);
    const different = shown.filter((m, i) => shown.findIndex((other) => other.label === m.label) === i);
    return fixed.concat(different.filter((m) => !fixed.some((column) => column.label === m.label)).map((m) => ({
      label: m.label,
      number: m.kind === "number",
      value: (row) => m.kind === "number" ? m.values[row] : Number.isNaN(m.values[row]) ? "" : m.words[m.values[row]],
    })));
  }

  /** Compare two values; unknown ones come last in either direction. */
  function compare(a, b) {
    const none = (v) => v === "" || v === null || Number.isNaN(v);
    if (none(a) || none(b)) return none(a) - none(b);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return state.down ? -order : order;
  }

  function arrange(shown) {
    const text = state.text.toLowerCase();
    const of = app.set && app.set.size ? [...app.set] : app.core.ids.map((_, row) => row);
    const kept = text ? of.filter((row) => shown.some((column) => String(column.value(row)).toLowerCase().includes(text))) : of;
    const by = shown.find((column) => column.label === state.by);
    state.rows = by ? kept.sort((a, b) => compare(by.value(a), by.value(b))) : kept;
  }

  function heading(column) {
    const sort = () => {
      state.down = state.by === column.label ? !state.down : Boolean(column.number);
      state.by = column.label; state.page = 0; app.showTable();
    };
    const arrow = state.by === column.label ? (state.down ? " ▼" : " ▲") : "";
    const order = state.by !== column.label ? "none" : state.down ? "descending" : "ascending";
    return app.element("th", { scope: "col", "aria-sort": order }, app.element("button", { type: "button", text: column.label + arrow, on: { click: sort } }));
  }

  app.showTable = function () {
    const shown = columns();
    arrange(shown);
    const pages = Math.max(1, Math.ceil(state.rows.length / ROWS));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const body = app.element("tbody");
    for (const row of state.rows.slice(state.page * ROWS, (state.page + 1) * ROWS)) {
      const line = app.element("tr", row === app.selected ? { "aria-current": "true" } : {});
      shown.forEach((column, i) => {
        const value = column.value(row);
        const text = column.number ? app.number(value) : String(value) || "–";
        line.append(i ? app.element("td", column.number ? { text, class: "number" } : { text }) : app.element("th", { scope: "row" }, app.element("button", { type: "button", text, on: { click: () => app.select(row) } })));
      });
      body.append(line);
    }
    byId("table").replaceChildren(app.element("thead", {}, app.element("tr", {}, ...shown.map(heading))), body);
    byId("page-note").textContent = `${state.rows.length} cells, page ${state.page + 1} of ${pages}` + (app.set && app.set.size ? "; chosen cells only" : "");
    byId("earlier").disabled = state.page === 0;
    byId("later").disabled = state.page === pages - 1;
  };

  /** Select the next (1) or previous (-1) row. */
  app.step = function (by) {
    if (!state.rows.length) return;
    const at = state.rows.indexOf(app.selected);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), state.rows.length - 1);
    state.page = Math.floor(next / ROWS);
    app.select(state.rows[next]);
  };

  byId("filter").addEventListener("input", (event) => { state.text = event.target.value; state.page = 0; app.showTable(); });
  byId("earlier").addEventListener("click", () => { state.page--; app.showTable(); });
  byId("later").addEventListener("click", () => { state.page++; app.showTable(); });
  app.on("measure", () => app.showTable());
  app.on("select", () => app.showTable());
  app.on("choose", () => { state.page = 0; app.showTable(); });
})(window.cineseq);
